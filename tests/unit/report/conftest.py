from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from proving_ground.contracts.events import Attachment
from proving_ground.contracts.platform import Capabilities, Clock, Cluster, Endpoint, Host, Platform, System
from proving_ground.contracts.results import PhaseResult, Results, SuiteResult, Test, Unselected, Verdict
from proving_ground.report.merge import summarise

if TYPE_CHECKING:
    from collections.abc import Callable

START = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
HOSTILE = "<script>alert(1)</script> & \x1b[31mred\x1b[0m \x00\x08 ]]> é \U0001f600"


def check(name: str, status: str = "passed", start: float = 1.0, duration: float = 2.0, **more: object) -> Test:
    values: dict[str, object] = {"error": "it broke"} if status in ("failed", "error") else {}
    if status == "skipped":
        values = {"reason": "row says so", "reason_code": "row-skipped"}
    values |= {
        "name": name,
        "id": f"aim/{name}",
        "suite": "aim",
        "status": status,
        "duration": duration,
        "started": START + dt.timedelta(seconds=start),
        "nodeid": f"tests/suites/aim/test_x.py::{name}",
    }
    return Test.model_validate(values | more)


def run_of(*tests: Test, **more: object) -> Results:
    bad = [test for test in tests if test.status in ("failed", "error")]
    verdict = Verdict(
        exit_code=1 if bad else 0,
        outcome="failed" if bad else "passed",
        cause=f"{bad[0].id}: {bad[0].error}" if bad else f"{len(tests)} checks passed",
        look_at="report.html",
    )
    unselected = [Unselected(id="aim/on-real-gpus", suite="aim", reason="capability", detail="real_gpu")]
    values: dict[str, object] = {
        "run_id": "20260102-abc",
        "stage": "nightly",
        "inventory": "sim",
        "started": START,
        "ended": START + dt.timedelta(seconds=75),
        "verdict": verdict,
        "summary": summarise(tests, 1),
        "tests": list(tests),
        "suites": [SuiteResult(name="aim", description="Models", summary=summarise(tests, 1))],
        "not_selected": unselected,
        "suites_left_out": {"skytorch": "system not on this platform: skytorch"},
        "phases": [
            PhaseResult(name="create", status="passed", started=START, duration=0.5),
            PhaseResult(name="verify", status="passed", started=START + dt.timedelta(seconds=1), duration=70.0),
        ],
    }
    return Results.model_validate(values | more)


@pytest.fixture
def platform() -> Platform:
    return Platform(
        run_id="20260102-abc",
        inventory="sim",
        clusters={
            "default": Cluster(kubeconfig="/private/kubeconfig", server="https://127.64.0.1:6443", version="v1.36.3")
        },
        hosts=[Host(name="node-1", groups=["workers"])],
        endpoints={"fleet": Endpoint(url="http://127.64.0.1:8081")},
        systems={"aim": System(implementation="stand_in", version="0.1.0")},
        capabilities=Capabilities(promised=["kubernetes"], present=["kubernetes"]),
        clock=Clock(started=START),
    )


@pytest.fixture
def results() -> Results:
    """A run with one check of each outcome, hostile text in the failed one."""
    return run_of(
        check("passes", metrics={"ready_seconds": 1.25}, marks=["nightly"], parameters={"image": "r/x:1"}, attempts=2),
        check(
            "fails",
            "failed",
            error=HOSTILE,
            detail=f"{HOSTILE}\n{'long ' * 50_000}",
            properties={"file": HOSTILE},
            attachments=[Attachment(name=HOSTILE, text=HOSTILE), Attachment(name="log", path="diagnostics/a b.log")],
        ),
        check("errs", "error", infrastructure=True),
        check("skips", "skipped"),
    )


@pytest.fixture
def make_run() -> Callable[..., Results]:
    return run_of


@pytest.fixture
def make_check() -> Callable[..., Test]:
    return check
