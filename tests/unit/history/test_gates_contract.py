from __future__ import annotations

from typing import Any

import pydantic
import pytest

from proving_ground.contracts.gates import Gates, RelativeGate, gates_json, read_gates
from proving_ground.contracts.stages import Stage
from proving_ground.errors import ConfigurationError

ABSOLUTE = {"kind": "absolute", "metric": "load/*/ttft_ms", "statistic": "p99", "at_most": 200}
BAND = {"kind": "band", "metric": "load/*/ttft_ms", "bands": {"*": {"reference": 5, "lower": 4, "upper": 6}}}
RELATIVE = {"kind": "relative", "metric": "load/chat/*"}


@pytest.mark.parametrize(
    "gate",
    [
        {"kind": "absolute", "metric": "load/*/x"},
        {"kind": "absolute", "metric": "load/*/x", "at_most": 1, "at_least": 2},
        {"kind": "absolute", "metric": "load/*/x", "at_most": float("nan")},
        {"kind": "absolute", "metric": "ttft_ms", "at_most": 1},
        {"kind": "band", "metric": "load/*/x", "bands": {}},
        {"kind": "band", "metric": "load/*/x", "bands": {"*": {"reference": 1, "lower": 2, "upper": 3}}},
        RELATIVE | {"alpha": 0},
        RELATIVE | {"minimal_change": {"ms": -1}},
        RELATIVE | {"baseline": "../x"},
        RELATIVE | {"samples": {"baseline": 40}},
        RELATIVE | {"tolerance": 1},
        {"kind": "other", "metric": "load/*/x"},
    ],
)
def test_a_gate_that_cannot_be_meant_is_refused(gate: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        Gates.model_validate({"gates": [gate]})


def test_a_stage_holds_gates() -> None:
    stage = Stage.model_validate({"description": "x", "gates": [ABSOLUTE, BAND, RELATIVE]})
    assert [gate.kind for gate in stage.gates] == ["absolute", "band", "relative"]


def test_a_relative_gate_allows_one_false_alarm_in_a_hundred_runs_and_ignores_five_percent() -> None:
    gate = RelativeGate.model_validate(RELATIVE)
    assert (gate.alpha, gate.minimal_effect, gate.baseline) == (0.01, 0.05, "last_good")


def test_gates_come_back_from_the_file_that_checks_read(tmp_path: Any) -> None:
    gates = Gates.model_validate({"gates": [ABSOLUTE, BAND, RELATIVE]}).gates
    (tmp_path / "gates.json").write_text(gates_json(gates))
    assert list(read_gates(tmp_path)) == gates
    assert read_gates(tmp_path / "absent") == ()


def test_damaged_gates_of_a_run_are_told(tmp_path: Any) -> None:
    (tmp_path / "gates.json").write_text("[{}]")
    with pytest.raises(ConfigurationError, match="cannot be read as gates"):
        read_gates(tmp_path)
