"""The load test of a run is taken from what its checks measured."""

from __future__ import annotations

from proving_ground.contracts.results import Test
from proving_ground.report.load import load_test_of

FULL = {"requests_per_second": 12.5, "p50_latency_ms": 80.0, "p95_latency_ms": 150.0, "error_rate": 0.001}


def check(metrics: dict[str, float]) -> Test:
    return Test(name="a", status="passed", duration=1, id="s/a", suite="s", metrics=metrics)


def test_the_first_check_that_has_all_of_it_tells_the_load_test() -> None:
    found = load_test_of(
        [check({"error_rate": 1.0}), check({**FULL, "other": 1.0}), check({**FULL, "error_rate": 1.0})]
    )
    assert found is not None
    assert found.model_dump(exclude_none=True) == FULL


def test_a_run_without_load_has_no_load_test() -> None:
    assert load_test_of([check({}), check({"p50_latency_ms": 1.0})]) is None
