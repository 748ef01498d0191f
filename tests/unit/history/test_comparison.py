from __future__ import annotations

import math

import pytest

from proving_ground.history.comparison import Sample, compare, holm, prior_variance
from tests.unit.history.made import seeded


def samples(
    seed: int, *, noise: float = 0.03, factor: float = 1.0, shared: float = 0.0, count: int = 40
) -> list[Sample]:
    """Forty metrics of ten and three runs; the first of the candidate's is changed by a factor."""
    chance = seeded(seed)
    days = [chance.gauss(0, 1) for _ in range(13)]
    found = []
    for number in range(count):
        runs = [
            100 * math.exp(noise * (math.sqrt(shared) * day + math.sqrt(1 - shared) * chance.gauss(0, 1)))
            for day in days
        ]
        found.append(Sample("lower", runs[:10], [value * (1.0 if number else factor) for value in runs[10:]]))
    return found


def alarms(found: list[Sample]) -> list[bool]:
    adjusted = holm([one.p_worse if one else 1.0 for one in compare(found)])
    return [p <= 0.01 for p in adjusted]


def test_runs_without_change_hardly_ever_alarm() -> None:
    assert sum(any(alarms(samples(seed))) for seed in range(150)) <= 5


def test_a_regression_of_one_metric_is_found_and_only_there() -> None:
    found = [alarms(samples(seed, factor=1.15)) for seed in range(40)]
    assert sum(one[0] for one in found) >= 39
    assert sum(any(one[1:]) for one in found) <= 2


def test_a_regression_hidden_in_what_all_metrics_share_is_found() -> None:
    shared = [samples(seed, factor=1.1, noise=0.05, shared=0.9) for seed in range(40)]
    lone = [samples(seed, factor=1.1, noise=0.05) for seed in range(40)]
    assert sum(alarms(one)[0] for one in shared) > 2 * sum(alarms(one)[0] for one in lone)


def test_what_all_metrics_share_is_told() -> None:
    assert compare(samples(3, shared=0.8))[0].shared > 0.5  # type: ignore[union-attr]
    assert compare(samples(3))[0].shared == 0.0  # type: ignore[union-attr]


def test_metrics_that_stay_are_no_regression_where_all_others_improve() -> None:
    found = samples(5, shared=0.8)
    better = [Sample("lower", s.baseline, [v * 0.7 for v in s.candidate if v]) for s in found[:35]] + found[35:]
    assert not any(alarms(better)[35:])


def test_higher_is_worse_or_better_as_the_metric_says() -> None:
    chance = seeded(1)
    before = [100 * math.exp(chance.gauss(0, 0.01)) for _ in range(10)]
    found = compare([Sample("higher", before, [80.0, 81, 80]), Sample("lower", before, [80.0, 81, 80])])
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].worse == pytest.approx(0.2, abs=0.01)
    assert found[1].worse == pytest.approx(-0.2, abs=0.01)
    assert found[0].p_worse == pytest.approx(found[1].p_better)
    assert found[0].p_worse < 1e-6


def test_the_centre_of_positive_values_is_geometric() -> None:
    found = compare([Sample("lower", [50.0, 200.0], [100.0])])[0]
    assert found is not None
    assert (found.before, found.after, found.worse) == pytest.approx((100, 100, 0))


def test_values_with_zeros_are_compared_as_they_are() -> None:
    found = compare([Sample("lower", [0.0] * 10, [0.2, 0.21, 0.19]), Sample("lower", [0.0] * 5, [0.0, 0.0])])
    assert found[0] is not None
    assert found[1] is not None
    assert not found[0].logarithmic
    assert found[0].worse == math.inf
    assert found[0].p_worse < 1e-6
    assert (found[1].worse, found[1].p_worse) == (0.0, 0.5)


def test_equal_runs_are_given_the_least_noise() -> None:
    found = compare([Sample("lower", [100.0] * 4, [100.05])])[0]
    assert found is not None
    assert found.p_worse > 0.1


def test_two_runs_are_not_compared() -> None:
    assert compare([Sample("lower", [1.0], [2.0]), Sample("lower", [], [1.0, 2.0, 3.0])]) == [None, None]


def test_runs_that_lack_a_metric_are_left_out_of_it() -> None:
    found = compare([Sample("lower", [100.0, None, 101.0, 99.0], [None, 100.0])])[0]
    assert found is not None
    assert found.runs == (3, 1)


def test_metrics_with_much_the_same_spread_share_it() -> None:
    chance = seeded(2)
    found = [(0.001 * chance.gammavariate(5.5, 1) / 5.5, 11) for _ in range(40)]
    degrees, variance = prior_variance(found)
    assert degrees > 50
    assert variance == pytest.approx(0.001, rel=0.15)


def test_metrics_with_nothing_in_common_keep_their_own_spread() -> None:
    assert prior_variance([(10.0 ** (number % 8 - 8), 11) for number in range(40)]) == (0.0, 0.0)
    assert prior_variance([(0.001, 11)] * 4) == (0.0, 0.0)


def test_holm_multiplies_by_what_is_left_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
