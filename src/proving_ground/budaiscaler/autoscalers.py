"""Strategy HPA on the API server: has the HorizontalPodAutoscaler, and reports what it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from proving_ground.budaiscaler import conditions, hpa
from proving_ground.budaiscaler.fields import SpecError
from proving_ground.budaiscaler.spec import HPA
from proving_ground.budaiscaler.status import Report, ScaleRecord

if TYPE_CHECKING:
    from proving_ground.budaiscaler.tracking import Scene, Tracked
    from proving_ground.kube.operator_api import Api

Json = Mapping[str, Any]

_FAILING = ("AbleToScale", "ScalingActive")


class Autoscalers:
    """The HorizontalPodAutoscalers of scalers.

    Args:
        api: Requests to the API server.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    async def follow(self, scene: Scene) -> Report:
        """Have the HorizontalPodAutoscaler of a scaler, and report what it decided.

        Raises:
            ApiError: The API server refused, or OSError where it cannot be reached.
        """
        tracked = scene.tracked
        try:
            wanted = hpa.autoscaler(tracked.scaler, scene.spec, speed=tracked.clock.speed, faults=scene.faults)
        except SpecError as error:
            return Report(conditions.invalid(str(error)))
        found = await self._find(tracked)
        if found is not None and not _owned(found, tracked.scaler):
            name = hpa.name_of(tracked.scaler["metadata"]["name"])
            message = f"HorizontalPodAutoscaler {name} belongs to somebody else"
            return Report(conditions.scale_failed(message), actual=scene.actual)
        generation = tracked.scaler["metadata"].get("generation", 1)
        if found is None:
            found = await self._api.create(self._path(tracked).rpartition("/")[0], wanted)
        elif tracked.hpa_applied != generation:
            found = await self._api.merge(self._path(tracked), wanted)
        tracked.hpa_applied = generation
        return self._report(scene, found)

    async def leave(self, scene: Scene) -> None:
        """Remove the HorizontalPodAutoscaler of a scaler whose strategy is another one now.

        Raises:
            ApiError: The API server refused, or OSError where it cannot be reached.
        """
        tracked = scene.tracked
        generation = tracked.scaler["metadata"].get("generation", 1)
        if generation in {tracked.hpa_applied, 1}:
            return
        found = await self._find(tracked)
        if found is not None and _owned(found, tracked.scaler):
            await self._api.delete(self._path(tracked), found["metadata"]["uid"])
        tracked.hpa_applied = generation

    def _report(self, scene: Scene, found: Json) -> Report:
        status, tracked = found.get("status") or {}, scene.tracked
        told = conditions.ready()
        for condition in status.get("conditions") or ():
            if condition.get("type") in _FAILING and condition.get("status") == "False":
                told = conditions.metrics_unavailable(f"HorizontalPodAutoscaler: {condition.get('message', '')}")
        desired = status.get("desiredReplicas")
        if tracked.hpa_scale is None:
            stored = (tracked.scaler.get("status") or {}).get("desiredScale")
            tracked.hpa_scale = stored or scene.workload.replicas
        if not desired:  # it has not looked yet
            return Report(told, actual=scene.actual)
        previous, tracked.hpa_scale = tracked.hpa_scale, desired
        if desired != previous:
            tracked.record(ScaleRecord(scene.now, previous, desired, HPA, "the HorizontalPodAutoscaler decided"))
        return Report(
            told, actual=scene.actual, desired=desired, last_scale=tracked.last_scale, history=tuple(tracked.history)
        )

    async def _find(self, tracked: Tracked) -> dict[str, Any] | None:
        return await self._api.find(self._path(tracked))

    @staticmethod
    def _path(tracked: Tracked) -> str:
        metadata = tracked.scaler["metadata"]
        collection = f"/apis/autoscaling/v2/namespaces/{metadata['namespace']}/horizontalpodautoscalers"
        return f"{collection}/{hpa.name_of(metadata['name'])}"


def _owned(found: Json, scaler: Json) -> bool:
    owners = found["metadata"].get("ownerReferences") or ()
    return any(owner.get("uid") == scaler["metadata"]["uid"] for owner in owners)
