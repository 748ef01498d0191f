"""The engine and its client against a real API server."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import textwrap
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.chainsaw.loader import load_tests
from proving_ground.chainsaw.reporting import Surroundings
from proving_ground.chainsaw.run import Result, run_tests
from proving_ground.kube import Cluster, Reference, Target, UnknownKindError, WaitTimeoutError, namespace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    Scenario = Callable[[Cluster], Awaitable[Any]]


def crd(group: str) -> dict[str, Any]:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}, "schema": schema}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
            "versions": [version],
        },
    }


@asynccontextmanager
async def widgets(cluster: Cluster) -> AsyncIterator[str]:
    """Give a kind of this test's own: its apiVersion."""
    group = f"g{secrets.token_hex(4)}.test.proving.ground"
    await cluster.create(crd(group))
    try:
        yield f"{group}/v1"
    finally:
        await cluster.delete(Reference("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"widgets.{group}"))


def on(kubeconfig: str, scenario: Scenario) -> Any:
    async def main() -> Any:
        async with Cluster.connect(kubeconfig) as cluster:
            return await scenario(cluster)

    return asyncio.run(main())


async def run(cluster: Cluster, folder: Path, spec: str, *, annotations: str = "{}", **options: Any) -> Result:
    file = folder / "chainsaw-test.yaml"
    head = "apiVersion: chainsaw.kyverno.io/v1alpha1\nkind: Test\nmetadata:\n  name: it\n"
    file.write_text(f"{head}  annotations: {annotations}\nspec:\n" + textwrap.indent(textwrap.dedent(spec), "  "))
    (result,) = await run_tests(load_tests(file), cluster, root=folder, **options)
    return result


def test_a_kind_can_be_followed_the_moment_it_is_defined(sim_cluster: str) -> None:
    async def scenario(cluster: Cluster) -> None:
        async with widgets(cluster) as api_version, namespace(cluster, "it") as place:
            reference = Reference(api_version, "Widget", "w", place)
            async with asyncio.timeout(10):
                while True:
                    with contextlib.suppress(UnknownKindError):
                        await cluster.resource(api_version, "Widget")
                        break
                    await asyncio.sleep(0.02)
            async with cluster.follow(Target.of(reference)) as following:
                await cluster.apply(
                    {"apiVersion": api_version, "kind": "Widget", "metadata": {"name": "w", "namespace": place}}
                )
                while not following.objects:
                    assert await following.change(10)

    on(sim_cluster, scenario)


def test_a_namespace_is_gone_after_its_context(sim_cluster: str) -> None:
    async def scenario(cluster: Cluster) -> None:
        async with namespace(cluster, "it", run_id="r", fault="f") as name:
            metadata = (await cluster.get("v1", "Namespace", name) or {})["metadata"]
            assert metadata["labels"]["proving.ground/run-id"] == "r"
            assert metadata["annotations"]["proving.ground/fault"] == "f"
        assert await cluster.get("v1", "Namespace", name) is None

    on(sim_cluster, scenario)


def test_a_stuck_finalizer_is_named_by_the_namespace(sim_cluster: str) -> None:
    async def scenario(cluster: Cluster) -> None:
        stuck = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "c", "finalizers": ["test.example/hold"]},
        }
        place = ""
        with pytest.raises(WaitTimeoutError, match=r"test\.example/hold"):
            async with namespace(cluster, "it", timeout=14) as place:
                await cluster.create(stuck, namespace=place)
        reference = Reference("v1", "ConfigMap", "c", place)
        await cluster.patch(reference, {"metadata": {"finalizers": None}})
        await cluster.wait_gone(Reference("v1", "Namespace", place), timeout=30)

    on(sim_cluster, scenario)


