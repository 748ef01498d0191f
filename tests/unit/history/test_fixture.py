from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.contracts.gates import Gates, gates_json
from proving_ground.contracts.platform import Clock, Platform, System
from proving_ground.errors import InfrastructureError
from proving_ground.history.fixture import NO_HISTORY, PerformanceHistory
from proving_ground.plugin.check_run import CheckRun, Settings
from proving_ground.plugin.skipping import CodedSkip
from tests.unit.history.made import measurement

if TYPE_CHECKING:
    from pathlib import Path

    from proving_ground.history.store import Store

GATES = Gates.model_validate(
    {
        "gates": [
            {"kind": "absolute", "metric": "load/*/ttft_ms", "at_most": 200},
            {"kind": "relative", "metric": "load/*/ttft_ms", "samples": {"baseline": 3, "candidate": 1}},
            {"kind": "absolute", "metric": "load/*/other_ms", "at_most": 1},
        ]
    }
).gates


class _Recorder:
    def note(self, kind: str, subject: str, detail: str, check: str) -> None: ...

    def mask(self, value: str) -> None: ...


def check(folder: Path, run_id: str, **settings: Any) -> CheckRun:
    platform = Platform(
        run_id=run_id,
        inventory="sim",
        systems={"inference": System(implementation="existing", version="b1")},
        clock=Clock(started=dt.datetime.now(dt.UTC)),
    )
    made = Settings(run_id=run_id, state_dir=folder, artifacts_dir=folder, **settings)
    return CheckRun("load/test_chat", platform, made, _Recorder())


def history(store: Store, folder: Path, run_id: str, **settings: Any) -> PerformanceHistory:
    return PerformanceHistory(check(folder, run_id, **settings), gates=GATES, store=store)


def test_a_check_records_and_asks_for_its_verdict(store: Store, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"revision": "abc123"}')
    outcomes = []
    for number, value in enumerate((100.0, 101.0, 99.0, 100.0, 150.0)):
        mine = history(store, tmp_path, f"r{number}")
        recorded = mine.record([measurement("ttft_ms", value)], configuration={"users": 3})
        outcomes.append(mine.verdict(recorded).outcome)
    assert outcomes == ["insufficient history"] * 3 + ["pass", "regression"]
    latest = store.runs()[0]
    assert (latest.commit, latest.system_version, latest.verdict) == ("abc123", "b1", "regression")


def test_a_check_ends_as_its_verdict_says(store: Store, tmp_path: Path) -> None:
    ended: list[str] = []
    for number, value in enumerate((100.0, 101.0, 99.0, 100.0, 150.0)):
        mine = history(store, tmp_path, f"r{number}")
        recorded = mine.record([measurement("ttft_ms", value)], configuration={"users": 3})
        try:
            ended.append(mine.decide(recorded).outcome)
        except CodedSkip as skipped:
            ended.append(skipped.code)
        except AssertionError as error:
            ended.append(str(error).split(":")[0])
    assert ended == [NO_HISTORY] * 3 + ["pass", "load/chat/ttft_ms"]
    mine = history(store, tmp_path, "r9")
    recorded = mine.record([measurement("ttft_ms", 1.0)], configuration={}, valid=False, problem="client lagged")
    with pytest.raises(InfrastructureError, match="client lagged"):
        mine.decide(recorded)


def test_gates_of_metrics_that_the_check_did_not_measure_are_left_out(store: Store, tmp_path: Path) -> None:
    mine = history(store, tmp_path, "r1")
    verdict = mine.verdict(mine.record([measurement("ttft_ms", 1.0)], configuration={}))
    assert {j.series.metric for j in verdict.judgements if j.series} == {"ttft_ms"}


def test_an_invalid_measurement_is_never_passed(store: Store, tmp_path: Path) -> None:
    mine = history(store, tmp_path, "r1")
    recorded = mine.record([measurement("ttft_ms", 1.0)], configuration={}, valid=False, problem="client lagged")
    assert mine.verdict(recorded).outcome == "invalid run"


@pytest.mark.parametrize("settings", [{}, {"fault": "slow"}])
def test_a_record_without_measurements_is_invalid_or_refused(
    store: Store, tmp_path: Path, settings: dict[str, Any]
) -> None:
    mine = history(store, tmp_path, "r1", **settings)
    recorded = mine.record([], configuration={}, valid=False, problem="client lagged")
    assert mine.verdict(recorded).outcome == "invalid run"
    with pytest.raises(ValueError, match="needs a measurement"):
        mine.record([], configuration={})


@pytest.mark.parametrize("settings", [{"fault": "slow"}, {"wait_limit": 10.0}])
def test_while_a_fault_is_proved_nothing_is_recorded_and_limits_still_hold(
    store: Store, tmp_path: Path, settings: dict[str, Any]
) -> None:
    mine = history(store, tmp_path, "r1", **settings)
    slow = mine.verdict(mine.record([measurement("ttft_ms", 300.0)], configuration={}))
    fast = mine.verdict(mine.record([measurement("ttft_ms", 100.0)], configuration={}))
    assert (slow.outcome, fast.outcome) == ("regression", "pass")
    assert store.count() == 0


def test_the_gates_of_the_stage_are_read_from_the_runs_directory(store: Store, tmp_path: Path) -> None:
    (tmp_path / "gates.json").write_text(gates_json(GATES))
    assert PerformanceHistory(check(tmp_path, "r1"), store=store).gates == tuple(GATES)


def test_trends_are_drawn_into_the_report(store: Store, tmp_path: Path) -> None:
    for number in range(3):
        mine = history(store, tmp_path, f"r{number}")
        mine.verdict(mine.record([measurement("ttft_ms", 100.0 + number)], configuration={}))
    assert [plot.name for plot in mine._check.plots] == ["load/chat/ttft_ms (median)"]


def test_labels_of_the_surroundings_are_written(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVING_GROUND_LABELS", "main, release")
    history(store, tmp_path, "r1").record([measurement("ttft_ms", 1.0)], configuration={}, labels=("x",))
    assert store.runs()[0].labels == ("main", "release", "x")


def test_two_checks_of_a_run_are_judged_by_what_each_measured(store: Store, tmp_path: Path) -> None:
    first = history(store, tmp_path, "r1")
    second = history(store, tmp_path, "r1")
    one = first.record([measurement("ttft_ms", 100.0)], configuration={})
    two = second.record([measurement("other_ms", 5.0)], configuration={})
    assert second.verdict(two).outcome == "regression"
    assert first.verdict(one).outcome == "insufficient history"
    assert store.runs()[0].verdict == "regression"


def test_runs_that_use_one_platform_one_after_the_other_are_runs_of_their_own(store: Store, tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / "run.json").write_text(f'{{"run_id": "run-{number}"}}')
        history(store, tmp_path, "platform").record([measurement("ttft_ms", 100.0)], configuration={})
    assert [run.run_id for run in store.runs()] == ["run-2", "run-1"]


def test_what_no_gate_is_about_is_recorded_and_skipped(store: Store, tmp_path: Path) -> None:
    mine = PerformanceHistory(check(tmp_path, "r1"), gates=(), store=store)
    with pytest.raises(CodedSkip, match="no-gates"):
        mine.decide(mine.record([measurement("ttft_ms", 100.0)], configuration={}))
    assert [run.run_id for run in store.runs()] == ["r1"]
