from __future__ import annotations

from typing import Any

import pytest

from proving_ground.budaiscaler.leniency import usable_part


def scaler(annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    source = {"metricSourceType": "pod", "targetMetric": "m", "targetValue": "5"}
    return {
        "metadata": {"name": "s", "namespace": "n", "annotations": annotations or {}},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
            "maxReplicas": 5,
            "metricsSources": [source],
            **spec,
        },
    }


@pytest.mark.parametrize(
    "body",
    [
        scaler(minReplicas=9),
        scaler(multiClusterConfig={"enabled": True}),
        scaler(scheduleHints=[{"name": "x", "cronExpression": "nonsense", "duration": "1h", "targetReplicas": 1}]),
        scaler(metricsSources=[{"metricSourceType": "pod", "targetMetric": "m", "targetValue": "nonsense"}]),
        scaler({"scaler.bud.studio/panic-threshold": "nonsense"}),
        scaler(minReplicas=9, behavior={"scaleUp": {"tolerance": "x"}}, costConfig={"budgetPerDay": "x"}),
    ],
)
def test_what_can_be_followed_is_left_of_a_broken_spec(body: dict[str, Any]) -> None:
    spec = usable_part(body)
    assert spec is not None
    assert (spec.target.name, spec.maximum, spec.sources[0].metric) == ("d", 5, "m")


def test_the_scaler_itself_is_not_changed() -> None:
    body = scaler(minReplicas=9)
    usable_part(body)
    assert body == scaler(minReplicas=9)


def test_nothing_is_left_where_the_target_is_broken() -> None:
    assert usable_part(scaler(scaleTargetRef={"kind": "Job", "name": "x"})) is None
