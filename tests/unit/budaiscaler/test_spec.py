from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from proving_ground.budaiscaler.behavior import Behavior, Policy, StartingPods
from proving_ground.budaiscaler.cost import Cost
from proving_ground.budaiscaler.gpu import Gpu
from proving_ground.budaiscaler.spec import Prediction, ScalerSpec, SpecError, Target, read_spec

METRIC = "vllm:gpu_cache_usage_perc"
POD = {"metricSourceType": "pod", "targetMetric": METRIC, "targetValue": "70"}


def scaler(*, annotations: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llm-inference-sim"}
    spec = {"scaleTargetRef": target, "maxReplicas": 5, "metricsSources": [POD], **fields}
    notes = {f"scaler.bud.studio/{name}": value for name, value in (annotations or {}).items()}
    return {"metadata": {"name": "s", "annotations": notes}, "spec": spec}


def spec_of(**fields: Any) -> ScalerSpec:
    return read_spec(scaler(**fields))


def test_a_short_scaler_has_the_defaults_of_its_api() -> None:
    spec = spec_of()
    assert (spec.target, spec.minimum, spec.maximum) == (Target("Deployment", "llm-inference-sim"), 1, 5)
    assert (spec.strategy, spec.panic_threshold, spec.hints) == ("BudScaler", 2.0, ())
    assert (spec.up, spec.down) == (Behavior(0.0), Behavior(300.0))
    assert (spec.starting, spec.gpu, spec.cost, spec.prediction) == (StartingPods(), Gpu(), Cost(), Prediction())


def test_the_fields_of_behavior_are_read() -> None:
    rules = {
        "stabilizationWindowSeconds": 5, "tolerance": "20%", "maxScaleRate": "1.5", "selectPolicy": "Min",
        "policies": [{"type": "Percent", "value": 50, "periodSeconds": 30}],
        "startingPods": {
            "maxStartingPodPercent": 30, "maxStartingPods": 2, "bypassGateOnPanic": True, "startingPodWeight": "50%",
        },
    }  # fmt: skip
    spec = spec_of(behavior={"scaleUp": rules})
    assert spec.up == Behavior(5.0, 0.2, 1.5, "Min", (Policy("Percent", 50, 30.0),))
    assert spec.starting == StartingPods(30, 2, bypass_on_panic=True, weight=0.5)


def test_annotations_count_where_the_spec_is_silent() -> None:
    annotations = {
        "scale-up-cooldown": "7", "scale-down-cooldown": "8", "scale-up-tolerance": "0.3", "scale-down-tolerance": "5%",
        "max-scale-up-rate": "3", "max-scale-down-rate": "0.25", "panic-threshold": "300",
    }  # fmt: skip
    spec = spec_of(annotations=annotations)
    assert (spec.up, spec.down) == (Behavior(7.0, 0.3, 3.0), Behavior(8.0, 0.05, 0.25))
    assert spec.panic_threshold == 3.0


def test_the_spec_wins_over_annotations() -> None:
    annotations = {"scale-up-cooldown": "7", "scale-up-tolerance": "0.3", "max-scale-up-rate": "3"}
    rules = {"stabilizationWindowSeconds": 0, "tolerance": "0", "maxScaleRate": "2"}
    assert spec_of(annotations=annotations, behavior={"scaleUp": rules}).up == Behavior(0.0, 0.0, 2.0)


def test_budgets_are_quantities() -> None:
    cost = spec_of(
        costConfig={"enabled": True, "budgetPerHour": "2500m", "budgetPerDay": 48, "cloudProvider": "gcp"}
    ).cost
    assert cost == Cost(enabled=True, provider="gcp", per_hour=2.5, per_day=48.0)


@pytest.mark.parametrize(("named", "index"), [([], 0), (["waiting"], 1), (["other"], 0), (["waiting", METRIC], 0)])
def test_the_forecast_source_is_the_first_that_prediction_metrics_names(named: list[str], index: int) -> None:
    sources = [POD, {**POD, "targetMetric": "waiting"}]
    assert spec_of(metricsSources=sources, predictionConfig={"predictionMetrics": named}).predicted == index


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "minimum above maximum": ({"minReplicas": 6}, r"spec\.minReplicas: .* at most maxReplicas, which is 5, found 6"),
    "default minimum above no maximum": ({"maxReplicas": 0}, r"spec\.maxReplicas: .* found 0"),
    "no maximum": ({"maxReplicas": None}, r"spec\.maxReplicas: .* found none"),
    "negative minimum": ({"minReplicas": -1}, r"spec\.minReplicas"),
    "a truth as a number": ({"minReplicas": True}, r"spec\.minReplicas: .* found true"),
    "huge maximum": ({"maxReplicas": 2**31}, r"spec\.maxReplicas"),
    "no sources": ({"metricsSources": []}, r"spec\.metricsSources: expected at least one source"),
    "sources that are no list": ({"metricsSources": "pod"}, r"spec\.metricsSources: expected a list"),
    "a source that is no object": ({"metricsSources": [7]}, r"spec\.metricsSources\[0\]: expected an object, found 7"),
    "a null source": ({"metricsSources": [None]}, r"spec\.metricsSources\[0\]\.metricSourceType: .* found none"),
    "a kind that cannot be scaled": (
        {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "x"}},
        r"spec\.scaleTargetRef\.kind: .* found \"DaemonSet\"",
    ),
    "another API": (
        {"scaleTargetRef": {"apiVersion": "v1", "kind": "Deployment", "name": "x"}},
        r"spec\.scaleTargetRef\.apiVersion: expected one of apps/v1, found \"v1\"",
    ),
    "no target name": (
        {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment"}},
        r"spec\.scaleTargetRef\.name: .* found none",
    ),
    "a hostile target name": (
        {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "../pods"}},
        r"spec\.scaleTargetRef\.name",
    ),
    "a second cluster": ({"multiClusterConfig": {"enabled": True}}, "multi-cluster scaling needs a second cluster"),
    "a role": ({"subTargetSelector": {"roleName": "prefill"}}, r"subTargetSelector\.roleName: .* found \"prefill\""),
    "an unknown strategy": ({"scalingStrategy": "VPA"}, r"spec\.scalingStrategy"),
    "an unknown cloud": ({"costConfig": {"cloudProvider": "moon"}}, r"spec\.costConfig\.cloudProvider"),
    "no budget": ({"costConfig": {"budgetPerHour": "0"}}, r"spec\.costConfig\.budgetPerHour: .* above 0"),
    "a budget in words": ({"costConfig": {"budgetPerDay": "a lot"}}, r"spec\.costConfig\.budgetPerDay"),
    "an endless budget": ({"costConfig": {"budgetPerDay": "1e999"}}, r"spec\.costConfig\.budgetPerDay"),
    "a GPU threshold above all": ({"gpuConfig": {"gpuMemoryThreshold": 101}}, r"spec\.gpuConfig\.gpuMemoryThreshold"),
    "a look-ahead of a minute": ({"predictionConfig": {"lookAheadMinutes": 1}}, r"predictionConfig\.lookAheadMinutes"),
    "metrics that are no texts": ({"predictionConfig": {"predictionMetrics": [1]}}, "predictionMetrics"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_followed_is_refused_by_its_field(case: str) -> None:
    fields, message = REFUSED[case]
    with pytest.raises(SpecError, match=message):
        spec_of(**fields)


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"tolerance": "10"}, "tolerance"),
        ({"tolerance": "-0.1"}, "tolerance"),
        ({"tolerance": "nan"}, "tolerance"),
        ({"tolerance": 0.1}, "tolerance"),
        ({"tolerance": "%"}, "tolerance"),
        ({"maxScaleRate": "0.5"}, "maxScaleRate"),
        ({"maxScaleRate": "1e400"}, "maxScaleRate"),
        ({"maxScaleRate": "fast"}, "maxScaleRate"),
        ({"selectPolicy": "All"}, "selectPolicy"),
        ({"stabilizationWindowSeconds": 3601}, "stabilizationWindowSeconds"),
        ({"policies": [{"type": "Pods", "value": 1}]}, r"policies\[0\]\.periodSeconds"),
        ({"policies": [{"type": "Pods", "value": -1, "periodSeconds": 5}]}, r"policies\[0\]\.value"),
        ({"startingPods": {"startingPodWeight": "1.5"}}, r"startingPods\.startingPodWeight"),
        ({"startingPods": {"bypassGateOnPanic": "yes"}}, r"startingPods\.bypassGateOnPanic"),
    ],
)
def test_a_broken_rule_of_behavior_is_refused_by_its_field(rules: dict[str, Any], field: str) -> None:
    with pytest.raises(SpecError, match=rf"spec\.behavior\.scaleUp\.{field}: expected"):
        spec_of(behavior={"scaleUp": rules})


