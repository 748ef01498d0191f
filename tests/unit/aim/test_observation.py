from __future__ import annotations

from typing import Any

from proving_ground.aim.observation import PodFact, Workload, pod_fact, workload

REVISION = "aim.silogen.ai/revision"


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", "annotations": {REVISION: "r1"}}, "status": status}


def container(**fields: Any) -> dict[str, Any]:
    return {"name": "kserve-container", **fields}


def test_a_pod_of_which_nothing_is_known_counts_as_not_started() -> None:
    assert pod_fact({"metadata": {"name": "p"}}, REVISION) == PodFact("p", "")


def test_null_fields_count_as_absent() -> None:
    found = {"metadata": {"name": "p", "annotations": None}, "status": {"conditions": None, "containerStatuses": None}}
    assert pod_fact(found, REVISION) == PodFact("p", "")


def test_a_ready_pod_is_ready_and_started() -> None:
    fact = pod_fact(pod(phase="Running", conditions=[{"type": "Ready", "status": "True"}]), REVISION)
    assert (fact.ready, fact.started, fact.revision) == (True, True, "r1")


def test_the_schedulers_message_is_kept() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    assert pod_fact(pod(phase="Pending", conditions=[condition]), REVISION).unschedulable == "0/3 nodes"


def test_an_image_that_cannot_be_pulled_is_told() -> None:
    waiting = container(state={"waiting": {"reason": "ErrImagePull", "message": "not found"}})
    assert pod_fact(pod(phase="Pending", containerStatuses=[waiting]), REVISION).pull_error == "ErrImagePull: not found"


def test_an_init_container_counts_too() -> None:
    waiting = container(state={"waiting": {"reason": "ImagePullBackOff"}})
    assert pod_fact(pod(phase="Pending", initContainerStatuses=[waiting]), REVISION).pull_error == "ImagePullBackOff"


def test_a_container_that_is_created_is_no_error() -> None:
    waiting = container(state={"waiting": {"reason": "ContainerCreating"}})
    fact = pod_fact(pod(phase="Pending", containerStatuses=[waiting]), REVISION)
    assert (fact.pull_error, fact.crash) == ("", "")


def test_a_container_that_ended_badly_is_a_crash() -> None:
    ended = container(state={"terminated": {"exitCode": 137, "reason": "OOMKilled"}})
    fact = pod_fact(pod(phase="Running", containerStatuses=[ended]), REVISION)
    assert fact.crash == "container kserve-container ended with exit code 137: OOMKilled"


def test_a_crash_is_remembered_while_the_container_loads_again() -> None:
    again = container(state={"running": {}}, lastState={"terminated": {"exitCode": 1, "message": "no token"}})
    assert "no token" in pod_fact(pod(phase="Running", containerStatuses=[again]), REVISION).crash


def test_a_crash_is_forgotten_once_the_pod_is_ready() -> None:
    again = container(state={"running": {}}, lastState={"terminated": {"exitCode": 1}})
    ready = [{"type": "Ready", "status": "True"}]
    assert pod_fact(pod(phase="Running", conditions=ready, containerStatuses=[again]), REVISION).crash == ""


def test_a_container_that_ended_well_is_no_crash() -> None:
    ended = container(state={"terminated": {"exitCode": 0}})
    assert pod_fact(pod(phase="Running", containerStatuses=[ended]), REVISION).crash == ""


def test_an_evicted_pod_is_a_crash() -> None:
    assert pod_fact(pod(phase="Failed", reason="Evicted", message="disk"), REVISION).crash == "Evicted: disk"


def test_only_pods_of_the_current_revision_count() -> None:
    pods = [PodFact("a", "r1", ready=True, started=True), PodFact("b", "r2", crash="exit code 1")]
    assert workload(pods, revision="r1", wanted=1, created=True) == Workload(created=True, wanted=1, ready=1, started=1)


def test_of_several_failures_the_first_pods_is_told() -> None:
    pods = [PodFact("b", "r", crash="second"), PodFact("a", "r", crash="first")]
    assert workload(pods, revision="r", wanted=2, created=True).crash == "first"


def test_a_service_without_replicas_is_ready_at_once() -> None:
    assert workload([], revision="r", wanted=0, created=True).is_ready
