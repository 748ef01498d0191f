from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from proving_ground.budaiscaler.clock import Clock
from proving_ground.budaiscaler.counters import Counters
from proving_ground.budaiscaler.faults import Fault
from proving_ground.budaiscaler.passes import Passes
from proving_ground.budaiscaler.scraping import ScrapeError
from proving_ground.budaiscaler.settings import Settings
from proving_ground.budaiscaler.sources import Reader
from proving_ground.budaiscaler.tracking import Tracked
from proving_ground.budaiscaler.world import World
from proving_ground.kube.operator_api import ApiError

from .fakes import SCALERS, MemoryApi, MemoryPages, deployment, pod, scaler

DEPLOYMENT = "/apis/apps/v1/namespaces/n/deployments/d"
START = 1767603600.0  # 2026-01-05T09:00:00Z, a Monday
HPA = "/apis/autoscaling/v2/namespaces/n/horizontalpodautoscalers/s-hpa"
LEARNED = "/api/v1/namespaces/n/configmaps/s-learning-data"


class Stage:
    """One scaler, its target with pods, and passes over it."""

    def __init__(self, body: dict[str, Any], *, replicas: int = 1, pods: int | None = None, value: str = "10") -> None:
        self.api, self.pages, self.world = MemoryApi(), MemoryPages(), World()
        self.name = body["metadata"]["name"]
        self.api.objects[f"{SCALERS}/{self.name}"] = body
        self.api.objects[DEPLOYMENT] = deployment(replicas)
        self.warnings: list[str] = []
        for number in range(1, (replicas if pods is None else pods) + 1):
            self.world.pod_seen(pod(number))
            self.metric(value, number)
        self.passes = Passes(
            self.api,
            world=self.world,
            reader=Reader(self.pages, self.api, self.world),
            scraper=self.pages,
            warn=lambda _, reason, message: self.warnings.append(f"{reason}: {message}"),
            counters=Counters(),
            settings=Settings(clock=Clock(), reconcile_seconds=10.0, keep_seconds=0.0),
        )
        self.tracked = Tracked(scaler=body)
        self.now = START

    def metric(self, value: str | Exception, number: int = 1) -> None:
        answer = value if isinstance(value, Exception) else f"m {value}\n"
        self.pages.answers[f"http://127.9.9.{number}:8000/metrics"] = answer

    def all_metrics(self, value: str | Exception) -> None:
        for number in range(1, 10):
            self.metric(value, number)

    def run(self, *faults: str, rivals: tuple[str, ...] = ()) -> dict[str, Any]:
        """Make a pass, ten seconds after the one before; return the status then."""
        asyncio.run(self.passes.make(self.tracked, unix=self.now, faults=frozenset(faults), rivals=rivals))
        self.now += 10
        return self.status

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.api.objects[f"{SCALERS}/{self.name}"].get("status") or {})

    @property
    def replicas(self) -> int:
        return int(self.api.objects[DEPLOYMENT]["spec"]["replicas"])

    def condition(self, kind: str) -> tuple[str, str, str]:
        found = next(c for c in self.status["conditions"] if c["type"] == kind)
        return found["status"], found["reason"], found["message"]


def test_a_value_over_the_target_scales_up_through_the_scale_subresource() -> None:
    stage = Stage(scaler(), value="20")
    status = stage.run()
    assert ("PATCH", f"{DEPLOYMENT}/scale", {"spec": {"replicas": 2}}) in stage.api.writes
    assert (status["desiredScale"], status["actualScale"], stage.replicas) == (2, 1, 2)
    assert stage.condition("Ready")[:2] == ("True", "ScalerReady")


def test_a_change_of_scale_is_told_in_the_history_with_its_time() -> None:
    status = Stage(scaler(), value="20").run()
    (entry,) = status["scalingHistory"]
    assert (entry["previousScale"], entry["newScale"], entry["success"]) == (1, 2, True)
    assert entry["timestamp"] == status["lastScaleTime"] == "2026-01-05T09:00:00Z"
    assert "m is 20 at a target of 10" in entry["reason"]


