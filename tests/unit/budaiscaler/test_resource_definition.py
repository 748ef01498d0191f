"""The CRD that the role installs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = Path(__file__).parents[3] / "roles/budaiscaler/files/crds/budaiscalers.scaler.bud.studio.yaml"
CRD = yaml.safe_load(FILE.read_text())
VERSION = CRD["spec"]["versions"][0]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]


def walk(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each field by its path; [] is a list, {} a map."""
    for name, field in schema.get("properties", {}).items():
        suffix = "[]" if "items" in field else "{}" if "additionalProperties" in field else ""
        inner = field.get("items") or field.get("additionalProperties") or field
        here = f"{path}.{name}{suffix}".lstrip(".")
        yield here, field if not suffix else {**inner, **{k: v for k, v in field.items() if k.endswith("Items")}}
        yield from walk(inner, here)


FIELDS = dict(walk(SCHEMA))


def test_it_is_named_as_people_type_it() -> None:
    names = CRD["spec"]["names"]
    assert (names["kind"], names["plural"], names["shortNames"]) == ("BudAIScaler", "budaiscalers", ["bas"])
    assert (VERSION["name"], CRD["spec"]["group"], CRD["spec"]["scope"]) == (
        "v1alpha1",
        "scaler.bud.studio",
        "Namespaced",
    )


def test_its_columns_are_those_of_the_api() -> None:
    names = [column["name"] for column in VERSION["additionalPrinterColumns"]]
    assert names == ["MIN", "MAX", "REPLICAS", "STRATEGY", "READY", "AGE"]


@pytest.mark.parametrize(
    ("path", "default"),
    [
        ("spec.minReplicas", 1),
        ("spec.scalingStrategy", "BudScaler"),
        ("spec.costConfig.costOptimizationMode", "balanced"),
        ("spec.costConfig.spotFallbackToOnDemand", True),
        ("spec.predictionConfig.enableLearning", True),
        ("spec.predictionConfig.historicalDataDays", 7),
        ("spec.predictionConfig.lookAheadMinutes", 15),
        ("spec.multiClusterConfig.federationMode", "load-balanced"),
        ("spec.metricsSources[].inferenceEngineConfig.metricsPort", 8000),
    ],
)
def test_its_defaults_are_those_of_the_api(path: str, default: object) -> None:
    assert FIELDS[path]["default"] == default


@pytest.mark.parametrize(
    ("path", "limits"),
    [
        ("spec.maxReplicas", {"minimum": 1}),
        ("spec.minReplicas", {"minimum": 0}),
        ("spec.metricsSources[]", {"minItems": 1}),
        ("spec.behavior.scaleDown.stabilizationWindowSeconds", {"minimum": 0, "maximum": 3600}),
        ("spec.behavior.scaleUp.policies[].periodSeconds", {"minimum": 1, "maximum": 1800}),
        ("spec.predictionConfig.lookAheadMinutes", {"minimum": 5, "maximum": 60}),
        ("status.scalingHistory[]", {"maxItems": 10}),
    ],
)
def test_its_limits_are_those_of_the_api(path: str, limits: dict[str, int]) -> None:
    assert {name: FIELDS[path].get(name) for name in limits} == limits


def test_both_directions_have_the_same_rules() -> None:
    behavior = SCHEMA["properties"]["spec"]["properties"]["behavior"]["properties"]
    assert behavior["scaleUp"] == behavior["scaleDown"]


def test_what_a_scaler_cannot_do_without_is_required() -> None:
    required = SCHEMA["properties"]["spec"]["required"]
    assert required == ["maxReplicas", "metricsSources", "scaleTargetRef", "scalingStrategy"]


def test_a_budget_is_a_quantity() -> None:
    budget = FIELDS["spec.costConfig.budgetPerHour"]
    assert budget["x-kubernetes-int-or-string"] is True
    assert [choice["type"] for choice in budget["anyOf"]] == ["integer", "string"]
