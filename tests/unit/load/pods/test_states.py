"""Why a pod does not run, as its status and Kubernetes' events say."""

from __future__ import annotations

from typing import Any

import pytest

from proving_ground.load.pods import states


def pod(phase: str = "Pending", **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "load-worker-1"}, "status": {"phase": phase, **status}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
    return pod(containerStatuses=[{"state": state}])


def warning(message: str) -> dict[str, Any]:
    return {"type": "Warning", "message": message}


def test_a_pod_that_waits_for_a_node_says_which_there_are() -> None:
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    found = pod(conditions=[unschedulable])
    assert states.why(found) == "is not scheduled: 0/3 nodes"
    assert not states.waits_in_vain(found)


@pytest.mark.parametrize(
    ("reason", "vain"),
    [
        ("ContainerCreating", False),
        ("PodInitializing", False),
        ("ErrImagePull", False),
        ("ImagePullBackOff", True),
        ("ErrImageNeverPull", True),
        ("InvalidImageName", True),
        ("CreateContainerConfigError", True),
        ("RunContainerError", True),
    ],
)
def test_some_reasons_to_wait_never_end(reason: str, vain: bool) -> None:
    assert states.waits_in_vain(waiting(reason)) is vain


def test_why_an_image_was_not_pulled_is_told_by_the_event_and_not_by_the_pause() -> None:
    events = [
        warning('Failed to pull image "x": no such host'),
        warning("Error: ErrImagePull"),
        warning("Back-off pulling image"),
        {"type": "Normal", "message": "Pulling image"},
    ]
    found = waiting("ImagePullBackOff", "Back-off pulling image")
    assert states.why(found, events) == 'ImagePullBackOff: Failed to pull image "x": no such host'
    assert states.lacks_image(found)


def test_where_nothing_says_why_that_is_said() -> None:
    assert states.why(pod()) == "Pending: nothing says why"
    assert states.why({"metadata": {"name": "x"}}) == "Pending: nothing says why"
    assert states.why(waiting("ContainerCreating"), [warning("no room")]) == "ContainerCreating: no room"


def test_a_container_that_ended_says_how() -> None:
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    assert states.why(pod("Failed", containerStatuses=[{"state": ended}])) == "ended with 137, OOMKilled"
    evicted = pod("Failed", reason="Evicted", message="The node was low on\nmemory")
    assert states.why(evicted) == "Evicted: The node was low on memory"


def test_a_pod_has_an_address_while_it_runs() -> None:
    assert states.address(pod("Running", podIP="10.0.0.1")) == "10.0.0.1"
    assert states.address(pod("Succeeded", podIP="10.0.0.1")) == ""
    assert states.address(pod("Pending", podIP="10.0.0.1")) == ""
