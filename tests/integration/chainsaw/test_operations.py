"""Each operation against a real API server, where it passes and where it fails, and waits beside kubectl's own."""

from __future__ import annotations

import asyncio
import os
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.chainsaw.loader import load_tests
from proving_ground.chainsaw.run import Result, run_tests
from proving_ground.kube import Cluster, Reference, create_namespace, remove_namespace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from proving_ground.contracts.platform import Platform

MAP = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: one, b: two}}"
POD = """\
- apply:
    resource:
      apiVersion: v1
      kind: Pod
      metadata: {name: web, labels: {app: web}}
      spec:
        tolerations: [{operator: Exists}]
        containers: [{name: main, image: registry.example/none, ports: [{containerPort: 8080}]}]
- wait: {apiVersion: v1, kind: Pod, name: web, timeout: 1m, for: {condition: {name: Ready}}}
"""


def on(kubeconfig: str, scenario: Callable[[Cluster], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with Cluster.connect(kubeconfig) as cluster:
            return await scenario(cluster)

    return asyncio.run(main())


@dataclass(frozen=True)
class Place:
    """A namespace that the tests of this module share: its coming and going takes longer than any of them."""

    kubeconfig: str
    namespace: str


@pytest.fixture(scope="module")
def place(sim_cluster: str) -> Iterator[Place]:
    made = on(sim_cluster, lambda cluster: create_namespace(cluster, "it"))
    name = str(made["metadata"]["name"])
    yield Place(sim_cluster, name)
    on(sim_cluster, lambda cluster: remove_namespace(cluster, name, timeout=60))


async def one(cluster: Cluster, folder: Path, operations: str, place: str) -> Result:
    """Run a test of one step with these operations."""
    file = folder / "chainsaw-test.yaml"
    head = "apiVersion: chainsaw.kyverno.io/v1alpha1\nkind: Test\nmetadata: {name: it}\nspec:\n"
    file.write_text(
        head + f"  namespace: {place}\n" + "  steps:\n  - try:\n" + textwrap.indent(textwrap.dedent(operations), "    ")
    )
    (result,) = await run_tests(load_tests(file), cluster, root=folder)
    return result


def both(place: Place, folder: Path, *operations: str) -> list[Result]:
    """Run tests one after the other."""
    folders = [folder / str(number) for number in range(len(operations))]
    for one_folder in folders:
        one_folder.mkdir()

    async def scenario(cluster: Cluster) -> list[Result]:
        pairs = zip(folders, operations, strict=True)
        return [await one(cluster, one_folder, text, place.namespace) for one_folder, text in pairs]

    results: list[Result] = on(place.kubeconfig, scenario)
    return results


def texts(result: Result) -> str:
    return "\n".join(f"{name}\n{text}" for name, text in result.report.attachments)


def test_patch_merges_into_what_exists(place: Place, tmp_path: Path) -> None:
    patch = (
        "- patch: {timeout: 300ms, resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: new}}}\n"
    )
    same = "- assert: {resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: new, b: two}}}\n"
    passed, failed = both(place, tmp_path, f"- create: {{resource: {MAP}}}\n{patch}{same}", patch)

    assert (passed.outcome, passed.message) == ("passed", "")
    assert "patch failed" in failed.message
    assert "/c: there is none, so it cannot be patched" in failed.message


def test_update_replaces_what_exists(place: Place, tmp_path: Path) -> None:
    update = (
        "- update: {timeout: 300ms, resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: new}}}\n"
    )
    same = """\
    - assert:
        resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: new, (b == null): true}}
    """
    fixed = MAP.replace("metadata:", "immutable: true, metadata:")
    create = f"- create: {{resource: {MAP}}}\n"
    passed, absent, refused = both(
        place,
        tmp_path,
        create + update + textwrap.dedent(same),
        update,
        f"- create: {{resource: {fixed}}}\n{update}",
    )

    assert (passed.outcome, passed.message) == ("passed", "")
    assert "/c: there is none, so it cannot be updated" in absent.message
    assert "update failed" in refused.message
    assert "field is immutable when `immutable` is set" in refused.message


def test_expectations_and_dry_runs_of_patch_and_update(place: Place, tmp_path: Path) -> None:
    operations = f"- create: {{resource: {MAP}}}\n"
    for kind in ("patch", "update"):
        operations += f"""\
- {kind}:
    resource: {{apiVersion: v1, kind: ConfigMap, metadata: {{name: c}}, data: {{a: {kind}}}}}
    dryRun: true
    expect: [{{check: {{data: {{a: {kind}}}, ($error): null}}}}]
    outputs: [{{name: seen_{kind}, value: (data.a)}}]
- {kind}:
    resource: {{apiVersion: v1, kind: ConfigMap, metadata: {{name: c}}, data: {{"not a key!": x}}}}
    expect: [{{check: {{"(contains($error, 'Invalid value'))": true}}}}]
"""
    operations += f"""\
- assert: {{resource: {{($seen_patch): patch, ($seen_update): update}}}}
- assert: {{resource: {MAP}}}
"""
    (result,) = both(place, tmp_path, operations)

    assert (result.outcome, result.message) == ("passed", "")


def test_a_pod_becomes_ready_is_shown_and_goes(place: Place, tmp_path: Path) -> None:
    operations = f"""\
{POD}
- get: {{apiVersion: v1, kind: Pod, name: web, format: json}}
- describe: {{apiVersion: v1, kind: Pod, name: we}}
- events: {{}}
- podLogs: {{selector: app=web}}
- delete: {{ref: {{apiVersion: v1, kind: Pod, name: web}}}}
- wait: {{apiVersion: v1, kind: Pod, name: web, for: {{deletion: {{}}}}}}
"""
    (result,) = both(place, tmp_path, operations)

    assert (result.outcome, result.message) == ("passed", "")
    shown = texts(result)
    for part in ('"kind": "Pod"', "Pod web: state", "Scheduled", "log of main"):
        assert part in shown


@pytest.mark.parametrize(
    ("operation", "told"),
    [
        ("get: {apiVersion: v1, kind: Pod, name: none}", "get failed"),
        ("describe: {apiVersion: v1, kind: Pod, name: none}", "describe failed"),
        ("events: {name: none}", "events failed"),
        ("podLogs: {name: none}", "podLogs failed"),
        (
            "wait: {apiVersion: v1, kind: Pod, name: none, for: {condition: {name: Ready}}}",
            "no matching resources found",
        ),
        ("get: {apiVersion: v1, kind: Gadget}", "Gadget"),
    ],
)
def test_what_is_not_there_fails_the_test_that_names_it(
    place: Place, tmp_path: Path, operation: str, told: str
) -> None:
    (result,) = both(place, tmp_path, f"- {operation}\n")

    assert result.outcome == "failed"
    assert told in result.message


def test_the_api_server_refuses_to_be_a_proxy_to_loopback_addresses(place: Place, tmp_path: Path) -> None:
    refused, absent = both(
        place,
        tmp_path,
        f"{POD}\n- proxy: {{apiVersion: v1, kind: Pod, name: web, port: '8080', path: /metrics}}\n",
        "- proxy: {apiVersion: v1, kind: Service, name: none, port: http}\n",
    )

    assert "proxy failed" in refused.message
    assert "address not allowed" in refused.message
    assert "/pods/web:8080/proxy/metrics" in refused.message
    assert 'services "none" not found' in absent.message


def test_programs_reach_the_cluster_of_the_test(sim_platform: Platform, place: Place, tmp_path: Path) -> None:
    kubectl = sim_platform.clusters["default"].kubectl
    passed, failed = both(
        place,
        tmp_path,
        f"""\
        - create: {{resource: {MAP}}}
        - script:
            shell: bash
            shellArgs: [-euo, pipefail, -c]
            env: [{{name: WANTED, value: (join('', ['c', 'm', '/c']))}}]
            content: '{kubectl} get "$WANTED" -n "$NAMESPACE" -o name | tr -d "\\n"'
            check: {{($stdout): configmap/c, ($stderr): "", ($error): null}}
            outputs: [{{name: found, value: ($stdout)}}]
        - command:
            entrypoint: {kubectl}
            args: [get, cm, c, -n, $NAMESPACE, -o, "jsonpath={{.data.a}}$$"]
            check: {{($stdout): one$, ($found): configmap/c}}
        """.replace("value: (join('', ['c', 'm', '/c']))", "value: \"(join('', ['c', 'm', '/c']))\""),
        f"- command: {{entrypoint: {kubectl}, args: [get, cm, none, -n, $NAMESPACE]}}\n",
    )

    assert (passed.outcome, passed.message) == ("passed", "")
    assert 'exit status 1: Error from server (NotFound): configmaps "none" not found' in failed.message


SERVICE = {"ports": [{"port": 80, "name": "one"}, {"port": 81, "name": "two"}]}
PATHS = [
    ("{.spec.type}", "ClusterIP"),
    (".spec.type", "ClusterIP"),
    ("spec.type", "clusterip"),
    ("{.spec.type}", None),
    ("{.spec['type']}", "ClusterIP"),
    ("{.spec.none}", None),
    ("{.spec.none[0].x}", None),
    ("{.spec.ports}", None),
    ("{.spec.ports}", "x"),
    ("{.spec.ports[0].port}", "80"),
    ("{.spec.ports[-1].port}", "81"),
    ("{.spec.ports[5].port}", "81"),
    ("{.spec.ports[1:].port}", "81"),
    ("{.spec.ports[*].port}", None),
    ('{.spec.ports[?(@.name=="two")].port}', "81"),
    ('{.spec.ports[?(@.port=="81")].name}', "two"),
    ("{.spec.ports[?(@.port>80)].name}", "two"),
    ("{.spec.ports[?(@.nodePort)].name}", "two"),
    ("{.spec.type[0]}", None),
    (r"{.metadata.labels.a\.b}", "dotted"),
    ("{.metadata.labels['a.b']}", "dotted"),
]
NAMED, ALL, NONE = "service/s", "service --all", "service -l a=none"
WAITS: list[tuple[str, str, str]] = [
    *(
        (NAMED, f"jsonpath={path}" + (f"={value}" if value else ""), _)
        for path, value in PATHS
        for _ in [f"jsonPath: {{path: {path!r}{f', value: {value!r}' if value else ''}}}".replace("\\\\", "\\")]
    ),
    (NAMED, "condition=Ready", "condition: {name: Ready}"),
    (NAMED, "condition=ready=TRUE", "condition: {name: ready, value: 'TRUE'}"),
    ("pod/p", "condition=Stale", "condition: {name: Stale}"),
    ("pod/p", "condition=Fresh", "condition: {name: Fresh}"),
    ("pod/p", "condition=Plain", "condition: {name: Plain}"),
    (NAMED, "condition=Blocked=false", "condition: {name: Blocked, value: 'false'}"),
    (NAMED, "condition=Blocked", "condition: {name: Blocked}"),
    (NAMED, "delete", "deletion: {}"),
    ("service/none", "delete", "deletion: {}"),
    ("service/none", "condition=Ready", "condition: {name: Ready}"),
    (NONE, "delete", "deletion: {}"),
    *((which, "create", "creation: {}") for which in (NAMED, ALL, NONE, "service/none", "service -l app=x")),
    (NONE, "condition=Ready", "condition: {name: Ready}"),
    (ALL, "jsonpath={.kind}=Service", "jsonPath: {path: .kind, value: Service}"),
    (ALL, "condition=Ready", "condition: {name: Ready}"),
    ("service -l app=x", "condition=Ready", "condition: {name: Ready}"),
]


def test_waits_end_as_kubectls_do(sim_platform: Platform, place: Place, tmp_path: Path) -> None:
    kubectl = sim_platform.clusters["default"].kubectl or "kubectl"

    async def theirs(which: str, goal: str) -> tuple[bool, str]:
        arguments = ("wait", *which.split(), f"--for={goal}", "-n", place.namespace, "--timeout=300ms")
        environment = {**os.environ, "KUBECONFIG": place.kubeconfig}
        process = await asyncio.create_subprocess_exec(
            kubectl, *arguments, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()
        return process.returncode == 0, output.decode().strip()

    async def ours(cluster: Cluster, which: str, goal: str) -> tuple[bool, str]:
        kind, _, name = which.partition("/")
        kind, _, selector = kind.partition(" -l ")
        chosen = f"name: {name}, " if name else ""
        if selector:
            chosen = f"selector: {selector}, "
        kind = kind.split()[0].capitalize()
        wait = f"- wait: {{apiVersion: v1, kind: {kind}, {chosen}timeout: 300ms, for: {{{goal}}}}}\n"
        result = await one(cluster, tmp_path, wait, place.namespace)
        return result.outcome == "passed", result.message

    async def scenario(cluster: Cluster) -> list[str]:
        made = []
        for name, labels in (("s", {"app": "x", "a.b": "dotted"}), ("t", {})):
            metadata = {"name": name, "namespace": place.namespace, "labels": labels}
            made.append(
                await cluster.create({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": SERVICE})
            )
        made.append(await waiting_pod(cluster, place.namespace))
        await set_conditions(cluster, made[0], Ready="True", Blocked="False")
        await set_conditions(cluster, made[2], Plain="True", Stale=1, Fresh=2)
        differences = []
        for which, goal, written in WAITS:
            expected, found = await theirs(which, goal), await ours(cluster, which, written)
            if expected[0] is not found[0]:
                differences.append(f"{which} {goal}\n  kubectl: {expected}\n  engine: {found}")
        for service in made:
            await cluster.delete(Reference.of(service))
        return differences

    differences = on(place.kubeconfig, scenario)
    assert not differences, "\n".join(differences)


async def waiting_pod(cluster: Cluster, place: str) -> dict[str, Any]:
    """Make a pod that nobody schedules, in its second generation."""
    metadata = {"name": "p", "namespace": place}
    spec = {"schedulerName": "nobody", "containers": [{"name": "main", "image": "registry.example/one"}]}
    pod = await cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    containers = [{"name": "main", "image": "registry.example/two"}]
    pod = await cluster.patch(Reference.of(pod), {"spec": {"containers": containers}}, type="strategic")
    assert pod["metadata"]["generation"] == 2
    return pod


async def set_conditions(cluster: Cluster, obj: dict[str, Any], **conditions: str | int) -> None:
    """Set conditions by type: their status, or true as of a generation."""
    moment = {"lastTransitionTime": "2026-01-01T00:00:00Z", "reason": "Test", "message": ""}
    written = [
        {"type": kind, "status": state, **moment}
        if isinstance(state, str)
        else {"type": kind, "status": "True", "observedGeneration": state, **moment}
        for kind, state in conditions.items()
    ]
    await cluster.patch_status(Reference.of(obj), {"conditions": written})
