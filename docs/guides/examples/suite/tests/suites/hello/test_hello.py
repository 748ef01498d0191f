"""What a model server says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from proving_ground.kube import Object, Reference, conditions

if TYPE_CHECKING:
    from proving_ground.kube import Cluster
    from proving_ground.plugin.check_run import CheckRun

MODEL = "example/hello-1b"
SERVER = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "server", "annotations": {"sim.proving.ground/model": MODEL}},
    "spec": {
        "containers": [{"name": "server", "image": "docker.io/vllm/vllm-openai:v0.11.0", "args": ["--model", MODEL]}]
    },
}


def is_ready(pod: Object | None) -> bool:
    return pod is not None and any(kind == "Ready" and status == "True" for kind, status, _, _ in conditions(pod))


@pytest.mark.pre_merge
async def test_a_server_names_its_model(cluster: Cluster, namespace: str, check: CheckRun) -> None:
    """A server that was given a model lists that model, on the pod's own address."""
    await cluster.create(SERVER, namespace=namespace)
    server = Reference("v1", "Pod", "server", namespace)
    pod = await cluster.wait_for(server, is_ready, timeout=check.settings.cut(60), what="a ready server")
    assert pod is not None
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        answer = await client.get(f"http://{pod['status']['podIP']}:8000/v1/models")
    assert [model["id"] for model in answer.json()["data"]] == [MODEL]