def test_a_value_at_the_target_writes_the_status_once_and_nothing_more() -> None:
    stage = Stage(scaler())
    for _ in range(5):
        stage.run()
    assert [path for _, path, _ in stage.api.writes] == [f"{SCALERS}/s/status"]


def test_times_are_those_of_the_scalers_own_clock() -> None:
    stage = Stage(scaler(annotations={"sim.proving.ground/clock": f"2030-01-01T00:00:00Z@{START}*3600"}), value="20")
    stage.run()
    assert stage.run()["lastScaleTime"] == "2030-01-01T10:00:00Z"


def test_a_clock_that_cannot_be_read_is_told() -> None:
    stage = Stage(scaler(annotations={"sim.proving.ground/clock": "noon"}))
    stage.run()
    assert stage.condition("ValidSpec")[0] == "False"
    assert "a clock such as" in stage.condition("ValidSpec")[2]


def test_pods_that_start_count_as_actual() -> None:
    stage = Stage(scaler(), replicas=1)
    stage.world.pod_seen(pod(2, ready=False))
    assert stage.run()["actualScale"] == 2


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (ScrapeError("no answer within 3 s"), "pod d-1: no answer within 3 s"),
        ("NaN", "pod d-1: m is nan"),
        ("-1", "pod d-1: m is -1, which is below 0"),
        ("1\nbroken {", "pod d-1: line 2 is not a metric"),
    ],
)
def test_nothing_scales_on_bad_metrics_and_the_condition_says_why(answer: str | Exception, cause: str) -> None:
    stage = Stage(scaler(), replicas=2, value="20")
    stage.metric(answer, 1)
    stage.run()
    assert stage.replicas == 2
    assert stage.condition("ScalingActive")[:2] == ("False", "MetricsUnavailable")
    assert cause in stage.condition("ScalingActive")[2]
    assert stage.condition("Ready")[:2] == ("False", "ReconciliationFailed")


def test_it_recovers_when_metrics_come_back() -> None:
    stage = Stage(scaler())
    stage.metric(ScrapeError("answered 503"))
    stage.run()
    stage.metric("10")
    stage.run()
    assert (stage.condition("Ready")[0], stage.condition("ScalingActive")[0]) == ("True", "True")


def test_minimum_and_maximum_hold_without_metrics() -> None:
    stage = Stage(scaler(minReplicas=3), pods=0)
    stage.run()
    assert stage.replicas == 3
    stage = Stage(scaler(maxReplicas=2), replicas=6, pods=0)
    stage.run()
    assert stage.replicas == 2


def test_a_pod_that_goes_while_it_is_read_does_not_count() -> None:
    stage = Stage(scaler(), replicas=2, value="10")
    stage.metric(ScrapeError("connection failed", lost=True), 2)
    page = stage.pages.page

    async def gone(url: str, **options: Any) -> str:
        if url.startswith("http://127.9.9.2:"):
            stage.world.pod_gone("n", "d-2", "uid-2")
        return await page(url, **options)

    stage.pages.page = gone  # type: ignore[method-assign]
    stage.run()
    assert stage.condition("ScalingActive")[0] == "True"


def test_a_spec_that_cannot_be_followed_is_told_and_nothing_is_scaled() -> None:
    stage = Stage(scaler(minReplicas=9), value="20")
    stage.run()
    assert stage.condition("Ready")[:2] == ("False", "ValidationFailed")
    assert "spec.minReplicas" in stage.condition("ValidSpec")[2]
    assert stage.replicas == 1


def test_a_spec_is_read_again_when_it_changes() -> None:
    stage = Stage(scaler(minReplicas=9))
    stage.run()
    body = stage.tracked.scaler
    repaired = {**body, "metadata": {**body["metadata"], "generation": 2}, "spec": {**body["spec"], "minReplicas": 2}}
    stage.tracked.take(repaired)
    stage.run()
    assert stage.replicas == 2


