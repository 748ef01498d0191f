"""What scalers say of themselves, as tables for people and as data for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from proving_ground.autoscaling.scalers import condition_of, status_of
from proving_ground.errors import ProvingGroundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, JustifyMethod

    from proving_ground.kube import Object

LEARNING = {
    "detectedPattern": "pattern",
    "patternConfidence": "confidence",
    "dataPointsCollected": "data points",
    "currentSeasonalFactor": "season",
    "seasonalDataComplete": "week complete",
    "overallAccuracy": "accuracy",
    "directionAccuracy": "direction",
    "recentMAE": "MAE",
    "recentMAPE": "MAPE",
    "calibrationNeeded": "calibrate",
    "lastCalibration": "calibrated",
    "configMapName": "kept in",
    "storageUsed": "size",
}
"""Field of ``status.learningStatus`` -> column."""


def as_data(scalers: Sequence[Object]) -> list[dict[str, Any]]:
    """Return what the tables show, as plain data."""
    return [_entry(scaler) for scaler in sorted(scalers, key=_place)]


def as_json(scalers: Sequence[Object]) -> str:
    """Return what the tables show as JSON text: ``{"scalers": [...]}``."""
    return json.dumps({"scalers": as_data(scalers)}, indent=2, default=str) + "\n"


def _place(scaler: Object) -> tuple[str, str]:
    metadata = scaler["metadata"]
    return str(metadata.get("namespace", "")), str(metadata["name"])


def _entry(scaler: Object) -> dict[str, Any]:
    spec, status = scaler.get("spec") or {}, status_of(scaler)
    ready = condition_of(scaler, "Ready")
    target = spec.get("scaleTargetRef") or {}
    return {
        "namespace": scaler["metadata"].get("namespace", ""),
        "name": scaler["metadata"]["name"],
        "target": f"{target.get('kind', '')}/{target.get('name', '')}",
        "strategy": spec.get("scalingStrategy", ""),
        "min": spec.get("minReplicas"),
        "max": spec.get("maxReplicas"),
        "actual": status.get("actualScale"),
        "desired": status.get("desiredScale"),
        "ready": ready["status"],
        "reason": ready["reason"],
        "message": ready["message"],
        "lastScaleTime": status.get("lastScaleTime"),
        "learning": status.get("learningStatus") or {},
    }


def scaler_table(scalers: Sequence[Object]) -> Table:
    """Return the table of scalers: bounds, what is wanted and what is there, whether they are ready."""
    table = Table(title="BudAIScalers", title_justify="left")
    for heading in (
        "namespace",
        "scaler",
        "target",
        "strategy",
        "min",
        "max",
        "actual",
        "desired",
        "ready",
        "last scale",
    ):
        justify: JustifyMethod = "right" if heading in {"min", "max", "actual", "desired"} else "left"
        table.add_column(heading, justify=justify, overflow="fold")
    for entry in as_data(scalers):
        ready = entry["ready"] or "-"
        why = f" {entry['reason']}: {entry['message']}" if ready != "True" and entry["reason"] else ""
        cells = [entry[name] for name in ("namespace", "name", "target", "strategy", "min", "max", "actual", "desired")]
        table.add_row(*map(_cell, [*cells, f"{ready}{why}", entry["lastScaleTime"]]))
    return table


def learning_table(scalers: Sequence[Object]) -> Table | None:
    """Return the table of what scalers have learned, None where none learns."""
    learners = [entry for entry in as_data(scalers) if entry["learning"]]
    if not learners:
        return None
    table = Table(title="Learning", title_justify="left")
    table.add_column("scaler", overflow="fold")
    shown = [field for field in LEARNING if any(field in entry["learning"] for entry in learners)]
    for field in shown:
        table.add_column(LEARNING[field], overflow="fold")
    for entry in learners:
        table.add_row(_cell(entry["name"]), *(_cell(entry["learning"].get(field)) for field in shown))
    return table


def show(console: Console, scalers: Sequence[Object]) -> None:
    """Print both tables."""
    if not scalers:
        console.print("no BudAIScaler", highlight=False)
        return
    console.print(scaler_table(scalers))
    if (learning := learning_table(scalers)) is not None:
        console.print(learning)


def _cell(value: object) -> Text:
    """Return a cell; what a cluster says is no markup, and its control characters are shown as such."""
    if value is None or value == "":
        return Text("-")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    return Text(str(ProvingGroundError(str(value)[:300])))
