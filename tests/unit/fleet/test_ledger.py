from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from proving_ground.fleet.ledger import PODS_KEPT, SAMPLES_KEPT, Ledger
from proving_ground.mocks.history import History

WORKLOAD = ("ns", "w")


def replica(name: str, *moments: float) -> Any:
    history = History(("x",))
    for moment in moments:
        history.scrapes += 1
        history.add(moment, (moment,))
    return SimpleNamespace(name=name, histories=[history])


def test_the_runs_of_a_pod_add_up() -> None:
    ledger = Ledger()
    ledger.close(WORKLOAD, "a", replica("a", 1.0, 2.0))
    live = [replica("a", 3.0)]
    assert ledger.scrapes(WORKLOAD, live) == (3, {"a": 3})
    assert [moment for moment, _ in ledger.history(WORKLOAD, live, None)["a"]] == [1.0, 2.0, 3.0]


def test_samples_before_a_time_are_left_out() -> None:
    ledger = Ledger()
    ledger.close(WORKLOAD, "a", replica("a", 1.0, 2.0))
    assert ledger.history(WORKLOAD, [], 1.5) == {"a": [(2.0, {"x": 2.0})]}


def test_the_count_of_pods_that_are_gone_is_kept_when_their_samples_are_not() -> None:
    ledger = Ledger()
    for number in range(PODS_KEPT + 5):
        ledger.close(WORKLOAD, f"p{number}", replica(f"p{number}", 1.0))
    assert ledger.scrapes(WORKLOAD, [])[0] == PODS_KEPT + 5
    assert len(ledger.history(WORKLOAD, [], None)) == PODS_KEPT


def test_the_samples_of_a_pod_are_bounded() -> None:
    ledger = Ledger()
    for _ in range(2):
        ledger.close(WORKLOAD, "a", replica("a", *map(float, range(SAMPLES_KEPT))))
    assert len(ledger.history(WORKLOAD, [], None)["a"]) == SAMPLES_KEPT


def test_an_unknown_workload_has_no_scrapes() -> None:
    assert Ledger().scrapes(WORKLOAD, []) == (0, {})


def test_a_namespace_is_forgotten() -> None:
    ledger = Ledger()
    ledger.close(WORKLOAD, "a", replica("a", 1.0))
    ledger.forget("ns")
    assert ledger.scrapes(WORKLOAD, []) == (0, {})
