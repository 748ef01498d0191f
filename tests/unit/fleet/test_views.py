from __future__ import annotations

from typing import Any

import pytest

from proving_ground.fleet.views import faults_of, owner_of, pod_view, service_view


def service(**spec: Any) -> dict[str, Any]:
    plain = {"clusterIP": "127.64.240.9", "selector": {"app": "x"}, "ports": [{"port": 80, "targetPort": "http"}]}
    return {"metadata": {"namespace": "ns", "name": "svc"}, "spec": plain | spec}


def test_a_pod_is_read() -> None:
    pod = pod_view(
        {
            "metadata": {"namespace": "ns", "name": "p", "uid": "1", "deletionTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {
                "nodeName": "n",
                "containers": [
                    {
                        "name": "main",
                        "image": "i",
                        "ports": [{"containerPort": 8000, "name": "http"}, {"containerPort": 53, "protocol": "UDP"}],
                    }
                ],
            },
            "status": {
                "phase": "Running",
                "podIP": "127.64.128.1",
                "containerStatuses": [
                    {"name": "main", "restartCount": 3, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
                ],
            },
        }
    )
    assert pod.containers[0].ports == (("http", 8000),)
    assert (pod.restarts, pod.started, pod.address, pod.deleting) == (3, "2026-01-01T00:00:00Z", "127.64.128.1", True)


def test_a_pod_without_anything_optional_is_read() -> None:
    pod = pod_view({"metadata": {"namespace": "ns", "name": "p", "uid": "1"}, "spec": {}})
    assert (pod.phase, pod.containers, pod.restart_policy) == ("Pending", (), "Always")


def test_a_service_is_read() -> None:
    view = service_view(service())
    assert view is not None
    assert (view.ports[0].number, view.ports[0].target) == (80, "http")


def test_a_target_port_is_the_port_unless_given() -> None:
    view = service_view(service(ports=[{"port": 80}, {"port": 53, "protocol": "UDP"}]))
    assert view is not None
    assert [port.target for port in view.ports] == [80]


@pytest.mark.parametrize(
    "spec", [{"clusterIP": "None"}, {"clusterIP": ""}, {"selector": None}, {"type": "ExternalName"}]
)
def test_headless_external_and_selectorless_services_are_not_answered_for(spec: dict[str, Any]) -> None:
    assert service_view(service(**spec)) is None


def test_faults_are_separated_by_commas() -> None:
    assert faults_of({"proving.ground/fault": " a, b ,,"}) == {"a", "b"}


def test_no_annotation_is_not_the_same_as_an_empty_one() -> None:
    assert faults_of({}) is None
    assert faults_of({"proving.ground/fault": ""}) == frozenset()


def test_the_arguments_and_plain_variables_of_a_container_are_read() -> None:
    container = {
        "name": "c",
        "args": ["vllm-metrics", 5],
        "env": [{"name": "A", "value": "1"}, {"name": "B"}, {"name": "C", "valueFrom": {"fieldRef": {}}}],
    }
    pod = pod_view({"metadata": {"namespace": "ns", "name": "p", "uid": "1"}, "spec": {"containers": [container]}})
    assert pod.containers[0].args == ("vllm-metrics", "5")
    assert pod.containers[0].env == {"A": "1", "B": ""}


@pytest.mark.parametrize(
    ("kind", "name", "labels", "workload"),
    [
        ("ReplicaSet", "web-5d4f", {"pod-template-hash": "5d4f"}, "web"),
        ("ReplicaSet", "web", {}, "web"),
        ("StatefulSet", "db", {}, "db"),
        ("Job", "once", {}, "once"),
        ("ReplicaSet", "web-other", {"pod-template-hash": "5d4f"}, "web-other"),
    ],
)
def test_a_pod_belongs_to_its_workload(kind: str, name: str, labels: dict[str, str], workload: str) -> None:
    owners = [{"kind": "Node", "name": "n"}, {"kind": kind, "name": name, "controller": True}]
    assert owner_of({"labels": labels, "ownerReferences": owners}) == workload


def test_a_pod_that_stands_alone_is_its_own_workload() -> None:
    assert pod_view({"metadata": {"namespace": "ns", "name": "p", "uid": "1"}, "spec": {}}).workload == "p"
