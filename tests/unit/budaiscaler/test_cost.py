from __future__ import annotations

import math

import pytest

from proving_ground.budaiscaler.cost import PRICES, Cost, CostReport, cost_ceiling, cost_report


@pytest.mark.parametrize(
    ("cost", "ceiling"),
    [
        (Cost(enabled=True, per_hour=3.0, prefer_spot=True), 9),
        (Cost(enabled=True, per_hour=3.0), 2),
        (Cost(enabled=True, per_hour=8.37, prefer_spot=True), 27),  # an exact multiple, though 8.37 / 0.31 is below 27
        (Cost(enabled=True, per_day=24.48), 1),
        (Cost(enabled=True, per_hour=10.0, per_day=48.96), 2),  # the smaller budget counts
        (Cost(enabled=True, per_hour=0.5), 0),
        (Cost(enabled=True, per_hour=1e300), 2**31 - 1),
        (Cost(enabled=True), None),
        (Cost(enabled=False, per_hour=3.0), None),
        (Cost(enabled=True, provider="gcp", per_hour=1.42), 2),
        (Cost(enabled=True, provider="azure", per_hour=1.06, prefer_spot=True), 5),
    ],
)
def test_the_ceiling_is_what_the_budget_pays_for(cost: Cost, ceiling: int | None) -> None:
    assert cost_ceiling(cost) == ceiling


def test_the_report_counts_on_demand_instances() -> None:
    report = cost_report(Cost(enabled=True, per_hour=4.08), 2)
    assert report == CostReport(hourly=2.04, daily=pytest.approx(48.96), utilization=50, on_demand=2, spot=0)


def test_the_report_counts_spot_instances() -> None:
    report = cost_report(Cost(enabled=True, prefer_spot=True), 3)
    assert report == CostReport(pytest.approx(0.93), pytest.approx(22.32), utilization=0, on_demand=0, spot=3)


def test_nothing_costs_nothing() -> None:
    assert cost_report(Cost(enabled=True, per_hour=3.0), 0) == CostReport(0.0, 0.0, 0, 0, 0)


def test_a_tiny_budget_has_a_finite_utilization() -> None:
    report = cost_report(Cost(enabled=True, per_hour=1e-300), 2**31 - 1)
    assert report is not None
    assert math.isfinite(report.daily)
    assert report.utilization == 2**31 - 1


def test_a_scaler_that_does_not_ask_has_no_report() -> None:
    assert cost_report(Cost(per_hour=3.0), 2) is None


def test_a_spot_instance_is_cheaper_everywhere() -> None:
    assert all(0 < price.spot < price.on_demand for price in PRICES.values())
