from __future__ import annotations

import math

import pytest

from proving_ground.history.comparison import Sample, compare, holm
from proving_ground.history.power import Sensitivity
from tests.unit.history.made import seeded


def test_more_noise_takes_more_runs() -> None:
    found = [Sensitivity(noise, 1e6, 0.01, 40).needed(0.1, 10, 3) for noise in (0.01, 0.03, 0.05)]
    assert found[0] == (10, 3)
    assert found[1] is not None
    assert found[2] is not None
    assert sum(found[0] or ()) < sum(found[1]) < sum(found[2])


def test_what_can_never_be_found_is_told_as_none() -> None:
    assert Sensitivity(2.0, 0.0, 0.01, 40).needed(0.01, 10, 3) is None


def test_what_is_detectable_shrinks_with_runs() -> None:
    noise = Sensitivity(0.03, 0.0, 0.01, 40)
    assert noise.detectable(30, 10) < noise.detectable(10, 3) < noise.detectable(3, 1)


def test_the_runs_that_it_asks_for_find_the_change() -> None:
    needed = Sensitivity(0.03, 1e6, 0.01, 40).needed(0.1, 10, 3)
    assert needed is not None
    chance = seeded(4)
    found = 0
    for _ in range(100):
        metrics = []
        for number in range(40):
            runs = [math.exp(chance.gauss(0, 0.03)) for _ in range(sum(needed))]
            later = [value * (1.1 if number == 0 else 1.0) for value in runs[needed[0] :]]
            metrics.append(Sample("lower", runs[: needed[0]], later))
        adjusted = holm([one.p_worse if one else 1.0 for one in compare(metrics)])
        found += adjusted[0] <= 0.01
    assert found >= 90


def test_a_single_comparison_takes_fewer_runs_than_forty() -> None:
    one, forty = (Sensitivity(0.05, 1e6, 0.01, tests).needed(0.1, 10, 1) for tests in (1, 40))
    assert one is not None
    assert forty is not None
    assert one[1] < forty[1] or one[0] < forty[0]
    assert one == pytest.approx(one)