def test_scalers_of_one_target_scale_nothing_until_one_is_gone() -> None:
    stage = Stage(scaler(), value="20")
    stage.run(rivals=("other",))
    assert stage.condition("Ready")[:2] == ("False", "ConflictDetected")
    assert stage.condition("Conflict")[0] == "True"
    assert stage.replicas == 1
    stage.run()
    assert (stage.condition("Conflict")[0], stage.replicas) == ("False", 2)


def test_a_target_that_is_not_there_is_told() -> None:
    stage = Stage(scaler())
    del stage.api.objects[DEPLOYMENT]
    stage.run()
    assert stage.condition("Ready") == ("False", "ReconciliationFailed", "Deployment d is not there")
    assert stage.condition("AbleToScale")[:2] == ("False", "TargetNotFound")


def test_a_scale_that_is_refused_is_told_in_conditions_and_once_in_the_history() -> None:
    stage = Stage(scaler(), value="20")
    stage.api.refusals[f"{DEPLOYMENT}/scale"] = ApiError(403, "Forbidden", "not allowed")
    stage.run()
    status = stage.run()
    assert stage.condition("AbleToScale") == ("False", "ScaleFailed", "not allowed")
    assert [(e["success"], e["error"]) for e in status["scalingHistory"]] == [(False, "not allowed")]
    assert "lastScaleTime" not in status


def test_policies_go_on_after_a_restart_from_the_history() -> None:
    behavior = {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}}
    stage = Stage(scaler(behavior=behavior), value="30")
    stage.run()
    assert stage.replicas == 2
    stage.tracked = Tracked(scaler=stage.api.objects[f"{SCALERS}/s"])
    stage.world.pod_seen(pod(2))
    stage.all_metrics("30")
    stage.run()
    assert stage.replicas == 2


def test_a_clock_that_was_set_back_does_not_wait_for_what_is_still_to_come() -> None:
    stage = Stage(scaler(), replicas=3, value="1")
    stage.tracked.scaler = {**stage.tracked.scaler, "status": {"lastScaleTime": "2026-06-01T00:00:00Z"}}
    stage.run()
    assert stage.replicas < 3


def test_a_replicaset_is_asked_for_since_it_is_not_watched() -> None:
    target = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "d"}
    stage = Stage(scaler(scaleTargetRef=target), value="20")
    stage.api.objects["/apis/apps/v1/namespaces/n/replicasets/d"] = deployment(kind="ReplicaSet")
    stage.run()
    assert stage.api.written("replicasets/d/scale") == [{"spec": {"replicas": 2}}]


def test_gpus_raise_the_replicas_and_are_told() -> None:
    stage = Stage(scaler(gpuConfig={"enabled": True, "gpuMemoryThreshold": 50, "gpuComputeThreshold": 80}))
    labels = '{gpu="0",UUID="u",modelName="A100"}'
    stage.pages.answers["http://mock-dcgm-exporter.n.svc.cluster.local:9400/metrics"] = "\n".join(
        f"DCGM_FI_DEV_{name}{labels} {value}" for name, value in (("GPU_UTIL", 20), ("FB_USED", 90), ("FB_TOTAL", 100))
    )
    status = stage.run()
    assert stage.replicas == 2
    assert status["gpuStatus"] == {
        "averageComputeUtilization": 20, "averageMemoryUtilization": 90, "totalGPUs": 1, "gpuType": "A100",
    }  # fmt: skip


def test_without_an_exporter_the_other_metrics_decide() -> None:
    annotations = {"scaler.bud.studio/dcgm-endpoint": "http://elsewhere:1/metrics"}
    stage = Stage(scaler(annotations=annotations, gpuConfig={"enabled": True, "gpuMemoryThreshold": 50}), value="20")
    stage.pages.answers["http://elsewhere:1/metrics"] = ScrapeError("answered 502")
    status = stage.run()
    assert (stage.replicas, "gpuStatus" in status) == (2, False)


def test_costs_and_hints_are_told() -> None:
    hints = [{"name": "rush", "cronExpression": "0 9 * * 1-5", "duration": "2h", "targetReplicas": 2}]
    status = Stage(scaler(costConfig={"enabled": True, "budgetPerHour": "3"}, scheduleHints=hints)).run()
    assert status["costStatus"]["currentHourlyCost"] == "1.02"
    assert status["predictionStatus"]["activeScheduleHint"] == "rush"
    assert status["predictionStatus"]["nextPredictedChange"] == "2026-01-05T11:00:00Z"


