"""The fault accepts-anything: what is left of a spec that cannot be followed."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from proving_ground.budaiscaler.spec import SpecError, read_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from proving_ground.budaiscaler.spec import ScalerSpec

Json = Mapping[str, Any]

OPTIONAL = (
    "multiClusterConfig", "subTargetSelector", "scheduleHints", "behavior", "costConfig", "gpuConfig",
    "predictionConfig",
)  # fmt: skip
TARGET_VALUE = "1"


def usable_part(scaler: Json) -> ScalerSpec | None:
    """Return the spec with defaults for what is broken; None where even that says nothing."""
    rest: dict[str, Any] = copy.deepcopy({"metadata": {}, **scaler})
    for repair in (_without_annotations, *map(_without, OPTIONAL), _bounds, _sources):
        try:
            return read_spec(rest)
        except SpecError:
            repair(rest)
    try:
        return read_spec(rest)
    except SpecError:
        return None


def _without_annotations(scaler: dict[str, Any]) -> None:
    scaler["metadata"]["annotations"] = {}


def _without(field: str) -> Callable[[dict[str, Any]], None]:
    return lambda scaler: scaler["spec"].pop(field, None)


def _bounds(scaler: dict[str, Any]) -> None:
    spec = scaler["spec"]
    spec["minReplicas"] = min(spec.get("minReplicas", 1), spec["maxReplicas"])


def _sources(scaler: dict[str, Any]) -> None:
    for source in scaler["spec"]["metricsSources"]:
        source |= {"metricSourceType": "pod", "targetValue": TARGET_VALUE}
        for name in ("port", "path", "endpoint", "protocolType", "headers"):
            source.pop(name, None)
