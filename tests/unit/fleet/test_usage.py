from __future__ import annotations

import datetime as dt
import math

import pytest

from proving_ground.fleet.usage import metric_value, quantity, usage
from proving_ground.fleet.views import pod_view

NOW = dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC)
POD = pod_view({"metadata": {"namespace": "ns", "name": "p", "uid": "1"}, "spec": {}})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (5.0, "5"),
        (0.85, "850m"),
        (0.0004, "0"),
        (-1.5, "-1500m"),
        (1e308, "1000000000000000"),
        (2e3, "2000"),
    ],
)
def test_a_quantity_has_thousandths(value: float, text: str) -> None:
    assert quantity(value) == text


def test_usage_is_told_in_the_units_of_the_api() -> None:
    assert usage(0.5, 1025) == {"cpu": "500000n", "memory": "1025"}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_no_quantity_holds_is_left_out(value: float) -> None:
    assert metric_value(POD, "m", value, "v1beta2", NOW) is None
