from __future__ import annotations

from typing import Any

import pytest

from proving_ground.budaiscaler.fields import SpecError
from proving_ground.budaiscaler.hpa import autoscaler
from proving_ground.budaiscaler.spec import read_spec


def scaler(*sources: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "scaler.bud.studio/v1alpha1",
        "kind": "BudAIScaler",
        "metadata": {"name": "s", "namespace": "n", "uid": "u"},
        "spec": {
            "scalingStrategy": "HPA",
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
            "maxReplicas": 5,
            "metricsSources": list(sources),
            **spec,
        },
    }


def source(kind: str, metric: str, target: str, **fields: Any) -> dict[str, Any]:
    return {"metricSourceType": kind, "targetMetric": metric, "targetValue": target, **fields}


def made(body: dict[str, Any], *, speed: float = 1.0) -> dict[str, Any]:
    return autoscaler(body, read_spec(body), speed=speed)


def test_it_is_named_labelled_and_owned() -> None:
    metadata = made(scaler(source("resource", "cpu", "50")))["metadata"]
    assert metadata["name"] == "s-hpa"
    assert metadata["labels"] == {"app.kubernetes.io/managed-by": "budaiscaler", "scaler.bud.studio/scaler": "s"}
    assert metadata["ownerReferences"][0]["uid"] == "u"


@pytest.mark.parametrize(
    ("given", "kind", "part", "target"),
    [
        (source("resource", "cpu", "50"), "Resource", "resource", {"type": "Utilization", "averageUtilization": 50}),
        (source("resource", "cpu", "500m"), "Resource", "resource", {"type": "AverageValue", "averageValue": "500m"}),
        (source("resource", "memory", "1Ki"), "Resource", "resource", {"type": "AverageValue", "averageValue": "1024"}),
        (source("custom", "m", "2.5"), "Pods", "pods", {"type": "AverageValue", "averageValue": "2500m"}),
        (
            source("external", "m", "7", endpoint="http://x.y:1/"),
            "External",
            "external",
            {"type": "Value", "value": "7"},
        ),
    ],
)
def test_each_source_that_it_knows_becomes_a_metric(
    given: dict[str, Any], kind: str, part: str, target: dict[str, Any]
) -> None:
    (metric,) = made(scaler(given))["spec"]["metrics"]
    assert (metric["type"], metric[part]["target"]) == (kind, target)


@pytest.mark.parametrize("kind", ["pod", "inferenceEngine", "prometheus"])
def test_a_source_that_it_does_not_know_is_refused(kind: str) -> None:
    given = source(kind, "m", "1", endpoint="http://x.y:1/", promQL="up", inferenceEngineConfig={"engineType": "vllm"})
    body = scaler(source("resource", "cpu", "50"), given)
    with pytest.raises(SpecError, match=r"metricsSources\[1\].metricSourceType: expected resource, custom or external"):
        made(body)


def test_windows_and_periods_are_given_in_real_seconds() -> None:
    policy = {"type": "Pods", "value": 2, "periodSeconds": 60}
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 300, "policies": [policy], "selectPolicy": "Min"}}
    rules = made(scaler(source("resource", "cpu", "50"), behavior=behavior), speed=40.0)["spec"]["behavior"][
        "scaleDown"
    ]
    assert rules == {
        "stabilizationWindowSeconds": 8,
        "selectPolicy": "Min",
        "policies": [{"type": "Pods", "value": 2, "periodSeconds": 2}],
    }


def test_its_minimum_is_at_least_one() -> None:
    assert made(scaler(source("resource", "cpu", "50"), minReplicas=0))["spec"]["minReplicas"] == 1