# Learning.


def test_what_is_learned_is_told_and_kept_in_the_configmap_of_the_scaler() -> None:
    stage = Stage(scaler(predictionConfig={"enabled": True}))
    for _ in range(4):
        status = stage.run()
    assert status["learningStatus"]["dataPointsCollected"] == 4
    assert status["learningStatus"]["configMapName"] == "s-learning-data"
    kept = stage.api.objects[LEARNED]
    assert set(kept["data"]) == {
        "seasonal_profiles.json", "pattern_detector.json", "accuracy_tracker.json", "metadata.json",
    }  # fmt: skip
    assert kept["metadata"]["labels"]["scaler.bud.studio/learning-data"] == "true"
    assert kept["metadata"]["ownerReferences"][0]["uid"] == "uid-s"


def test_a_restart_goes_on_with_what_was_kept() -> None:
    stage = Stage(scaler(predictionConfig={"enabled": True}))
    for _ in range(4):
        stage.run()
    stage.tracked = Tracked(scaler=stage.api.objects[f"{SCALERS}/s"])
    for _ in range(4):
        status = stage.run()
    assert status["learningStatus"]["dataPointsCollected"] == 8


def test_a_configmap_whose_owner_was_taken_away_is_not_owned_again_until_another_scaler_takes_it_over() -> None:
    stage = Stage(scaler(predictionConfig={"enabled": True}))
    stage.run()
    stage.api.objects[LEARNED]["metadata"]["ownerReferences"] = []
    stage.run()
    assert stage.api.objects[LEARNED]["metadata"]["ownerReferences"] == []
    stage.tracked = Tracked(scaler=stage.api.objects[f"{SCALERS}/s"])
    stage.run()
    assert [owner["uid"] for owner in stage.api.objects[LEARNED]["metadata"]["ownerReferences"]] == ["uid-s"]


def test_data_that_cannot_be_read_are_told_and_stay_beside_the_new_ones() -> None:
    stage = Stage(scaler(predictionConfig={"enabled": True}))
    stage.api.objects[LEARNED] = {"metadata": {"name": "x"}, "data": {"metadata.json": "{broken"}}
    stage.run()
    assert stage.warnings
    assert stage.warnings[0].startswith("LearningDataBroken: ")
    data = stage.api.objects[LEARNED]["data"]
    assert data["metadata.json.broken"] == "{broken"
    assert json.loads(data["metadata.json"])["version"] == "v1"


def test_nothing_is_learned_from_bad_metrics() -> None:
    stage = Stage(scaler(predictionConfig={"enabled": True}))
    stage.metric("NaN")
    assert "learningStatus" not in stage.run()


def test_learning_can_be_switched_off() -> None:
    stage = Stage(scaler(predictionConfig={"enabled": True, "enableLearning": False}))
    assert "learningStatus" not in stage.run()


def test_nothing_is_learned_while_what_was_kept_cannot_be_read() -> None:
    stage = Stage(scaler(predictionConfig={"enabled": True}))
    stage.api.refusals[LEARNED] = ApiError(500, "InternalError", "later")
    with pytest.raises(ApiError):
        stage.run()
    assert stage.api.written("configmaps") == []


# Strategy HPA.


def hpa_scaler(**spec: Any) -> dict[str, Any]:
    source = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "50"}
    return scaler(scalingStrategy="HPA", metricsSources=[source], **spec)


def test_strategy_hpa_has_an_autoscaler_and_reports_what_it_wants() -> None:
    stage = Stage(hpa_scaler())
    stage.run()
    assert stage.api.objects[HPA]["spec"]["maxReplicas"] == 5
    stage.api.objects[HPA]["status"] = {"desiredReplicas": 3}
    status = stage.run()
    assert (status["desiredScale"], status["actualScale"]) == (3, 1)
    assert [(e["previousScale"], e["newScale"], e["algorithm"]) for e in status["scalingHistory"]] == [(1, 3, "HPA")]
    assert stage.api.written("d/scale") == []


