"""Whether a cluster is in order."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest

from proving_ground.hosts import cluster_judging as judging
from proving_ground.hosts.certificates import Certificate
from proving_ground.hosts.declared import ControlPlane, declared_of

FSYNC = judging.FSYNC


def node(name: str = "gpu1", *, allocatable: dict[str, str] | None = None, **told: str) -> dict[str, Any]:
    states = {"Ready": "True", "MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False"} | told
    conditions = [{"type": kind, "status": status, "reason": "Because"} for kind, status in states.items()]
    return {
        "metadata": {"name": name},
        "spec": {},
        "status": {"conditions": conditions, "allocatable": allocatable or {}},
    }


def pod(name: str = "coredns", *, ready: str = "True", phase: str = "Running", restarts: int = 0) -> dict[str, Any]:
    state = {} if ready == "True" else {"waiting": {"reason": "CrashLoopBackOff"}}
    container = {"name": "main", "restartCount": restarts, "state": state}
    conditions = [{"type": "Ready", "status": ready}]
    status = {"phase": phase, "conditions": conditions, "containerStatuses": [container]}
    return {"metadata": {"name": name}, "status": status}


def test_nodes_that_are_ready_pass() -> None:
    assert judging.nodes([node("cp1"), node("gpu1")], ["cp1", "gpu1"]) == []


def test_a_host_that_has_not_joined_is_told() -> None:
    (message,) = judging.nodes([node("cp1")], ["cp1", "gpu1"])

    assert message.startswith("gpu1: expected a node of that name, found none")


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("Ready", "False", "True"),
        ("Ready", "Unknown", "True"),
        ("MemoryPressure", "True", "False"),
        ("DiskPressure", "Unknown", "False"),
        ("PIDPressure", "True", "False"),
        ("NetworkUnavailable", "True", "False"),
    ],
)
def test_a_condition_that_is_wrong_is_told_with_its_reason(kind: str, status: str, expected: str) -> None:
    (message,) = judging.nodes([node(**{kind: status})], [])

    assert message.startswith(f"gpu1: {kind}: expected {expected}, found {status} (Because")


def test_a_node_that_says_nothing_is_not_ready() -> None:
    silent = {"metadata": {"name": "gpu1"}, "spec": {}, "status": {}}

    assert judging.nodes([silent], [])[0].startswith("gpu1: Ready: expected True, found Unknown")


def test_a_cordoned_node_is_told() -> None:
    assert "cordoned" in judging.nodes([node() | {"spec": {"unschedulable": True}}], [])[0]


def test_a_cluster_without_nodes_or_system_pods_is_told() -> None:
    assert judging.nodes([], [])
    assert judging.system_pods([], 5)


def test_system_pods_that_are_ready_or_done_pass() -> None:
    assert judging.system_pods([pod(restarts=5), pod(ready="False", phase="Succeeded")], 5) == []


def test_a_system_pod_that_is_not_ready_is_told_with_why() -> None:
    assert "found CrashLoopBackOff" in judging.system_pods([pod(ready="False")], 5)[0]


def test_a_system_pod_without_containers_is_told_by_its_phase() -> None:
    pending = {"metadata": {"name": "coredns"}, "status": {"phase": "Pending"}}

    assert "expected ready, found Pending" in judging.system_pods([pending], 5)[0]


def test_too_many_restarts_are_told() -> None:
    assert "expected at most 5 restarts, found 6" in judging.system_pods([pod(restarts=6)], 5)[0]


NVIDIA = {"gpu1": declared_of("gpu1", {"gpu": {"count": 8, "vendor": "nvidia"}})}


def test_gpus_as_declared_pass() -> None:
    declared = {**NVIDIA, "gpu2": declared_of("gpu2", {"gpu": {"count": 8, "vendor": "AMD"}})}
    nodes = [node("gpu1", allocatable={"nvidia.com/gpu": "8"}), node("gpu2", allocatable={"amd.com/gpu": "8"})]

    assert judging.gpus([*nodes, node("cp1")], {**declared, "cp1": declared_of("cp1", {})}) == []


@pytest.mark.parametrize("allocatable", [{}, {"nvidia.com/gpu": "7"}, {"nvidia.com/gpu": "8", "amd.com/gpu": "1"}])
def test_other_gpus_than_declared_are_told(allocatable: dict[str, str]) -> None:
    (message,) = judging.gpus([node(allocatable=allocatable)], NVIDIA)

    assert message.startswith("gpu1: allocatable GPUs: expected 8 nvidia.com/gpu, found ")


def test_gpus_of_a_host_that_declares_none_are_told() -> None:
    (message,) = judging.gpus([node("cp1", allocatable={"nvidia.com/gpu": "1"})], {"cp1": declared_of("cp1", {})})

    assert "expected none, found 1 nvidia.com/gpu" in message


def test_a_host_with_gpus_that_is_no_node_is_told() -> None:
    assert "found no node of that name" in judging.gpus([], NVIDIA)[0]


@pytest.mark.parametrize("gpu", [{"count": 8}, {"count": "8", "vendor": "nvidia"}, {"count": 8, "vendor": "other"}])
def test_gpus_that_are_half_declared_are_told(gpu: dict[str, object]) -> None:
    assert "declare gpu.vendor" in judging.gpus([node()], {"gpu1": declared_of("gpu1", {"gpu": gpu})})[0]


def test_a_resource_of_another_name_may_be_declared() -> None:
    gpu = {"count": 56, "vendor": "nvidia", "resource": "nvidia.com/mig-1g.10gb"}

    assert (
        judging.gpus([node(allocatable={"nvidia.com/mig-1g.10gb": "56"})], {"gpu1": declared_of("gpu1", {"gpu": gpu})})
        == []
    )


def test_an_api_server_whose_parts_are_ready_passes() -> None:
    assert judging.ready_parts("[+]ping ok\n[+]etcd ok\nreadyz check passed\n") == []


def test_a_part_of_the_api_server_that_is_not_ready_is_told() -> None:
    (message,) = judging.ready_parts("[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n")

    assert message.startswith("API server: etcd: expected ok, found etcd failed")


@pytest.mark.parametrize("text", ["", "ok", "<html>"])
def test_an_api_server_that_tells_no_parts_is_told(text: str) -> None:
    assert judging.ready_parts(text)


@pytest.mark.parametrize("text", ['{"health":"true","reason":""}', '{"health": true}'])
def test_a_healthy_etcd_passes(text: str) -> None:
    assert judging.etcd_health("cp1", text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"health":"false","reason":"RAFT NO LEADER"}', "RAFT NO LEADER"),
        ("", "no answer"),
        ("curl: (7) Failed to connect", "curl: (7) Failed to connect"),
        ("[]", "[]"),
    ],
)
def test_an_etcd_that_is_not_healthy_is_told_with_what_it_said(text: str, found: str) -> None:
    assert f"found {found}" in judging.etcd_health("cp1", text)[0]


def metrics(**counts: int) -> str:
    lines = [f'{FSYNC}_bucket{{le="{bound}"}} {count}' for bound, count in counts.items()]
    return "\n".join([f"# TYPE {FSYNC} histogram", *lines, f"{FSYNC}_sum 1"])


def test_a_quantile_is_estimated_linearly_within_its_bucket() -> None:
    text = metrics(**{"0.001": 90, "0.002": 98, "0.004": 100, "+Inf": 100})

    assert judging.fsync_quantile(text) == pytest.approx(0.003)
    assert judging.fsync_quantile(text, 0.9) == pytest.approx(0.001)


def test_a_quantile_above_the_last_bound_is_infinite() -> None:
    assert math.isinf(judging.fsync_quantile(metrics(**{"0.001": 90, "+Inf": 100})))


@pytest.mark.parametrize("text", ["", "curl: (7)", metrics(**{"+Inf": 0})])
def test_metrics_without_an_observation_are_told(text: str) -> None:
    assert "no observation" in judging.etcd_syncs("cp1", text, 1.0)[0]


def test_quick_syncs_pass_and_slow_ones_are_told() -> None:
    text = metrics(**{"0.008": 50, "0.016": 100, "+Inf": 100})

    assert judging.etcd_syncs("cp1", text, 0.016) == []
    assert "within 10 ms, found 15.8 ms" in judging.etcd_syncs("cp1", text, 0.01)[0]


def classes(*names: str, default: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    key = "storageclass.kubernetes.io/is-default-class"
    return [{"metadata": {"name": name, "annotations": {key: str(name in default).lower()}}} for name in names]


@pytest.mark.parametrize(
    ("declared", "found", "right"),
    [
        ({}, classes(), True),
        ({}, classes("a", default=("a",)), True),
        ({}, classes("a", "b", default=("a", "b")), False),
        ({"storage_classes": ["a"]}, classes("a", "b"), True),
        ({"storage_classes": ["a"]}, classes("b"), False),
        ({"default_storage_class": "a"}, classes("a", default=("a",)), True),
        ({"default_storage_class": "a"}, classes("a"), False),
        ({"default_storage_class": "a"}, classes("a", "b", default=("b",)), False),
    ],
)
def test_storage_classes_are_told_from_those_declared(
    declared: dict[str, Any], found: list[dict[str, Any]], right: bool
) -> None:
    assert (judging.storage_classes(found, ControlPlane(**declared)) == []) is right


NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


@pytest.mark.parametrize(("days", "found"), [(29.9, "29.9 days left"), (-2, "it ended 2.0 days ago")])
def test_a_server_certificate_that_ends_soon_is_told(days: float, found: str) -> None:
    certificate = Certificate("10.64.0.11:6443", "CN=kube-apiserver", NOW + dt.timedelta(days=days))

    assert found in judging.server_certificate(certificate, 30, NOW)[0]
    assert judging.server_certificate(certificate, days, NOW) == []