@pytest.mark.parametrize(
    "annotation",
    [
        {"panic-threshold": "50"}, {"panic-threshold": "much"}, {"scale-up-cooldown": "-1"},
        {"scale-down-tolerance": "2"}, {"max-scale-up-rate": "0"}, {"max-scale-down-rate": "2"},
        {"max-scale-down-rate": "inf"},
    ],
)  # fmt: skip
def test_a_broken_annotation_is_refused_by_its_name(annotation: dict[str, str]) -> None:
    with pytest.raises(SpecError, match=f"scaler.bud.studio/{next(iter(annotation))}: expected"):
        spec_of(annotations=annotation)


def test_a_rate_down_above_one_is_refused() -> None:
    with pytest.raises(SpecError, match=r"scaleDown\.maxScaleRate: expected a factor from 0 to 1"):
        spec_of(behavior={"scaleDown": {"maxScaleRate": "2"}})


def test_a_huge_value_is_shortened_in_the_message() -> None:
    with pytest.raises(SpecError) as caught:
        spec_of(scalingStrategy="x" * 10_000)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("broken", [{}, {"spec": None}, {"spec": []}, {"spec": "x"}, {"metadata": 3, "spec": {}}])
def test_an_object_that_is_no_scaler_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(SpecError):
        read_spec(broken)


def test_no_value_in_any_place_raises_anything_but_the_refusal() -> None:
    full = scaler(
        annotations={"panic-threshold": "200"},
        minReplicas=1,
        behavior={"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 5}], "startingPods": {}}},
        gpuConfig={"enabled": True},
        costConfig={"enabled": True, "budgetPerHour": "3"},
        scheduleHints=[{"name": "a", "cronExpression": "0 9 * * *", "duration": "1h", "targetReplicas": 2}],
        predictionConfig={"predictionMetrics": ["a"]},
    )
    hostile = [
        None,
        True,
        -1,
        2**70,
        float("nan"),
        float("inf"),
        "",
        "\x00",
        "NaN",
        "9" * 5000,
        [],
        [None],
        {},
        {"": None},
    ]
    chance = random.Random(7)  # noqa: S311
    for _ in range(3000):
        broken = copy.deepcopy(full)
        _break(broken, chance, hostile)
        try:
            read_spec(broken)
        except SpecError:
            continue


def _break(value: Any, chance: random.Random, hostile: list[Any]) -> None:
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = chance.choice(keys)
    child = value[key]
    if isinstance(child, dict | list) and child and chance.random() < 0.8:
        _break(child, chance, hostile)
    else:
        value[key] = chance.choice(hostile)
