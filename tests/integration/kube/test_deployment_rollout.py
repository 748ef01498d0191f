"""The module that waits for a Deployment, on a real API server whose pods a fleet runs."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proving_ground.kube import Cluster, namespace

if TYPE_CHECKING:
    from proving_ground.contracts.platform import Platform

ROOT = Path(__file__).parents[3]


def deployment(name: str, gpus: str) -> dict[str, Any]:
    container = {"name": "server", "image": "docker.io/vllm/vllm-openai:v0.11.0"}
    resources = {"resources": {"limits": {"amd.com/gpu": gpus}}}
    pod = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container | resources]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": pod}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def wait(platform: Platform, collections: Path, name: str, place: str, *more: str) -> dict[str, Any]:
    """Wait as a playbook does, and return what the module said."""
    cluster = platform.clusters["default"]
    options = {
        "kubectl": [cluster.kubectl, f"--kubeconfig={cluster.kubeconfig}"],
        "namespace": place,
        "name": name,
        "seconds": 20 if name == "sound" else 1,
    }
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("ansible"), "localhost", "-m", "proving.ground.deployment_rollout"),
            *("-a", json.dumps(options), "-e", f"ansible_python_interpreter={sys.executable}", *more),
        ],
        env=os.environ | {"ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_LOCALHOST_WARNING": "false"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said: dict[str, Any] = json.loads(done.stdout.partition("=> ")[2])
    return said | {"failed": bool(done.returncode)}


def test_a_rollout_is_waited_for_and_one_that_cannot_end_says_why(sim_platform: Platform, tmp_path: Path) -> None:
    collection = tmp_path / "ansible_collections/proving"
    collection.mkdir(parents=True)
    (collection / "ground").symlink_to(ROOT)

    async def tried() -> list[dict[str, Any]]:
        async with (
            Cluster.connect(sim_platform.clusters["default"].kubeconfig) as cluster,
            namespace(cluster, "kube-rollout") as place,
        ):
            await cluster.create(deployment("sound", "1"), namespace=place)
            await cluster.create(deployment("too-large", "9000"), namespace=place)
            wanted = [("sound",), ("too-large",), ("too-large", "--check"), ("not-there",)]
            each = [asyncio.to_thread(wait, sim_platform, tmp_path, n, place, *more) for n, *more in wanted]
            return await asyncio.gather(*each)

    sound, large, checked, absent = asyncio.run(tried())
    assert not sound["failed"]
    assert not sound["changed"]
    assert large["failed"]
    assert "kube-rollout" in large["msg"]
    assert "/too-large is not ready within 1 s" in large["msg"]
    assert "not scheduled" in large["pods"][0]
    assert "Insufficient amd.com/gpu" in large["pods"][0]
    assert not checked["failed"]
    assert absent["failed"]
    assert "not found" in absent["msg"]
