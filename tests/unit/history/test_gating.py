from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.contracts.gates import Gates
from proving_ground.errors import ConfigurationError
from proving_ground.history.gating import compare_runs, judge
from proving_ground.history.store import find_run
from proving_ground.history.stored import Wanted
from tests.unit.history.made import HARDWARE, measurement, noisy, record

if TYPE_CHECKING:
    from proving_ground.contracts.gates import Gate
    from proving_ground.history.store import Store


def gates(*each: dict[str, Any]) -> list[Gate]:
    return Gates.model_validate({"gates": list(each)}).gates


RELATIVE: dict[str, Any] = {
    "kind": "relative",
    "metric": "load/*/*",
    "samples": {"baseline": 10, "candidate": 3, "most": 10},
}


def test_a_run_with_too_little_history_says_so_and_does_not_pass(store: Store) -> None:
    store.add(noisy(range(1)))
    verdict = judge(store, store.runs(), gates(RELATIVE))
    assert verdict.outcome == "insufficient history"
    assert "0 of 10 runs" in verdict.judgements[0].cause
    assert (verdict.exit_code(), verdict.exit_code(require_history=True)) == (0, 1)


def test_runs_as_before_pass(store: Store) -> None:
    store.add(noisy(range(13)))
    verdict = judge(store, find_run(store, "run-12"), gates(RELATIVE))
    assert (verdict.outcome, verdict.exit_code()) == ("pass", 0)
    assert len(verdict.judgements) == 40


def test_runs_that_are_slower_are_a_regression(store: Store) -> None:
    store.add(noisy(range(10)) + noisy(range(10, 13), factor=1.15))
    verdict = judge(store, find_run(store, "run-12"), gates(RELATIVE))
    assert (verdict.outcome, verdict.exit_code(), verdict.failed) == ("regression", 1, True)
    assert verdict.judgements[0].worse == pytest.approx(0.15, abs=0.08)
    assert {run.verdict for run in find_run(store, "run-12")} == {"regression"}


def test_runs_that_are_faster_are_an_improvement(store: Store) -> None:
    store.add(noisy(range(10)) + noisy(range(10, 13), factor=0.8))
    verdict = judge(store, find_run(store, "run-12"), gates(RELATIVE))
    assert (verdict.outcome, verdict.exit_code()) == ("improvement", 0)


def test_three_runs_are_enough_history_where_a_gate_says_so(store: Store) -> None:
    store.add(noisy(range(3), noise=0.01) + noisy([3], factor=1.3, noise=0.01))
    gate = RELATIVE | {"samples": {"baseline": 3, "candidate": 1}}
    assert judge(store, find_run(store, "run-3"), gates(gate)).outcome == "regression"
    assert judge(store, find_run(store, "run-2"), gates(gate)).outcome == "insufficient history"


def test_a_pass_that_could_not_have_found_the_change_says_what_it_would_take(store: Store) -> None:
    store.add(noisy(range(13), noise=0.08))
    verdict = judge(store, find_run(store, "run-12"), gates(RELATIVE))
    needed = [judgement.needed for judgement in verdict.judgements if judgement.needed]
    assert needed
    assert all(before >= 10 and after > 3 for before, after in needed)
    assert "finding 10% takes" in verdict.judgements[0].cause


def test_an_invalid_run_is_never_passed_and_never_a_baseline(store: Store) -> None:
    store.add(noisy(range(13)))
    for run in noisy(range(13, 16), factor=3):
        store.add(dataclasses.replace(run, valid=False, problem="the client lagged"))
    verdict = judge(store, find_run(store, "run-15"), gates(RELATIVE))
    assert (verdict.outcome, verdict.exit_code(), verdict.failed) == ("invalid run", 2, True)
    assert "the client lagged" in verdict.cause
    store.add(noisy([20]))
    assert judge(store, find_run(store, "run-20"), gates(RELATIVE)).outcome == "pass"


