"""The client as somebody who may do little, on a real API server."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.kube import ApiError, Cluster, Overrides, Reference, Target, namespace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

RBAC = "rbac.authorization.k8s.io/v1"
WRITES = ("get", "create", "patch", "delete")


@contextlib.asynccontextmanager
async def somebody(cluster: Cluster, place: str, verbs: Sequence[str]) -> AsyncIterator[Overrides]:
    """Give whom to impersonate: somebody who may do this with the ConfigMaps of one namespace, and nothing else."""
    name = f"tester-{place}"
    role: dict[str, Any] = {"metadata": {"name": name, "namespace": place}, "apiVersion": RBAC}
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": list(verbs)}]
    await cluster.create({**role, "kind": "Role", "rules": rules})
    subject = {"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    reference = {"kind": "Role", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    await cluster.create({**role, "kind": "RoleBinding", "subjects": [subject], "roleRef": reference})
    yield Overrides(as_user=name, as_groups=("system:authenticated",))


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def change_while_waited_for(kubeconfig: str, verbs: Sequence[str]) -> Cluster:
    """Wait as somebody for a ConfigMap that somebody else makes, changes and deletes; return the waiter's client."""
    async with Cluster.connect(kubeconfig) as admin, namespace(admin, "kube-permissions") as place:
        reference = Reference("v1", "ConfigMap", "c", place)
        async with somebody(admin, place, verbs) as overrides, Cluster.connect(kubeconfig, overrides=overrides) as own:

            def seen(value: str | None) -> asyncio.Task[Any]:
                return asyncio.create_task(
                    own.wait_for(reference, lambda o: (o or {}).get("data", {}).get("v") == value, timeout=10)
                )

            waiting = seen("1")
            await admin.create(config_map("c", v="1"), namespace=place)
            await waiting
            waiting = seen("2")
            await admin.patch(reference, {"data": {"v": "2"}})
            await waiting
            waiting = asyncio.create_task(own.wait_gone(reference, timeout=10))
            await admin.delete(reference)
            await waiting
        return own


def test_who_may_watch_one_namespace_only_watches_that(sim_cluster: str) -> None:
    own = asyncio.run(change_while_waited_for(sim_cluster, (*WRITES, "list", "watch")))
    assert own.requests_by["watch", "configmaps"] >= 1
    assert own.requests_by["get", "configmaps"] <= 5, "it polls although it may watch"


def test_who_may_list_but_not_watch_polls(sim_cluster: str) -> None:
    own = asyncio.run(change_while_waited_for(sim_cluster, (*WRITES, "list")))
    assert own.requests_by["get", "configmaps"] >= 3


def test_who_may_only_get_polls(sim_cluster: str) -> None:
    own = asyncio.run(change_while_waited_for(sim_cluster, ("get",)))
    assert own.requests_by["get", "configmaps"] >= 3


def test_who_may_not_even_get_is_told_so(sim_cluster: str) -> None:
    async def scenario() -> None:
        async with Cluster.connect(sim_cluster) as admin, namespace(admin, "kube-permissions") as place:
            nobody = Overrides(as_user="nobody")
            async with Cluster.connect(sim_cluster, overrides=nobody) as own:
                with pytest.raises(ApiError, match=r'User "nobody" cannot get resource "configmaps"'):
                    await own.wait_for(Reference("v1", "ConfigMap", "c", place), lambda _: False, timeout=10)
                with pytest.raises(ApiError, match=r'User "nobody" cannot list resource "configmaps"'):
                    async with own.follow(Target("v1", "ConfigMap", place)):
                        pass

    asyncio.run(scenario())


def test_impersonation_names_user_groups_and_uid(sim_cluster: str) -> None:
    async def scenario() -> dict[str, Any]:
        other = Overrides(as_user="jane", as_groups=("testers", "system:authenticated"), as_uid="7")
        async with Cluster.connect(sim_cluster, overrides=other) as own:
            review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {}}
            answer = await own.create(review)
            info: dict[str, Any] = answer["status"]["userInfo"]
            return info

    info = asyncio.run(scenario())
    assert (info["username"], info["uid"]) == ("jane", "7")
    assert set(info["groups"]) == {"testers", "system:authenticated"}
