"""Kinds that come and go while a Chainsaw test waits for an object of them, on a real API server."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import textwrap
from typing import TYPE_CHECKING, Any

from proving_ground.chainsaw.loader import load_tests
from proving_ground.chainsaw.run import run_tests
from proving_ground.kube import Cluster, Reference, Target, UnknownKindError, namespace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CRD = "apiextensions.k8s.io/v1"


def definition(group: str, version: str) -> dict[str, Any]:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": CRD,
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }


@contextlib.asynccontextmanager
async def some_group(cluster: Cluster) -> AsyncIterator[str]:
    """Give an API group of this test's own; its kind is removed at the end."""
    group = f"g{secrets.token_hex(4)}.test.proving.ground"
    try:
        yield group
    finally:
        await cluster.remove(Reference(CRD, "CustomResourceDefinition", f"widgets.{group}"), timeout=30)


async def make(cluster: Cluster, obj: dict[str, Any], place: str) -> None:
    """Create an object as soon as its kind takes it."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(UnknownKindError):
                await cluster.create(obj, namespace=place)
                return
            await asyncio.sleep(0.1)


def test_an_assert_waits_for_a_kind_that_is_yet_to_come(sim_cluster: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            Cluster.connect(sim_cluster) as cluster,
            some_group(cluster) as group,
            namespace(cluster, "kube-kinds") as place,
        ):
            (tmp_path / "chainsaw-test.yaml").write_text(
                textwrap.dedent(f"""\
                apiVersion: chainsaw.kyverno.io/v1alpha1
                kind: Test
                metadata: {{name: waits}}
                spec:
                  namespace: {place}
                  timeouts: {{assert: 30s}}
                  steps:
                    - try:
                        - assert:
                            resource:
                              apiVersion: {group}/v1
                              kind: Widget
                              metadata: {{name: w}}
                              spec: {{size: 1}}
                """)
            )
            tests = load_tests(tmp_path / "chainsaw-test.yaml")
            waiting = asyncio.create_task(run_tests(tests, cluster, root=tmp_path))
            await asyncio.sleep(0.4)  # it has looked, and found that there is no such kind
            await cluster.create(definition(group, "v1"))
            widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}}
            async with Cluster.connect(sim_cluster) as other:
                await make(other, widget, place)
            (result,) = await waiting
            assert (result.outcome, result.message) == ("passed", "")

    asyncio.run(scenario())


def test_a_kind_that_is_removed_and_comes_again_is_followed_and_found_in_its_new_version(sim_cluster: str) -> None:
    async def scenario() -> None:
        async with (
            Cluster.connect(sim_cluster) as cluster,
            some_group(cluster) as group,
            namespace(cluster, "kube-kinds") as place,
        ):
            crd = Reference(CRD, "CustomResourceDefinition", f"widgets.{group}")

            def widget(version: str) -> dict[str, Any]:
                return {"apiVersion": f"{group}/{version}", "kind": "Widget", "metadata": {"name": "w"}}

            await cluster.create(definition(group, "v1"))
            await make(cluster, widget("v1"), place)
            async with cluster.follow(Target(f"{group}/v1", "Widget", place, "w")) as following:
                await cluster.remove(crd, timeout=30)
                while following.objects:
                    assert await following.change(20), "the waiter was not told that the object went with its kind"
                await cluster.create(definition(group, "v1"))
                await make(cluster, widget("v1"), place)
                while not following.objects:
                    assert await following.change(20), "the waiter was not told that it is there again"

            await cluster.remove(crd, timeout=30)
            await cluster.create(definition(group, "v2"))
            await make(cluster, widget("v2"), place)
            found = await cluster.get(f"{group}/v2", "Widget", "w", place)
            assert found is not None

    asyncio.run(scenario())
