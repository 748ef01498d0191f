"""Names of Kubernetes things."""

from __future__ import annotations

import pytest

from proving_ground.kube.references import Reference, ResourceType, Target, summarise

POD = ResourceType("v1", "Pod", "pods", namespaced=True)
DEPLOYMENT = ResourceType("apps/v1", "Deployment", "deployments", namespaced=True)
NODE = ResourceType("v1", "Node", "nodes", namespaced=False)


@pytest.mark.parametrize(
    ("kind", "place", "path"),
    [
        (POD, ("ns", "a", "log"), "/api/v1/namespaces/ns/pods/a/log"),
        (POD, ("", "", ""), "/api/v1/pods"),
        (DEPLOYMENT, ("ns", "", ""), "/apis/apps/v1/namespaces/ns/deployments"),
        (NODE, ("ignored", "n", ""), "/api/v1/nodes/n"),
    ],
)
def test_a_resource_type_knows_its_paths(kind: ResourceType, place: tuple[str, str, str], path: str) -> None:
    assert kind.path(*place) == path


def test_a_target_holds_objects_by_name_namespace_and_labels() -> None:
    obj = {"metadata": {"name": "a", "namespace": "ns", "labels": {"app": "x", "tier": "y"}}}

    assert Target("v1", "Pod", "ns", "a", {"app": "x"}).holds(obj)
    assert Target("v1", "Pod").holds(obj)
    assert not Target("v1", "Pod", "ns", "b").holds(obj)
    assert not Target("v1", "Pod", "other").holds(obj)
    assert not Target("v1", "Pod", labels={"app": "z"}).holds(obj)


def test_a_summary_tells_state_conditions_and_what_holds_a_deletion() -> None:
    obj = {
        "metadata": {"name": "a", "deletionTimestamp": "now", "finalizers": ["x/y"]},
        "status": {
            "phase": "Failed",
            "conditions": [{"type": "Ready", "status": "False", "reason": "R", "message": "m"}],
        },
    }

    assert summarise(obj) == "being deleted since now, finalizers: x/y; phase Failed; Ready=False R: m"


@pytest.mark.parametrize("status", [None, "text", {"conditions": "text"}, {"conditions": [None, 3]}, {}])
def test_a_summary_survives_any_status(status: object) -> None:
    assert summarise({"metadata": {"name": "a"}, "status": status}) == "exists, without a status"


def test_an_object_that_is_not_there_is_said_to_be_not_there() -> None:
    assert summarise(None) == "does not exist"


def test_a_reference_is_read_from_an_object() -> None:
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "ns"}}

    assert Reference.of(obj) == Reference("v1", "Pod", "a", "ns")
    assert str(Reference.of(obj)) == "Pod ns/a"
    assert Reference.of({}) == Reference("", "", "")
