"""Scalers and workloads against an API server in memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.autoscaling.manifests import SUITE_LABEL
from proving_ground.autoscaling.scalers import Scalers, condition_of
from proving_ground.autoscaling.workloads import Workloads, is_available, is_ready, pods_of
from proving_ground.kube import WaitTimeoutError

if TYPE_CHECKING:
    from proving_ground.kube import Cluster
    from proving_ground.kube.testing import MemoryApi


def available(api: MemoryApi) -> None:
    """Make every Deployment available, as its controller would."""
    for obj in api.all("Deployment"):
        count = obj["spec"]["replicas"]
        status = {"replicas": count, "updatedReplicas": count, "availableReplicas": count}
        if obj.get("status") != status:
            api.put({**obj, "status": status})


async def controller(api: MemoryApi, ready: list[dict[str, str]]) -> None:
    """Act as the controllers would, until cancelled."""
    while True:
        available(api)
        for obj in api.all("BudAIScaler"):
            if "status" not in obj:
                api.put({**obj, "status": {"conditions": ready, "desiredScale": 1}})
        await asyncio.sleep(0.005)


def test_an_object_is_applied_into_the_namespace_with_its_label(run: Any, check: Any, make: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        scalers = Scalers(cluster, check, "ns", make.cadence)
        made = make.scaler()
        del made["metadata"]["namespace"]
        await scalers.apply(made)
        await scalers.apply(made)
        found = api.find("BudAIScaler", "s")
        assert found is not None
        assert found["metadata"]["labels"] == {SUITE_LABEL: "autoscaling"}
        assert api.count("PATCH", "/namespaces/ns/budaiscalers/s") == 2

    run(scenario)


@pytest.mark.parametrize("config", ["basic", "policy", "gpu"])
def test_setting_a_configuration_up_makes_its_mocks_and_waits_for_its_scaler(
    run: Any, check: Any, make: Any, config: str
) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        acting = asyncio.create_task(controller(api, make.ready))
        case = await Scalers(cluster, check, "ns", make.cadence).setup(config, replicas=2, annotations={"a": "b"})
        acting.cancel()
        scaler, target = api.find("BudAIScaler", case.scaler), api.find("Deployment", case.target)
        assert scaler is not None
        assert target is not None
        assert scaler["metadata"]["annotations"] == {"a": "b"}
        assert target["spec"]["replicas"] == 2

    run(scenario)


def test_a_scaler_that_is_not_ready_is_told_with_its_condition(run: Any, make_check: Any, make: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        condition = {"type": "Ready", "status": "False", "reason": "ConflictDetected", "message": "two of them"}
        api.put(make.scaler(conditions=[condition]))
        with pytest.raises(WaitTimeoutError, match="Ready=False ConflictDetected: two of them"):
            await Scalers(cluster, make_check(wait_limit=0.05), "ns", make.cadence).wait_ready("s")

    run(scenario)


def test_scales_are_read_from_the_status(run: Any, check: Any, make: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.put(make.scaler(desiredScale=3, actualScale=2, learningStatus={"dataPointsCollected": 7}))
        scalers = Scalers(cluster, check, "ns", make.cadence)
        assert await scalers.desired("s") == 3
        assert await scalers.actual("s") == 2
        assert await scalers.learning("s") == {"dataPointsCollected": 7}
        assert await scalers.learned("s") == {}

    run(scenario)


def test_a_scaler_without_a_status_wants_nothing_yet(run: Any, check: Any, make: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.put(make.scaler())
        scalers = Scalers(cluster, check, "ns", make.cadence)
        assert (await scalers.desired("s"), await scalers.actual("s"), await scalers.status("s")) == (0, 0, {})

    run(scenario)


def test_a_scale_is_waited_for_by_watch(run: Any, check: Any, make: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.put(make.scaler(desiredScale=1))
        scalers = Scalers(cluster, check, "ns", make.cadence)
        waiting = asyncio.create_task(scalers.wait_desired("s", lambda n: n > 3, "more than 3"))
        while not api._streams:  # noqa: ASYNC110  # the server in memory has no event for it
            await asyncio.sleep(0)
        for desired in (2, 3, 4):
            api.set_status("BudAIScaler", "s", {"desiredScale": desired})
        assert await waiting == 4

    run(scenario)


def test_an_absent_scaler_is_told_by_name(run: Any, check: Any, make: Any) -> None:
    async def scenario(_api: MemoryApi, cluster: Cluster) -> None:
        with pytest.raises(AssertionError, match="there is no BudAIScaler ns/none"):
            await Scalers(cluster, check, "ns", make.cadence).status("none")

    run(scenario)


def test_a_deleted_scaler_is_gone(run: Any, check: Any, make: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.put(make.scaler())
        await Scalers(cluster, check, "ns", make.cadence).delete("s")
        assert api.find("BudAIScaler", "s") is None

    run(scenario)


def test_a_condition_that_is_not_there_is_empty(make: Any) -> None:
    assert condition_of(make.scaler(), "Ready") == {"status": "", "reason": "", "message": ""}
    assert condition_of(make.scaler(conditions="nonsense"), "Ready")["status"] == ""


def test_pods_are_waited_for_by_label(run: Any, check: Any, make: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        workloads = Workloads(cluster, check, "ns")
        api.put(make.pod("a"))
        api.put(make.pod("b", ready=False))
        assert (await workloads.wait_for_pod("app=target"))["metadata"]["name"] == "a"
        waiting = asyncio.create_task(workloads.wait_for_pods("app=target", 2))
        await asyncio.sleep(0)
        api.put(make.pod("b"))
        assert len(await waiting) == 2

    run(scenario)


def test_replicas_are_those_of_the_spec_and_can_be_set(run: Any, check: Any, make: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.put(make.deployment(replicas=2))
        workloads = Workloads(cluster, check, "ns")
        assert (await workloads.replicas("target"), await workloads.ready("target")) == (2, 0)
        await workloads.scale("target", 5)
        assert await workloads.replicas("target") == 5

    run(scenario)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, False),
        ({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 1}, False),
        ({"replicas": 3, "updatedReplicas": 2, "availableReplicas": 2}, False),
        ({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, True),
        ({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "observedGeneration": 0}, True),
    ],
)
def test_a_deployment_is_available_with_all_its_replicas(make: Any, status: dict[str, int], *, expected: bool) -> None:
    assert is_available({**make.deployment(replicas=2), "status": status}) is expected


def test_a_status_about_an_older_spec_does_not_count(make: Any) -> None:
    status = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "observedGeneration": 1}
    assert not is_available({**make.deployment(replicas=2, generation=2), "status": status})


def test_a_pod_that_is_being_deleted_is_not_ready(make: Any) -> None:
    pod = make.pod("a")
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert not is_ready(pod)


def test_pods_are_found_by_their_workload_or_their_own_name(run: Any, make: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.put(make.deployment())
        for name, app in (("a", "target"), ("b", "target"), ("c", "other")):
            api.put(make.pod(name, app))
        assert [p["metadata"]["name"] for p in await pods_of(cluster, "target", "ns")] == ["a", "b"]
        assert [p["metadata"]["name"] for p in await pods_of(cluster, "c", "ns")] == ["c"]
        with pytest.raises(AssertionError, match="no workload or pod ns/none"):
            await pods_of(cluster, "none", "ns")

    run(scenario)
