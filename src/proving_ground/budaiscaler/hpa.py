"""Strategy HPA: a HorizontalPodAutoscaler that does what the scaler asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from proving_ground.budaiscaler.faults import Fault
from proving_ground.budaiscaler.fields import SpecError
from proving_ground.budaiscaler.owned import label_value, owner_references

if TYPE_CHECKING:
    from proving_ground.budaiscaler.behavior import Behavior
    from proving_ground.budaiscaler.source_spec import Source
    from proving_ground.budaiscaler.spec import ScalerSpec

Json = Mapping[str, Any]

MANAGED_BY, MANAGER = "app.kubernetes.io/managed-by", "budaiscaler"
SCALER_LABEL = "scaler.bud.studio/scaler"
_LONGEST_PERIOD, _LONGEST_WINDOW = 1800, 3600
"""Seconds that autoscaling/v2 allows."""


def name_of(scaler: str) -> str:
    """Return the name of a scaler's HorizontalPodAutoscaler."""
    return f"{scaler}-hpa"


def autoscaler(scaler: Json, spec: ScalerSpec, *, speed: float, faults: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the HorizontalPodAutoscaler of a scaler, which owns it.

    Args:
        scaler: The BudAIScaler.
        spec: What it asks for.
        speed: Simulated seconds in a second: Kubernetes counts its windows and periods in real ones.
        faults: The faults that the scaler shows.

    Raises:
        SpecError: A source is of a type that a HorizontalPodAutoscaler does not know.
    """
    metadata = scaler["metadata"]
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": name_of(metadata["name"]),
            "namespace": metadata["namespace"],
            "labels": {MANAGED_BY: MANAGER, SCALER_LABEL: label_value(scaler)},
            "ownerReferences": owner_references(scaler),
        },
        "spec": {
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": spec.target.kind,
                "name": spec.target.name,
            },
            "minReplicas": max(1, spec.minimum),
            "maxReplicas": spec.maximum,
            "metrics": [_metric(index, source) for index, source in enumerate(spec.sources)],
            "behavior": {
                "scaleUp": _behavior(spec.up, speed, never=Fault.NEVER_SCALES_UP in faults),
                "scaleDown": _behavior(spec.down, speed, never=Fault.NEVER_SCALES_DOWN in faults),
            },
        },
    }


def _metric(index: int, source: Source) -> dict[str, Any]:
    match source.type:
        case "resource" if not source.unit:
            target: dict[str, Any] = {"type": "Utilization", "averageUtilization": max(1, round(source.target))}
            return {"type": "Resource", "resource": {"name": source.metric, "target": target}}
        case "resource":
            text = f"{source.target:.0f}" + ("m" if source.unit == "millicores" else "")
            target = {"type": "AverageValue", "averageValue": text}
            return {"type": "Resource", "resource": {"name": source.metric, "target": target}}
        case "custom":
            target = {"type": "AverageValue", "averageValue": _quantity(source.target)}
            return {"type": "Pods", "pods": {"metric": {"name": source.metric}, "target": target}}
        case "external":
            target = {"type": "Value", "value": _quantity(source.target)}
            return {"type": "External", "external": {"metric": {"name": source.metric}, "target": target}}
        case _:
            raise SpecError(
                f"spec.metricsSources[{index}].metricSourceType: expected resource, custom or external, which are all "
                f'that strategy HPA knows, found "{source.type}"'
            )


def _quantity(value: float) -> str:
    return f"{value:.0f}" if value == round(value) else f"{max(1, round(value * 1000))}m"


def _behavior(behavior: Behavior, speed: float, *, never: bool) -> dict[str, Any]:
    rules: dict[str, Any] = {
        "stabilizationWindowSeconds": min(math.ceil(behavior.window / speed), _LONGEST_WINDOW),
        "selectPolicy": "Disabled" if never else behavior.select,
    }
    if behavior.policies:
        rules["policies"] = [
            {
                "type": policy.type,
                "value": max(1, policy.value),
                "periodSeconds": min(max(1, math.ceil(policy.period / speed)), _LONGEST_PERIOD),
            }
            for policy in behavior.policies
        ]
    return rules
