from __future__ import annotations

import pytest

from proving_ground.history.records import MOST_VALUES
from proving_ground.history.summary import Summary, kept, packed, unpacked


def test_percentiles_lie_between_order_statistics() -> None:
    summary = Summary.of([4.0, 1.0, 3.0, 2.0])
    assert (summary.median, summary.p90, summary.minimum, summary.maximum) == pytest.approx((2.5, 3.7, 1, 4))
    assert (summary.count, summary.mean) == (4, 2.5)


def test_a_single_value_is_every_statistic() -> None:
    summary = Summary.of([7.0])
    assert {summary.get(name) for name in ("mean", "median", "p99", "minimum")} == {7.0}


def test_few_values_are_kept_in_their_order() -> None:
    assert kept([3.0, 1.0, 2.0]) == (3.0, 1.0, 2.0)


def test_many_values_are_kept_as_order_statistics_of_the_same_distribution() -> None:
    values = [float(number) for number in range(10 * MOST_VALUES)]
    few = kept(values)
    assert len(few) == MOST_VALUES
    assert Summary.of(few).p99 == pytest.approx(Summary.of(values).p99, rel=0.001)
    assert (few[0], few[-1]) == (values[0], values[-1])


def test_packed_values_come_back_exactly() -> None:
    values = (0.1, -1e-300, 1e300, 3.0)
    assert unpacked(packed(values)) == values
