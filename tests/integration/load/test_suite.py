"""The suite `load` under faults: each is noticed by the checks that suite.yml names, and by no others."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from proving_ground.by_url.running import platform_of
from proving_ground.contracts.events import EVENT, Ended
from proving_ground.contracts.gates import GATES_FILE, gates_json
from proving_ground.contracts.platform import Endpoint, System
from proving_ground.contracts.stages import Stages
from proving_ground.contracts.suite import Suite
from proving_ground.history.store import Store
from proving_ground.load.measured.timed import timed_server
from proving_ground.load.measured.timed_server import FAULTS
from proving_ground.pipeline.project import load_yaml
from proving_ground.pipeline.proving import limits
from proving_ground.prove.passes import Pass, PassResult, Place, make
from proving_ground.prove.proof import judge

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "tests/suites/inference/load"
SUITE = load_yaml(FOLDER / "suite.yml", Suite)


def test_every_fault_of_the_suite_is_one_that_the_server_shows() -> None:
    shown = {name for fault, told in SUITE.faults.items() for name in told.shows or [fault]}
    assert shown == set(FAULTS)


@pytest.mark.weekly  # nox -s prove does it with the platform's own server
def test_a_fault_kills_exactly_its_checks(tmp_path: Path) -> None:
    gates = limits(load_yaml(ROOT / "stages.yml", Stages).stages.values())
    (tmp_path / GATES_FILE).write_text(gates_json(gates))

    async def made() -> list[tuple[Pass, PassResult]]:
        async with timed_server() as url:
            platform = tmp_path / "platform.json"
            platform.write_text(platform_of(url, parameters={"model": "timed"}).model_dump_json())
            place = Place("load", ROOT, platform, tmp_path)
            passes = [Pass(SUITE, FOLDER, name) for name in (None, "errors")]
            return [(one, await make(one, place)) for one in passes]

    (proof,) = judge(asyncio.run(made()), all_faults=False)
    assert not proof.broken
    assert not proof.baseline
    assert [verdict.problems for verdict in proof.verdicts] == [()]


def test_a_further_server_has_the_same_checks_with_limits_and_a_history_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = tmp_path / "history.sqlite"
    monkeypatch.setenv("PROVING_GROUND_HISTORY", str(history))
    (tmp_path / GATES_FILE).write_text(gates_json(limits(load_yaml(ROOT / "stages.yml", Stages).stages.values())))
    short = {"model": "timed", "load_duration": 1, "load_warm_up": 0, "load_spawn_rate": 100, "load_max_tokens": 4}
    names = ["few-requests-fail", "first-tokens-come-in-time", "measurements-hold-to-the-gates"]

    async def verified() -> int:
        async with timed_server() as first, timed_server(first_token=0.1) as second:
            platform = platform_of(first, parameters={**short, "server": "one"})
            own = {**short, "api": "openai", "server": "two", "load_ttft_p99": 50}
            platform.endpoints["other"] = Endpoint(url=second)
            platform.systems["other"] = System(implementation="existing", parameters=own)
            (tmp_path / "platform.json").write_text(platform.model_dump_json())
            words = [f"--platform={tmp_path / 'platform.json'}", f"--events={tmp_path / 'events.jsonl'}"]
            words += [f"--state-dir={tmp_path}", f"--artifacts-dir={tmp_path}", f"--rootdir={ROOT}"]
            words += ["-p", "no:cacheprovider", "-k", " or ".join(name.replace("-", "_") for name in names)]
            command = [sys.executable, "-m", "pytest", str(FOLDER), *words]
            ran = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, check=False)
            return ran.returncode

    assert asyncio.run(verified()) == 1
    events = [EVENT.validate_json(line) for line in (tmp_path / "events.jsonl").read_bytes().splitlines()]
    ended = {event.check: event for event in events if isinstance(event, Ended)}
    assert {check for check, end in ended.items() if end.outcome == "failed"} == {
        "load/first-tokens-come-in-time[other]"
    }
    assert {check for check, end in ended.items() if end.outcome == "passed"} == {
        *(f"load/{name}" for name in names),
        "load/few-requests-fail[other]",
        "load/measurements-hold-to-the-gates[other]",
    }
    plots = {check: {plot.name for plot in end.plots} for check, end in ended.items() if "few" in check}
    assert plots == {
        "load/few-requests-fail": {"answers of one", "tokens of one"},
        "load/few-requests-fail[other]": {"answers of two", "tokens of two"},
    }
    assert {file.parent.name for file in (tmp_path / "load").rglob("steady.json")} == {"load", "other"}
    with Store.open(str(history)) as store:
        scenarios = {run.system: {series.scenario for series in store.statistics([run])} for run in store.runs()}
    assert scenarios == {"inference": {"steady"}, "other": {"steady/other"}}
