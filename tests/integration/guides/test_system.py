"""The system of the guide goes through a whole run, its fault is noticed, and nothing of it is left."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.ownership.processes import tagged
from proving_ground.pipeline.options import new_run_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Copy


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def results(copy: Copy, run_id: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((copy.root / "artifacts" / run_id / "results.json").read_text())
    return read


@pytest.mark.parametrize(
    ("fault", "code", "outcome"),
    [((), 0, "passed"), (("--fault", "forgets-names"), 1, "failed")],
    ids=["right", "wrong"],
)
def test_a_run_judges_the_system_and_leaves_nothing(
    copy_with: Callable[[str], Copy], port: int, fault: tuple[str, ...], code: int, outcome: str
) -> None:
    copy, run_id = copy_with("system"), new_run_id()
    ran = copy.proving_ground(
        "run", "nightly", "--inventory", "greeter", "--run-id", run_id, "--extra-vars", f"greeter_port={port}", *fault
    )
    assert ran.returncode == code, ran.stdout + ran.stderr
    found = results(copy, run_id)
    assert [(test["id"], test["status"]) for test in found["tests"]] == [("greeter/greets-by-name", outcome)]
    assert {phase["name"]: phase["status"] for phase in found["phases"]}["destroy"] == "passed"
    assert tagged(run_id) == []
    assert list((copy.state / "runs").iterdir()) == []


def test_a_wrong_variable_is_a_matter_of_configuration(copy_with: Callable[[str], Copy]) -> None:
    copy = copy_with("system")
    ran = copy.proving_ground("run", "nightly", "--inventory", "greeter", "--extra-vars", "greeter_port=80")
    assert ran.returncode == 3, ran.stdout + ran.stderr
    assert "configuration: validate: greeter_port must be 1024 to 65535, found 80" in ran.stdout
