"""What pods get: of the network from each other and from Services, and through the kubelet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Probes, Seen

    Answers = dict[str, dict[str, str]]

pytestmark = [pytest.mark.pre_merge, pytest.mark.integration]


def _none_wrong(what: str, wrong: list[str]) -> None:
    assert not wrong, f"{what}: {wrong[0]}" + (f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else "")


async def test_names_resolve_in_pods(seen: Seen, probes: Probes, answers: Answers) -> None:
    """A pod on each node resolves the API server's Service, and a Service of its namespace by its short name."""
    service = await seen.cluster.get("v1", "Service", "kubernetes", "default")
    assert service, "expected Service kubernetes in namespace default, there is none"
    api = service["spec"]["clusterIP"]
    expected = {name: api if name.startswith("kubernetes.") else probes.address for name in probes.names}
    wrong = [
        f"on node {pod.node}: {name}: expected {address}, found {answers[pod.name][name].removeprefix('? ')}"
        for pod in probes.pods
        for name, address in expected.items()
        if answers[pod.name][name] != address
    ]
    _none_wrong("names in pods (is CoreDNS up, and does kube-proxy forward to it?)", wrong)


@pytest.mark.multi_node
async def test_pods_reach_each_other_across_nodes(probes: Probes, answers: Answers) -> None:
    """Pods that were forced on different nodes answer each other on their own addresses, in each direction."""
    assert len({pod.node for pod in probes.pods}) > 1, "expected pods on two nodes at least, the cluster has one node"
    wrong = [
        f"{asking.node} to {pod.node} ({pod.address}): expected {pod.name}, "
        f"found {answers[asking.name][pod.url].removeprefix('? ')}"
        for asking in probes.pods
        for pod in probes.pods
        if pod.node != asking.node and answers[asking.name][pod.url] != pod.name
    ]
    _none_wrong("pods across nodes (are the routes, or the overlay, there?)", wrong)


async def test_a_service_answers_pods(probes: Probes, answers: Answers) -> None:
    """A Service answers pods on each node, and it is one of the pods behind it that does."""
    known = {pod.name for pod in probes.pods}
    wrong = [
        f"from node {pod.node}: expected a pod behind it, found {answers[pod.name][probes.url].removeprefix('? ')}"
        for pod in probes.pods
        if answers[pod.name][probes.url] not in known
    ]
    _none_wrong(f"Service {probes.address} (is kube-proxy up on that node?)", wrong)


async def test_the_log_of_a_pod_is_readable(seen: Seen, probes: Probes) -> None:
    """What a pod on each node printed can be read through the API server."""
    logs = await asyncio.gather(*(seen.log(probes, pod.name) for pod in probes.pods))
    wrong = [
        f"on node {pod.node}: expected {probes.word}, found {log.strip()[:80] or 'nothing'}"
        for pod, log in zip(probes.pods, logs, strict=True)
        if probes.word not in log.splitlines()
    ]
    _none_wrong("logs of pods (does the API server reach the kubelet there?)", wrong)


async def test_a_command_runs_in_a_pod(seen: Seen, probes: Probes, random_word: Callable[[], str]) -> None:
    """A command that is sent to a pod on each node runs in that pod, and what it prints comes back."""
    word = random_word()
    printed = await asyncio.gather(*(seen.echo(probes, pod.name, word) for pod in probes.pods))
    wrong = [
        f"on node {pod.node}: expected {word} {pod.name}, found {said.strip() or 'nothing'}"
        for pod, said in zip(probes.pods, printed, strict=True)
        if said.split() != [word, pod.name]
    ]
    _none_wrong("commands in pods (does the API server reach the kubelet there?)", wrong)


async def test_a_port_of_a_pod_is_forwarded(seen: Seen, probes: Probes) -> None:
    """A port of this machine that is forwarded to a pod is answered by that pod."""
    pod = probes.pods[-1]
    async with seen.forwarded(probes, pod.name) as port, aiohttp.ClientSession() as client:
        timeout = aiohttp.ClientTimeout(total=seen.wait(10))
        async with client.get(f"http://127.0.0.1:{port}/", timeout=timeout) as answer:
            found = (await answer.text()) if answer.status == 200 else f"status {answer.status}"
    assert found == pod.name, f"forwarded port: expected {pod.name} to answer, found {found}"
