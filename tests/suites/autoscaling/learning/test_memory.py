"""What the autoscaler collects, keeps and remembers."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from proving_ground.autoscaling.learning import Learning

pytestmark = [pytest.mark.integration, pytest.mark.gpu_0, pytest.mark.feature("autoscaling memory")]

KEYS = {"seasonal_profiles.json", "pattern_detector.json", "accuracy_tracker.json", "metadata.json"}
FAST = 240.0
"""A clock with which five minutes, how far predictions look ahead, are some five rounds."""


@pytest.mark.pre_merge
async def test_data_points_are_collected(autoscaling: Learning) -> None:
    """Each look at the metrics is a data point, and the status counts them."""
    await autoscaling.learner("collects")
    before = await autoscaling.data_points("collects", lambda n: n > 0)
    await autoscaling.rounds("collects", 10)
    await autoscaling.data_points("collects", lambda n: n >= before + 8)


@pytest.mark.nightly
async def test_memory_is_kept_in_a_configmap(autoscaling: Learning) -> None:
    """What was learned is in a ConfigMap that belongs to the scaler, under the keys that its API names."""
    await autoscaling.learner("keeps")
    found = await autoscaling.memory("keeps")
    labels, annotations = found["metadata"]["labels"], found["metadata"]["annotations"]
    assert labels["scaler.bud.studio/learning-data"] == "true"
    assert labels["scaler.bud.studio/scaler-name"] == "keeps"
    assert {"scaler.bud.studio/last-updated", "scaler.bud.studio/version"} <= set(annotations)
    owner = found["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"]) == ("BudAIScaler", "keeps")
    assert set(found["data"]) >= KEYS
    assert all(isinstance(json.loads(found["data"][key]), dict) for key in KEYS)
    told = await autoscaling.learning("keeps", lambda s: bool(s.get("configMapName")), "the ConfigMap's name")
    assert told["configMapName"] == "keeps-learning-data"
    assert told["storageUsed"]


@pytest.mark.nightly
@pytest.mark.needs_disturb
async def test_memory_survives_a_restart(autoscaling: Learning, disturb: Callable[..., Awaitable[None]]) -> None:
    """A controller that was restarted knows what it knew before."""
    await autoscaling.learner("survives")
    await autoscaling.rounds("survives", 12)
    before = await autoscaling.kept("survives", points=10)
    await disturb("restart_program", program="budaiscaler")
    after = await autoscaling.kept("survives", since=time.time())
    assert after["createdAt"] == before["createdAt"], f"before the restart {before}, after it {after}"
    assert after["dataPointCount"] >= before["dataPointCount"], f"before the restart {before}, after it {after}"


@pytest.mark.nightly
async def test_memory_is_taken_up_again(autoscaling: Learning) -> None:
    """A scaler that is made anew takes up what one of its name has left."""
    await autoscaling.learner("returns")
    await autoscaling.rounds("returns", 12)
    before = await autoscaling.kept("returns", points=10)
    await autoscaling.dismiss("returns")
    await autoscaling.learner("returns", workload=False)
    first = await autoscaling.data_points("returns", lambda n: n > 0)
    assert first >= before["dataPointCount"], f"{before} was kept, the new scaler begins with {first} data points"


@pytest.mark.nightly
async def test_calibration_is_asked_for_where_predictions_fail(autoscaling: Learning) -> None:
    """Traffic that nobody can foretell makes calibrationNeeded true, and the last calibration is told."""
    await autoscaling.learner("erratic", speed=FAST)
    async with autoscaling.varying("erratic", [20, 90, 35, 70, 15, 95, 50, 25], every=2):
        status = await autoscaling.learning(
            "erratic", lambda s: s.get("calibrationNeeded") is True, "calibrationNeeded"
        )
    assert status["lastCalibration"]


@pytest.mark.nightly
@pytest.mark.needs_autoscaler_clock
async def test_seasons_are_learned(autoscaling: Learning) -> None:
    """Over simulated days each hour of the week gets its own level, and the factor tells it."""
    await autoscaling.learner("seasons")
    await autoscaling.mocks.set_noise("seasons", 0.2)
    hours = (12, 10, 15, 3)
    factors: dict[int, float] = {}
    for day in (1, 2):
        for hour in hours:
            await autoscaling.at_hour("seasons", day, hour)
            await autoscaling.rounds("seasons", 4)
            factors[hour] = await autoscaling.seasonal_factor("seasons")
    ordered = sorted(hours, key=lambda hour: factors[hour])
    assert ordered == [3, 12, 10, 15], f"night < noon < morning < afternoon, found {factors}"
    assert factors[15] > 1.1, f"found {factors}"
    assert factors[3] < 0.9, f"found {factors}"


@pytest.mark.nightly
@pytest.mark.needs_autoscaler_clock
async def test_seasons_are_complete_when_every_hour_is_known(autoscaling: Learning) -> None:
    """seasonalDataComplete is told when each of the 168 hours of a week was seen often enough, not before."""
    hour = (1, 10)
    await autoscaling.learner("complete", hour=hour)
    await autoscaling.kept("complete")
    await autoscaling.dismiss("complete")
    await autoscaling.rewrite_season("complete", hour, observations=2)
    await autoscaling.learner("complete", hour=hour, workload=False)
    await autoscaling.learning("complete", lambda s: s.get("seasonalDataComplete") is False, "an incomplete week")
    await autoscaling.learning("complete", lambda s: s.get("seasonalDataComplete") is True, "a complete week")


@pytest.mark.weekly
@pytest.mark.needs_autoscaler_clock
async def test_seasons_of_a_week_are_learned_hour_by_hour(autoscaling: Learning) -> None:
    """A week of traffic, seen ten times an hour and more, is a complete week, and not a day earlier."""
    speed = 3600 / (12 * autoscaling.cadence.reconcile)
    await autoscaling.learner("week", hour=(1, 0), speed=speed)
    await autoscaling.mocks.set_time("week", day=1, hour=0, minute=30, speed=speed)
    await autoscaling.until("week", days=6)
    told = await autoscaling.scalers.learning("week")
    assert told["seasonalDataComplete"] is False, f"found {told} on the last day but one"
    await autoscaling.until("week", days=8)
    await autoscaling.learning("week", lambda s: s.get("seasonalDataComplete") is True, "a complete week")