def test_an_autoscaler_that_has_no_metrics_is_told() -> None:
    stage = Stage(hpa_scaler())
    stage.run()
    failing = {"type": "ScalingActive", "status": "False", "message": "no metrics"}
    stage.api.objects[HPA]["status"] = {"conditions": [failing]}
    stage.run()
    assert stage.condition("ScalingActive")[2] == "HorizontalPodAutoscaler: no metrics"


def test_an_autoscaler_of_somebody_else_is_left_alone() -> None:
    stage = Stage(hpa_scaler())
    stage.api.objects[HPA] = {"metadata": {"name": "s-hpa", "uid": "x"}, "spec": {"maxReplicas": 1}}
    stage.run()
    assert stage.api.objects[HPA]["spec"] == {"maxReplicas": 1}
    assert "belongs to somebody else" in stage.condition("AbleToScale")[2]


def test_a_source_that_an_autoscaler_does_not_know_is_refused() -> None:
    stage = Stage(scaler(scalingStrategy="HPA"))
    stage.run()
    assert stage.condition("Ready")[:2] == ("False", "ValidationFailed")


def test_the_autoscaler_goes_when_the_strategy_changes() -> None:
    stage = Stage(hpa_scaler())
    stage.run()
    body = stage.tracked.scaler
    source = {"metricSourceType": "pod", "targetMetric": "m", "targetValue": "10"}
    changed = {
        **body,
        "metadata": {**body["metadata"], "generation": 2},
        "spec": {**body["spec"], "scalingStrategy": "KPA", "metricsSources": [source]},
    }
    stage.tracked.take(changed)
    stage.api.objects[HPA]["metadata"]["uid"] = "uid-hpa"
    stage.run()
    assert HPA not in stage.api.objects


# Faults.


def test_scales_on_bad_metrics() -> None:
    stage = Stage(scaler(), value="10")
    stage.run()
    stage.metric("NaN")
    stage.run(Fault.SCALES_ON_BAD_METRICS)
    assert stage.replicas == 2
    assert stage.condition("ScalingActive")[0] == "True"


def test_desired_without_effect() -> None:
    stage = Stage(scaler(), value="20")
    for _ in range(3):
        status = stage.run(Fault.DESIRED_WITHOUT_EFFECT)
    assert (status["desiredScale"], stage.replicas, len(status["scalingHistory"])) == (2, 1, 1)


def test_invents_actual() -> None:
    assert Stage(scaler(), value="20").run(Fault.INVENTS_ACTUAL)["actualScale"] == 2


def test_keeps_no_history() -> None:
    assert Stage(scaler(), value="20").run(Fault.KEEPS_NO_HISTORY)["scalingHistory"] == []


def test_conflict_unnoticed() -> None:
    stage = Stage(scaler(), value="20")
    stage.run(Fault.CONFLICT_UNNOTICED, rivals=("other",))
    assert (stage.condition("Conflict")[0], stage.replicas) == ("False", 2)


def test_accepts_anything() -> None:
    stage = Stage(scaler(minReplicas=9), value="20")
    stage.run(Fault.ACCEPTS_ANYTHING)
    assert (stage.condition("Ready")[0], stage.condition("ValidSpec")[0]) == ("True", "True")


def test_persists_nothing() -> None:
    stage = Stage(scaler(predictionConfig={"enabled": True}))
    stage.run(Fault.PERSISTS_NOTHING)
    assert LEARNED not in stage.api.objects


def test_forgets_after_restart() -> None:
    stage = Stage(scaler(predictionConfig={"enabled": True}))
    for _ in range(4):
        stage.run()
    stage.tracked = Tracked(scaler=stage.api.objects[f"{SCALERS}/s"])
    for _ in range(4):
        status = stage.run(Fault.FORGETS_AFTER_RESTART)
    assert status["learningStatus"]["dataPointsCollected"] == 4