@pytest.mark.parametrize(
    "changes",
    [
        {"fingerprint": dataclasses.replace(HARDWARE, cores=1)},
        {"configuration_hash": "other"},
        {"system": "dynamo"},
    ],
)
def test_runs_of_other_hardware_configuration_or_system_are_no_baseline(store: Store, changes: dict[str, Any]) -> None:
    store.add(dataclasses.replace(run, **changes) for run in noisy(range(20)))
    store.add(noisy(range(20, 23)))
    assert judge(store, find_run(store, "run-22"), gates(RELATIVE)).outcome == "insufficient history"


def test_a_regression_that_stays_does_not_become_the_baseline(store: Store) -> None:
    store.add(noisy(range(10), noise=0.01))
    gate = gates(RELATIVE | {"samples": {"baseline": 5, "candidate": 1}})
    for number in range(10, 30):
        store.add(noisy([number], factor=1.2, noise=0.01))
        assert judge(store, find_run(store, f"run-{number}"), gate).outcome == "regression"


def test_a_release_is_compared_with_the_release_before_it(store: Store) -> None:
    for number, version in enumerate(["1.0"] * 10 + ["1.1"] * 10 + ["2.0"]):
        factor = {"1.0": 0.5, "1.1": 1.0, "2.0": 1.2}[version]
        labels = ("release",) if version != "2.0" else ()
        run = noisy([number], factor=factor, noise=0.01)[0]
        store.add(dataclasses.replace(run, system_version=version, labels=labels))
    gate = RELATIVE | {"baseline": "previous_release", "samples": {"baseline": 5, "candidate": 1}}
    verdict = judge(store, find_run(store, "run-20"), gates(gate))
    assert verdict.outcome == "regression"
    assert verdict.judgements[0].gate == "no worse than release 1.1"
    assert verdict.judgements[0].worse == pytest.approx(0.2, abs=0.05)


def test_runs_of_main_are_those_labelled_so(store: Store) -> None:
    store.add(dataclasses.replace(run, labels=("main",)) for run in noisy(range(4)))
    store.add(noisy(range(4, 10)))
    gate = RELATIVE | {"baseline": "main", "samples": {"baseline": 5, "candidate": 1}}
    assert "4 of 5 runs" in judge(store, find_run(store, "run-9"), gates(gate)).cause


def test_a_named_baseline_has_the_runs_that_were_given_to_it(store: Store) -> None:
    store.add(noisy(range(6), noise=0.01) + noisy(range(6, 12), factor=1.3, noise=0.01))
    store.pin("good", store.runs()[-6:])
    gate = RELATIVE | {"baseline": "good", "samples": {"baseline": 6, "candidate": 1}}
    assert judge(store, find_run(store, "run-11"), gates(gate)).outcome == "regression"
    unknown = RELATIVE | {"baseline": "unknown"}
    assert judge(store, find_run(store, "run-11"), gates(unknown)).outcome == "insufficient history"


@pytest.mark.parametrize(
    ("limit", "outcome"),
    [({"at_most": 200}, "pass"), ({"at_most": 110}, "regression"), ({"at_least": 130}, "regression")],
)
def test_an_absolute_gate_judges_the_statistic_that_it_names(store: Store, limit: dict[str, int], outcome: str) -> None:
    store.add(record(1, measurement("ttft_ms", *[100.0] * 90, *[120.0] * 10)))
    gate = {"kind": "absolute", "metric": "load/chat/ttft_ms", "statistic": "p99", **limit}
    verdict = judge(store, store.runs(), gates(gate))
    assert verdict.outcome == outcome
    assert "p99 is 120 ms" in verdict.judgements[0].cause


@pytest.mark.parametrize(
    ("value", "direction", "outcome"),
    [
        (100, "lower", "pass"),
        (120, "lower", "regression"),
        (80, "lower", "improvement"),
        (120, "higher", "improvement"),
        (80, "higher", "regression"),
    ],
)
def test_a_band_is_left_for_worse_or_for_better(store: Store, value: float, direction: str, outcome: str) -> None:
    store.add(record(1, measurement("x", value, direction=direction)))
    band = {"reference": 100, "lower": 90, "upper": 110}
    gate = {"kind": "band", "metric": "load/*/x", "bands": {HARDWARE.key: band}}
    assert judge(store, store.runs(), gates(gate)).outcome == outcome


