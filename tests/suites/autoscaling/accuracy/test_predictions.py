"""How good predictions are, by what the mock really produced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from proving_ground.autoscaling.accuracy import Thresholds
    from proving_ground.autoscaling.learning import Learning

pytestmark = [pytest.mark.performance, pytest.mark.gpu_0, pytest.mark.feature("prediction accuracy")]

FAST = 240.0
"""A clock with which five minutes, how far predictions look ahead, are some five rounds."""
LOOK_AHEAD = 300.0
"""Seconds of the scaler's clock that predictions look ahead."""
HOURLY = 1500.0
"""A clock with which an hour is some nine rounds."""


@pytest.mark.nightly
async def test_a_trend_is_foretold(autoscaling: Learning, thresholds: Thresholds) -> None:
    """Load that rises and falls steadily is foretold within the thresholds of error and direction."""
    await autoscaling.learner("trend", speed=FAST, mock="vllm-metrics", begin=20)
    rounds = autoscaling.look_ahead_rounds(FAST) * 10
    began = autoscaling.now("trend")
    await autoscaling.ramp("trend", 20, 90, rounds=rounds)
    await autoscaling.ramp("trend", 90, 20, rounds=rounds)
    ended = autoscaling.now("trend")
    # Nobody could foretell the beginning.
    (await autoscaling.accuracy("trend", since=began + 2 * LOOK_AHEAD, until=ended)).within(thresholds)


@pytest.mark.nightly
@pytest.mark.needs_autoscaler_clock
async def test_a_season_is_foretold(autoscaling: Learning, thresholds: Thresholds) -> None:
    """What happened at these hours a week before is foretold, steps included, which no trend could tell."""
    await autoscaling.learner("season", look_ahead=60)
    await autoscaling.mocks.set_noise("season", 0.2)
    for week in (0, 1):
        begin, end = await autoscaling.play_day("season", week, hours=(8, 15), speed=HOURLY)
    (await autoscaling.accuracy("season", since=begin, until=end)).within(thresholds)


@pytest.mark.pre_merge
async def test_reported_accuracy_is_the_real_one(autoscaling: Learning) -> None:
    """The accuracy that the status reports is what follows from the predictions and what the mock produced."""
    await autoscaling.learner("honest", speed=FAST, mock="vllm-metrics")
    rounds = autoscaling.look_ahead_rounds(FAST)
    async with autoscaling.varying("honest", [30, 80, 45, 90, 25, 70], every=rounds, once=True) as varied:
        await varied
    measured = await autoscaling.accuracy("honest")
    # What is reported goes on while it is measured: some predictions more are in it.
    measured.agrees_with(await autoscaling.scalers.status("honest"), percent=25, absolute=8)


@pytest.mark.weekly
@pytest.mark.needs_autoscaler_clock
async def test_a_whole_day_is_foretold(autoscaling: Learning, thresholds: Thresholds) -> None:
    """A day with its night, two peaks and what lies between is foretold from the same day a week before."""
    await autoscaling.learner("whole-day", look_ahead=60)
    await autoscaling.mocks.set_noise("whole-day", 0.2)
    for week in (0, 1):
        begin, end = await autoscaling.play_day("whole-day", week, hours=(0, 24), speed=HOURLY)
    (await autoscaling.accuracy("whole-day", since=begin, until=end)).within(thresholds)
