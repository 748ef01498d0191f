"""What the autoscaler refuses: specs that cannot work, and two scalers of one target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from proving_ground.autoscaling.verification import Autoscaling

pytestmark = [pytest.mark.contract, pytest.mark.gpu_0, pytest.mark.feature("autoscaling validation")]

WRONG: dict[str, dict[str, Any]] = {
    "two-clusters": {"multiClusterConfig": {"enabled": True, "targetClusters": ["elsewhere"]}},
    "cron": {"scheduleHints": [{"name": "h", "cronExpression": "61 9 * * *", "duration": "1h", "targetReplicas": 2}]},
    "duration": {
        "scheduleHints": [{"name": "h", "cronExpression": "0 9 * * *", "duration": "soon", "targetReplicas": 2}]
    },
    "bounds": {"minReplicas": 4, "maxReplicas": 2},
}


@pytest.mark.nightly
@pytest.mark.parametrize("wrong", WRONG)
async def test_spec_is_refused_for_its(autoscaling: Autoscaling, wrong: str) -> None:
    """A spec that cannot work is told as such, and scales nothing."""
    name = f"refused-{wrong}"
    await autoscaling.hollow(name, replicas=3)
    async with autoscaling.watched(name) as seen:
        await autoscaling.scaler(name, ready=False, **WRONG[wrong])
        await autoscaling.not_ready(name, "ValidationFailed")
        seen.unchanged()


@pytest.mark.nightly
async def test_two_scalers_of_one_target_are_a_conflict(autoscaling: Autoscaling) -> None:
    """Two scalers of one target are both told of the conflict; when one goes, the other one works."""
    await autoscaling.hollow("contested")
    await autoscaling.scaler("contested")
    await autoscaling.scaler("rival", workload="contested", ready=False)
    await autoscaling.not_ready("contested", "ConflictDetected")
    await autoscaling.not_ready("rival", "ConflictDetected")
    await autoscaling.scalers.delete("rival")
    await autoscaling.scalers.wait_ready("contested")


@pytest.mark.pre_merge
async def test_api_has_its_defaults_and_limits(autoscaling: Autoscaling) -> None:
    """The API server fills in what is not said, and refuses what its schema forbids."""
    made = await autoscaling.dry_run("schema", {"minReplicas": None})
    spec = made["spec"]
    assert (spec["minReplicas"], spec["scalingStrategy"]) == (1, "BudScaler")
    for wrong in ({"scalingStrategy": "Fastest"}, {"maxReplicas": 0}, {"metricsSources": []}):
        with pytest.raises(autoscaling.refusal):
            await autoscaling.dry_run("schema", wrong)
