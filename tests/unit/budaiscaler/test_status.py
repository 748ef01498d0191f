from __future__ import annotations

from typing import Any

import pytest

from proving_ground.budaiscaler import conditions
from proving_ground.budaiscaler.clock import parse_time
from proving_ground.budaiscaler.cost import CostReport
from proving_ground.budaiscaler.gpu import GpuReading
from proving_ground.budaiscaler.status import (
    Report,
    ScaleRecord,
    changes,
    cost_part,
    gpu_part,
    is_urgent,
    prediction_part,
    read_history,
    wanted,
)

NOW = 1767603600.0


def record(number: int = 0, **fields: Any) -> ScaleRecord:
    return ScaleRecord(
        **{"time": NOW + number, "previous": 1, "new": 2, "algorithm": "KPA", "reason": "load", **fields}
    )


def merged(stored: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """RFC 7396."""
    result = dict(stored)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = merged(result.get(key) if isinstance(result.get(key), dict) else {}, value)
        else:
            result[key] = value
    return result


@pytest.mark.parametrize(
    ("stored", "status"),
    [
        ({}, {"a": 1}),
        ({"a": 1}, {}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "d": {"e": 1}}}),
        ({"a": [1, 2]}, {"a": [2]}),
        ({"a": {"b": 1}}, {"a": 1}),
        ({"a": 1}, {"a": {"b": {}}}),
    ],
)
def test_a_patch_turns_one_status_into_the_other(stored: dict[str, Any], status: dict[str, Any]) -> None:
    assert merged(stored, changes(stored, status)) == status


def test_nothing_is_written_where_nothing_changes() -> None:
    report = Report(conditions.ready(), actual=1, desired=2, last_scale=NOW, history=(record(),))
    status = wanted(report, {}, generation=1, now=NOW)
    assert changes(status, wanted(report, status, generation=1, now=NOW + 60)) == {}


def test_what_a_pass_does_not_tell_stays() -> None:
    stored = {"desiredScale": 3, "gpuStatus": {"totalGPUs": 8}, "scalingHistory": [{"x": 1}]}
    status = wanted(Report(conditions.invalid("bad")), stored, generation=2, now=NOW)
    assert {key: status[key] for key in stored} == stored


def test_an_empty_part_takes_it_away() -> None:
    status = wanted(Report(conditions.ready(), parts={"gpuStatus": {}}), {"gpuStatus": {"x": 1}}, generation=1, now=NOW)
    assert "gpuStatus" not in status


def test_the_history_keeps_ten_newest_last() -> None:
    report = Report(conditions.ready(), history=tuple(record(number, new=number) for number in range(15)))
    history = wanted(report, {}, generation=1, now=NOW)["scalingHistory"]
    assert [entry["newScale"] for entry in history] == list(range(5, 15))


def test_the_history_is_read_back_as_it_was_written() -> None:
    records = (record(), record(5, success=False, error="no"))
    status = wanted(Report(conditions.ready(), history=records), {}, generation=1, now=NOW)
    assert read_history(status, parse_time) == records


def test_entries_of_a_history_that_make_no_sense_are_left_out() -> None:
    entries = [{}, {"timestamp": "noon"}, None, {"timestamp": "2026-01-01T00:00:00Z", "newScale": "many"}]
    assert read_history({"scalingHistory": entries}, parse_time) == ()


def test_conditions_keep_their_time_until_they_change() -> None:
    first = wanted(Report(conditions.ready()), {}, generation=1, now=NOW)
    second = wanted(Report(conditions.metrics_unavailable("down")), first, generation=1, now=NOW + 60)
    times = {c["type"]: c["lastTransitionTime"] for c in second["conditions"]}
    assert times["Ready"] == times["ScalingActive"] == "2026-01-05T09:01:00Z"
    assert times["ValidSpec"] == "2026-01-05T09:00:00Z"


@pytest.mark.parametrize(
    ("situation", "false"),
    [
        (conditions.ready(), {"Conflict"}),
        (conditions.invalid("m"), {"Ready", "ValidSpec", "ScalingActive"}),
        (conditions.conflict(["b"]), {"Ready", "ScalingActive", "AbleToScale"}),
        (conditions.target_missing("m"), {"Ready", "ScalingActive", "AbleToScale", "Conflict"}),
        (conditions.metrics_unavailable("m"), {"Ready", "ScalingActive", "Conflict"}),
        (conditions.scale_failed("m"), {"Ready", "AbleToScale", "Conflict"}),
    ],
)
def test_each_situation_tells_all_five_conditions(situation: tuple[conditions.Condition, ...], false: set[str]) -> None:
    assert [c.type for c in situation] == ["Ready", "ValidSpec", "ScalingActive", "AbleToScale", "Conflict"]
    assert {c.type for c in situation if c.status == "False"} == false


def test_long_messages_are_cut() -> None:
    status = wanted(Report(conditions.invalid("x" * 5000)), {}, generation=1, now=NOW)
    assert max(len(c["message"]) for c in status["conditions"]) == 1024


@pytest.mark.parametrize(
    ("patch", "urgent"),
    [
        ({"learningStatus": {"dataPointsCollected": 7}}, False),
        ({"learningStatus": {"detectedPattern": "traffic_spike"}}, True),
        ({"learningStatus": None}, True),
        ({"gpuStatus": {"totalGPUs": 1}, "predictionStatus": {"predictedReplicas": 2}}, False),
        ({"desiredScale": 2, "learningStatus": {}}, True),
    ],
)
def test_what_changes_all_the_time_is_not_urgent(patch: dict[str, Any], urgent: bool) -> None:
    assert is_urgent(patch) is urgent


def test_parts_are_written_as_the_api_says() -> None:
    assert gpu_part(GpuReading(memory=49.6, compute=20.4, count=2, model="A100")) == {
        "averageComputeUtilization": 20, "averageMemoryUtilization": 50, "totalGPUs": 2, "gpuType": "A100",
    }  # fmt: skip
    assert cost_part(CostReport(hourly=2.04, daily=48.96, utilization=68, on_demand=2, spot=0)) == {
        "currentHourlyCost": "2.04", "projectedDailyCost": "48.96", "budgetUtilization": 68,
        "onDemandInstancesInUse": 2, "spotInstancesInUse": 0,
    }  # fmt: skip
    assert prediction_part(replicas=3, confidence=0.756, hint="rush", next_change=NOW) == {
        "predictedReplicas": 3, "predictionConfidence": "0.76", "activeScheduleHint": "rush",
        "nextPredictedChange": "2026-01-05T09:00:00Z",
    }  # fmt: skip


def test_parts_of_what_is_not_known_are_empty() -> None:
    assert (gpu_part(None), cost_part(None)) == ({}, {})
    assert prediction_part(replicas=None, confidence=None, hint="", next_change=None) == {}
