from __future__ import annotations

from typing import Any

import pytest

from proving_ground.budaiscaler.world import Requests, World, pod_fact, workload_fact


def pod(name: str, *, labels: dict[str, str] | None = None, uid: str = "", **status: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": "True"}]
    return {
        "metadata": {"name": name, "namespace": "n", "uid": uid or name, "labels": labels or {"app": "a"}},
        "spec": {"containers": [{"resources": {"requests": {"cpu": "250m", "memory": "64Mi"}}}]},
        "status": {"phase": "Running", "podIP": "127.1.2.3", "conditions": conditions} | status,
    }


def deployment(version: int = 1, replicas: int | None = 2, **selector: Any) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "n", "resourceVersion": str(version)},
        "spec": {"replicas": replicas, "selector": selector or {"matchLabels": {"app": "a"}}},
    }


def world(*pods: dict[str, Any]) -> World:
    found = World()
    for each in pods:
        found.pod_seen(each)
    return found


def test_the_pods_of_a_workload_are_those_that_its_selector_chooses() -> None:
    known = world(pod("b"), pod("a"), pod("c", labels={"app": "other"}))
    assert [p.name for p in known.pods(workload_fact(deployment()))] == ["a", "b"]


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ({"key": "app", "operator": "In", "values": ["a", "b"]}, ["a"]),
        ({"key": "app", "operator": "NotIn", "values": ["a"]}, ["c"]),
        ({"key": "tier", "operator": "Exists"}, ["c"]),
        ({"key": "tier", "operator": "DoesNotExist"}, ["a"]),
    ],
)
def test_expressions_of_selectors_are_understood(expression: dict[str, Any], names: list[str]) -> None:
    known = world(pod("a"), pod("c", labels={"app": "other", "tier": "x"}))
    assert [p.name for p in known.pods(workload_fact(deployment(matchExpressions=[expression])))] == names


def test_a_workload_without_a_selector_has_no_pods() -> None:
    body = deployment()
    body["spec"]["selector"] = {}
    assert world(pod("a")).pods(workload_fact(body)) == ()


def test_pods_that_go_or_ended_do_not_count() -> None:
    going = pod("going")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    known = world(going, pod("failed", phase="Failed"), pod("done", phase="Succeeded"), pod("here"))
    assert [p.name for p in known.pods(workload_fact(deployment()))] == ["here"]


def test_what_is_remembered_of_pods_follows_every_change() -> None:
    known, workload = world(pod("a")), workload_fact(deployment())
    assert known.pods(workload)[0].ready
    known.pod_seen(pod("a", conditions=[]))
    assert not known.pods(workload)[0].ready
    known.pod_gone("n", "a", "another uid")
    assert len(known.pods(workload)) == 1
    known.pod_gone("n", "a", "a")
    assert known.pods(workload) == ()


def test_a_pod_that_was_replaced_by_one_of_its_name_is_no_longer_ready() -> None:
    first = pod("a", uid="1")
    known = world(first)
    known.pod_seen(pod("a", uid="2"))
    assert not known.is_ready("n", pod_fact(first))


def test_requests_count_where_every_container_has_them() -> None:
    body = pod("a")
    assert pod_fact(body).requests == Requests(millicores=250.0, bytes=64 * 2**20)
    body["spec"]["containers"].append({"resources": {"requests": {"cpu": "1"}}})
    assert pod_fact(body).requests == Requests(millicores=1250.0, bytes=0.0)


def test_a_bare_pod_is_understood() -> None:
    bare = {"metadata": {"name": "a", "namespace": "n", "uid": "1"}}
    assert (pod_fact(bare).alive, pod_fact(bare).ready, pod_fact(bare).address) == (True, False, "")


def test_an_older_event_changes_nothing() -> None:
    known = World()
    known.workload_seen(deployment(5, replicas=3))
    assert known.workload_seen(deployment(4, replicas=1)).replicas == 3


def test_what_was_scaled_is_known_before_a_watch_tells_it() -> None:
    known = World()
    fact = known.workload_seen(deployment(5, replicas=1))
    known.scaled(fact, 4, {"metadata": {"resourceVersion": "7"}})
    known.workload_seen(deployment(6, replicas=1))
    assert (found := known.workload("Deployment", "n", "d")) is not None
    assert found.replicas == 4


def test_replicas_that_are_not_told_are_one() -> None:
    assert workload_fact(deployment(replicas=None)).replicas == 1
    assert workload_fact(deployment(replicas=0)).replicas == 0


def test_a_selector_is_written_as_requests_take_it() -> None:
    expressions = [
        {"key": "t", "operator": "NotIn", "values": ["y", "x"]},
        {"key": "u", "operator": "Exists"},
        {"key": "v", "operator": "DoesNotExist"},
    ]
    fact = workload_fact(deployment(matchLabels={"app": "a"}, matchExpressions=expressions))
    assert fact.label_selector == "app in (a),t notin (x,y),u,!v"
    assert fact.path == "/apis/apps/v1/namespaces/n/deployments/d"


def test_a_namespace_that_is_gone_leaves_nothing() -> None:
    known = world(pod("a"))
    fact = known.workload_seen(deployment())
    known.namespaces["n"] = {}
    known.namespace_gone("n")
    assert (known.pods(fact), known.workload("Deployment", "n", "d"), known.namespaces) == ((), None, {})