def test_a_service_that_fails_late_ends_its_test_at_once(sim_cluster: str, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> Result:
        async with widgets(cluster) as api_version:

            async def controller() -> None:
                async with cluster.follow(Target(api_version, "Widget")) as following:
                    while not following.objects:
                        await following.change(30)
                    reference = Reference.of(following.objects[0])
                    await cluster.patch_status(reference, {"status": "Starting"})
                    condition = {"type": "Failure", "status": "True", "reason": "RuntimeFailed", "message": "crashed"}
                    await cluster.patch_status(reference, {"status": "Failed", "conditions": [condition]})

            crd_reference = Reference(
                "apiextensions.k8s.io/v1", "CustomResourceDefinition", f"widgets.{api_version.split('/')[0]}"
            )
            await cluster.wait_for(crd_reference, established, timeout=10)
            task = asyncio.create_task(controller())
            spec = f"""\
            steps:
            - try:
              - apply:
                  resource: {{apiVersion: {api_version}, kind: Widget, metadata: {{name: w}}}}
              - error:
                  timeout: 1m
                  resource:
                    apiVersion: {api_version}
                    kind: Widget
                    metadata: {{name: w}}
                    status: {{(status == 'Failed'): true}}
              - assert:
                  timeout: 1m
                  resource:
                    apiVersion: {api_version}
                    kind: Widget
                    metadata: {{name: w}}
                    status: {{status: Running}}
            """
            states = '{proving.ground/fail-fast-states: "Failed"}'
            try:
                return await run(cluster, tmp_path, spec, annotations=states)
            finally:
                task.cancel()

    result = on(sim_cluster, scenario)

    assert result.outcome == "failed"
    assert "reports Failed: RuntimeFailed: crashed" in result.message
    assert result.report.metrics["seconds_to_verdict"] < 30


def established(obj: dict[str, Any] | None) -> bool:
    conditions = ((obj or {}).get("status") or {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def test_everything_that_a_test_made_is_gone_when_it_is_reported(sim_cluster: str, tmp_path: Path) -> None:
    spec = """\
    steps:
    - try:
      - apply:
          resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: b}}
      - apply:
          resource:
            apiVersion: rbac.authorization.k8s.io/v1
            kind: ClusterRole
            metadata: {name: "(join('-', [$namespace, 'role']))"}
            rules: []
      - script:
          content: test -n "$NAMESPACE" && test -f "$KUBECONFIG"
      - assert:
          resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: b}}
      - delete:
          ref: {apiVersion: v1, kind: ConfigMap, name: c}
      - error:
          resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}
    """

    async def scenario(cluster: Cluster) -> None:
        result = await run(cluster, tmp_path, spec, surroundings=Surroundings(run_id="engine"))
        assert (result.outcome, result.message) == ("passed", "")
        place = result.report.properties["namespace"]
        assert await cluster.get("v1", "Namespace", place) is None
        assert await cluster.get("rbac.authorization.k8s.io/v1", "ClusterRole", f"{place}-role") is None

    on(sim_cluster, scenario)


def test_an_object_that_stays_outside_the_namespace_fails_the_test(sim_cluster: str, tmp_path: Path) -> None:
    spec = """\
    timeouts: {cleanup: 1s}
    steps:
    - try:
      - apply:
          resource:
            apiVersion: rbac.authorization.k8s.io/v1
            kind: ClusterRole
            metadata: {name: "(join('-', [$namespace, 'role']))", finalizers: [test.example/hold]}
            rules: []
    """

    async def scenario(cluster: Cluster) -> Result:
        result = await run(cluster, tmp_path, spec)
        place = result.report.properties["namespace"]
        reference = Reference("rbac.authorization.k8s.io/v1", "ClusterRole", f"{place}-role")
        await cluster.patch(reference, {"metadata": {"finalizers": None}})
        await cluster.wait_gone(Reference("v1", "Namespace", place), timeout=60)
        return result

    result = on(sim_cluster, scenario)

    assert result.outcome == "failed"
    assert "ClusterRole" in result.message
    assert "test.example/hold" in result.message