def test_a_band_for_other_hardware_only_is_insufficient_history(store: Store) -> None:
    store.add(record(1))
    gate = {"kind": "band", "metric": "load/*/*", "bands": {"0": {"reference": 1, "lower": 1, "upper": 1}}}
    verdict = judge(store, store.runs(), gates(gate))
    assert verdict.outcome == "insufficient history"
    assert HARDWARE.key in verdict.cause


def test_a_pattern_that_fits_nothing_ever_measured_is_a_mistake(store: Store) -> None:
    store.add(record(1))
    with pytest.raises(ConfigurationError, match="ttft_ms"):
        judge(store, store.runs(), gates({"kind": "absolute", "metric": "load/*/tttf_ms", "at_most": 1}))


def test_a_metric_that_this_run_lacks_does_not_pass(store: Store) -> None:
    store.add([record(1), record(2, measurement("other_ms", 1.0))])
    verdict = judge(
        store, find_run(store, "run-2"), gates({"kind": "absolute", "metric": "load/*/ttft_ms", "at_most": 9})
    )
    assert verdict.outcome == "insufficient history"


def test_without_gates_nothing_is_wrong(store: Store) -> None:
    store.add(record(1))
    assert judge(store, store.runs(), []).outcome == "pass"


def test_an_error_rate_that_rises_from_zero_is_a_regression(store: Store) -> None:
    store.add(record(n, measurement("error_rate", 0.0, unit="share")) for n in range(10))
    store.add(record(n, measurement("error_rate", 0.04 + n / 1000, unit="share")) for n in range(10, 13))
    assert judge(store, find_run(store, "run-12"), gates(RELATIVE)).outcome == "regression"


@pytest.mark.parametrize(("least", "outcome"), [({}, "regression"), ({"ms": 1}, "pass"), ({"s": 1}, "regression")])
def test_what_cannot_be_measured_is_no_difference(store: Store, least: dict[str, float], outcome: str) -> None:
    store.add(noisy(range(10), scale=0.3) + noisy(range(10, 13), factor=3, scale=0.3))
    gate = gates(RELATIVE | {"minimal_change": least})
    assert judge(store, find_run(store, "run-12"), gate).outcome == outcome


def test_the_change_that_matters_is_one_of_its_unit(store: Store) -> None:
    store.add(noisy(range(10), scale=30) + noisy(range(10, 13), factor=1.2, scale=30))
    gate = gates(RELATIVE | {"minimal_change": {"ms": 1}})
    assert judge(store, find_run(store, "run-12"), gate).outcome == "regression"


def test_a_verdict_that_is_not_to_be_noted_is_not(store: Store) -> None:
    store.add(noisy(range(2)))
    judge(store, find_run(store, "run-1"), gates(RELATIVE), note=False)
    assert {run.verdict for run in store.runs()} == {""}


def test_named_runs_are_compared_and_what_differs_is_told(store: Store) -> None:
    store.add(noisy(range(4), noise=0.01))
    store.add(dataclasses.replace(run, configuration_hash="new") for run in noisy(range(4, 6), factor=1.4, noise=0.01))
    rows = {run.run_id: run for run in store.runs()}
    before, after = [rows[f"run-{n}"] for n in range(4)], [rows[f"run-{n}"] for n in range(4, 6)]
    verdict = compare_runs(store, before, after, "median")
    assert verdict.outcome == "regression"
    assert any("configuration differs" in judgement.cause for judgement in verdict.judgements)
    alone = compare_runs(store, before[:1], before[1:2], "median")
    assert alone.outcome == "insufficient history"
    assert store.runs(Wanted(baseline="x")) == []
