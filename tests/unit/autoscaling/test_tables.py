"""What scalers say, as tables and as data."""

from __future__ import annotations

import io
import json
from typing import Any

from rich.console import Console

from proving_ground.autoscaling import tables


def shown(scalers: list[dict[str, Any]]) -> str:
    stream = io.StringIO()
    tables.show(Console(file=stream, width=400), scalers)
    return stream.getvalue()


def test_a_scaler_is_shown_with_its_bounds_and_scales(make: Any) -> None:
    scaler = make.scaler(conditions=make.ready, desiredScale=3, actualScale=2)
    scaler["spec"] |= {"minReplicas": 1, "maxReplicas": 5, "scalingStrategy": "KPA"}
    text = shown([scaler])
    for part in ("ns", "Deployment/target", "KPA", "5", "3", "2", "True"):
        assert part in text
    assert "Learning" not in text


def test_learning_has_a_table_of_its_own(make: Any) -> None:
    text = shown([make.scaler(learningStatus={"detectedPattern": "steady_state", "calibrationNeeded": False})])
    assert "steady_state" in text
    assert "calibrate" in text


def test_a_scaler_that_is_not_ready_says_why(make: Any) -> None:
    condition = {"type": "Ready", "status": "False", "reason": "ValidationFailed", "message": "no [bold]target"}
    assert "False ValidationFailed: no [bold]target" in shown([make.scaler(conditions=[condition])])


def test_control_characters_of_a_cluster_do_not_reach_the_terminal(make: Any) -> None:
    assert "\x1b[31m" not in shown([make.scaler(learningStatus={"detectedPattern": "\x1b[31mred"})])


def test_nothing_is_said_to_be_nothing() -> None:
    assert shown([]) == "no BudAIScaler\n"


def test_the_data_has_the_fields_of_the_api(make: Any) -> None:
    scaler = make.scaler(conditions=make.ready, desiredScale=3, learningStatus={"recentMAE": "1.00"})
    (entry,) = json.loads(tables.as_json([scaler]))["scalers"]
    assert (entry["name"], entry["desired"], entry["ready"]) == ("s", 3, "True")
    assert entry["learning"] == {"recentMAE": "1.00"}
