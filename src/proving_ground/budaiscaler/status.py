"""The status of a scaler: what one pass found, as the API server stores it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from proving_ground.budaiscaler.clock import format_time
from proving_ground.budaiscaler.conditions import Condition, dated

if TYPE_CHECKING:
    from proving_ground.budaiscaler.cost import CostReport
    from proving_ground.budaiscaler.gpu import GpuReading

Json = Mapping[str, Any]

HISTORY = 10
"""Entries of ``status.scalingHistory``, as its schema limits it."""

LONGEST_REASON = 512

SLOW = frozenset({"learningStatus", "gpuStatus", "predictionStatus"})
"""Parts that can change with every pass; alone they are written with every fourth pass only."""

PROMPT = ("detectedPattern", "calibrationNeeded", "lastCalibration", "configMapName")
"""Fields of the slow parts whose change is written at once."""


@dataclass(frozen=True, slots=True)
class ScaleRecord:
    """An entry of ``status.scalingHistory``."""

    time: float
    """Simulated seconds."""
    previous: int
    new: int
    algorithm: str
    reason: str
    success: bool = True
    error: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What one pass found. None leaves what is stored, and an empty part takes it away."""

    conditions: tuple[Condition, ...]
    actual: int | None = None
    desired: int | None = None
    last_scale: float | None = None
    history: tuple[ScaleRecord, ...] | None = None
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """``gpuStatus``, ``costStatus``, ``predictionStatus``, ``learningStatus``."""


def wanted(report: Report, stored: Json, *, generation: int, now: float) -> dict[str, Any]:
    """Return the whole status that is to be stored.

    Args:
        report: What the pass found.
        stored: The status as it is stored.
        generation: Generation of the spec that was acted on.
        now: Simulated seconds, for conditions that changed.
    """
    status = dict(stored)
    status["conditions"] = dated(
        report.conditions, stored.get("conditions") or (), generation=generation, now=format_time(now)
    )
    if report.actual is not None:
        status["actualScale"] = report.actual
    if report.desired is not None:
        status["desiredScale"] = report.desired
    if report.last_scale is not None:
        status["lastScaleTime"] = format_time(report.last_scale)
    if report.history is not None:
        status["scalingHistory"] = [history_entry(record) for record in report.history[-HISTORY:]]
    for name, part in report.parts.items():
        status.pop(name, None)
        if part:
            status[name] = dict(part)
    return status


def changes(stored: Json, status: Json) -> dict[str, Any]:
    """Return the merge patch (RFC 7396) that turns one object into another; empty where nothing changes."""
    patch: dict[str, Any] = {key: None for key in stored if key not in status}
    for key, value in status.items():
        old = stored.get(key)
        if old == value:
            continue
        patch[key] = changes(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return patch


def is_urgent(patch: Json) -> bool:
    """Return whether a patch has more than what changes with every pass anyway."""
    if not patch.keys() <= SLOW:
        return True
    return any(name in (part or {}) or part is None for part in patch.values() for name in PROMPT)


def history_entry(record: ScaleRecord) -> dict[str, Any]:
    """Return an entry of ``status.scalingHistory``."""
    entry = {
        "timestamp": format_time(record.time),
        "previousScale": record.previous,
        "newScale": record.new,
        "algorithm": record.algorithm,
        "reason": record.reason[:LONGEST_REASON],
        "success": record.success,
    }
    return entry | ({"error": record.error[:LONGEST_REASON]} if record.error else {})


def gpu_part(reading: GpuReading | None) -> dict[str, Any]:
    """Return ``status.gpuStatus``."""
    if reading is None:
        return {}
    part: dict[str, Any] = {
        "averageComputeUtilization": round(reading.compute),
        "averageMemoryUtilization": round(reading.memory),
        "totalGPUs": reading.count,
    }
    return part | ({"gpuType": reading.model} if reading.model else {})


def cost_part(report: CostReport | None) -> dict[str, Any]:
    """Return ``status.costStatus``."""
    if report is None:
        return {}
    return {
        "currentHourlyCost": f"{report.hourly:.2f}",
        "projectedDailyCost": f"{report.daily:.2f}",
        "budgetUtilization": report.utilization,
        "onDemandInstancesInUse": report.on_demand,
        "spotInstancesInUse": report.spot,
    }


def prediction_part(
    *, replicas: int | None, confidence: float | None, hint: str, next_change: float | None
) -> dict[str, Any]:
    """Return ``status.predictionStatus``: what is expected, and what schedule hints say."""
    part: dict[str, Any] = {}
    if replicas is not None and confidence is not None:
        part |= {"predictedReplicas": replicas, "predictionConfidence": f"{confidence:.2f}"}
    if hint:
        part["activeScheduleHint"] = hint
    if next_change is not None:
        part["nextPredictedChange"] = format_time(next_change)
    return part


def read_history(status: Json, parse: Any) -> tuple[ScaleRecord, ...]:
    """Return what ``status.scalingHistory`` tells; entries that cannot be read are left out.

    Args:
        status: The status as it is stored.
        parse: Returns the seconds of a timestamp, or raises ValueError.
    """
    records = []
    entries: Sequence[Json] = status.get("scalingHistory") or ()
    for entry in entries:
        try:
            records.append(
                ScaleRecord(
                    time=parse(str(entry["timestamp"])),
                    previous=int(entry["previousScale"]),
                    new=int(entry["newScale"]),
                    algorithm=str(entry["algorithm"]),
                    reason=str(entry["reason"]),
                    success=bool(entry["success"]),
                    error=str(entry.get("error", "")),
                )
            )
        except (KeyError, TypeError, ValueError):
            continue
    return tuple(records)
