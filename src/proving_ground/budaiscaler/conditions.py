"""The conditions of a scaler: which situations there are, and what is true in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

READY, VALID_SPEC, SCALING_ACTIVE, ABLE_TO_SCALE, CONFLICT = (
    "Ready", "ValidSpec", "ScalingActive", "AbleToScale", "Conflict",
)  # fmt: skip
LONGEST_MESSAGE = 1024


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition without its time."""

    type: str
    status: str
    reason: str
    message: str


def ready(message: str = "") -> tuple[Condition, ...]:
    """Return the conditions of a scaler that works."""
    return (
        Condition(READY, "True", "ScalerReady", message or "the scaler follows its metrics"),
        Condition(VALID_SPEC, "True", "SpecAccepted", "the spec can be followed"),
        Condition(SCALING_ACTIVE, "True", "MetricsAvailable", "every source has a value"),
        Condition(ABLE_TO_SCALE, "True", "TargetFound", "the target can be scaled"),
        Condition(CONFLICT, "False", "NoConflict", "no other scaler has this target"),
    )


def invalid(message: str) -> tuple[Condition, ...]:
    """Return the conditions of a scaler whose spec cannot be followed."""
    return _replaced(
        Condition(READY, "False", "ValidationFailed", message),
        Condition(VALID_SPEC, "False", "ValidationFailed", message),
        Condition(SCALING_ACTIVE, "False", "ValidationFailed", "the spec cannot be followed"),
        Condition(ABLE_TO_SCALE, "Unknown", "ValidationFailed", "the target is not looked at"),
        Condition(CONFLICT, "Unknown", "ValidationFailed", "the target is not looked at"),
    )


def conflict(others: Sequence[str]) -> tuple[Condition, ...]:
    """Return the conditions of a scaler whose target others have too."""
    message = f"the same target belongs to {', '.join(sorted(others))} too"
    return _replaced(
        Condition(READY, "False", "ConflictDetected", message),
        Condition(SCALING_ACTIVE, "False", "ConflictDetected", "nobody scales a target that two scalers have"),
        Condition(ABLE_TO_SCALE, "False", "ConflictDetected", message),
        Condition(CONFLICT, "True", "ConflictDetected", message),
    )


def target_missing(message: str) -> tuple[Condition, ...]:
    """Return the conditions of a scaler whose target is not there."""
    return _replaced(
        Condition(READY, "False", "ReconciliationFailed", message),
        Condition(SCALING_ACTIVE, "False", "TargetNotFound", message),
        Condition(ABLE_TO_SCALE, "False", "TargetNotFound", message),
    )


def metrics_unavailable(message: str) -> tuple[Condition, ...]:
    """Return the conditions of a scaler one of whose sources has no usable value."""
    return _replaced(
        Condition(READY, "False", "ReconciliationFailed", message),
        Condition(SCALING_ACTIVE, "False", "MetricsUnavailable", message),
    )


def scale_failed(message: str) -> tuple[Condition, ...]:
    """Return the conditions of a scaler whose target could not be scaled."""
    return _replaced(
        Condition(READY, "False", "ReconciliationFailed", message),
        Condition(ABLE_TO_SCALE, "False", "ScaleFailed", message),
    )


def dated(
    conditions: Sequence[Condition], stored: Sequence[Json], *, generation: int, now: str
) -> list[dict[str, Any]]:
    """Return conditions as they are stored; lastTransitionTime stays until the status of one changes."""
    known = {str(condition.get("type")): condition for condition in stored}
    return [
        {
            "type": condition.type,
            "status": condition.status,
            "reason": condition.reason,
            "message": condition.message[:LONGEST_MESSAGE],
            "lastTransitionTime": _since(condition, known.get(condition.type), now),
            "observedGeneration": generation,
        }
        for condition in conditions
    ]


def _since(condition: Condition, stored: Json | None, now: str) -> str:
    if stored is not None and stored.get("status") == condition.status and stored.get("lastTransitionTime"):
        return str(stored["lastTransitionTime"])
    return now


def _replaced(*changed: Condition) -> tuple[Condition, ...]:
    by_type = {condition.type: condition for condition in changed}
    return tuple(by_type.get(condition.type, condition) for condition in ready())
