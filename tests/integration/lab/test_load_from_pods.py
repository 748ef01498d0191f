"""A load that pods of a real cluster make: it reaches a server there, and its parts add up."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proving_ground.errors import InfrastructureError
from proving_ground.load.measured.plan import Level, Plan
from proving_ground.load.pods.manifests import IMAGE
from proving_ground.load.pods.running import Place, measure_from_pods
from proving_ground.ownership.state import cache_home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Lab

    from proving_ground.load.measured.result import Measured

ROOT = Path(__file__).parents[3]
SERVER = "docker.io/vllm/vllm-openai:v0.11.0"
RATE, SECONDS = 10, 4


@pytest.fixture(scope="module")
def server(one_cluster: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a model server's pod; the nodes have its image, and that of load workers."""
    archive = tmp_path_factory.mktemp("images") / "images.tar"
    command = [sys.executable, "-m", "proving_ground.images", f"--cache={cache_home() / 'images'}"]
    command += [f"--lock={ROOT / 'requirements.lock'}", f"--load-workers={IMAGE}", f"--servers={SERVER}"]
    subprocess.run([*command, f"--output={archive}"], check=True, capture_output=True, timeout=900)
    images = [{"path": str(archive), "names": [IMAGE, SERVER]}]
    outcome = one_cluster.play("w1", "node_images", node_images_archives=images)
    assert outcome.status == "passed", outcome
    one_cluster.kubectl("create", "namespace", "served")
    ready = {"httpGet": {"path": "/health", "port": 8000}, "periodSeconds": 1}
    container = {"name": "server", "image": SERVER, "args": ["--model=m", "--port=8000"], "readinessProbe": ready}
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [container]}}
    one_cluster.kubectl("run", "server", "--namespace=served", f"--image={SERVER}", f"--overrides={json.dumps(pod)}")
    one_cluster.kubectl("wait", "--namespace=served", "--for=condition=Ready", "--timeout=90s", "pod/server")
    try:
        yield one_cluster.kubectl("get", "--namespace=served", "pod/server", "--output=jsonpath={.status.podIP}")
    finally:
        one_cluster.kubectl("delete", "namespace", "served")


def answered(server: str) -> float:
    """Return how many requests a server has answered."""
    url = f"http://{server}:8000/metrics"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            page = answer.read().decode()
    except urllib.error.HTTPError as error:
        pytest.fail(f"{url}: {error}: {error.headers} {error.read()!r}")
    return sum(map(float, re.findall(r"^vllm:request_success_total\S* (\S+)", page, re.MULTILINE)))


def load(lab: Lab, server: str, image: str = IMAGE) -> Measured:
    """Send requests at equal distances from two pods."""
    plan = Plan(
        url=f"http://{server}:8000",
        model="m",
        arrivals="constant",
        profile="burst",
        levels=(Level(value=RATE, seconds=SECONDS, warm_up=0.0),),
        max_tokens=4,
        drain=5.0,
        worker_pods=2,
        allowed=(server,),
        time_error=1.0,
    )
    kubeconfig = str(lab.state / "lab/kubeconfig/admin.kubeconfig")
    return asyncio.run(measure_from_pods(plan, Place(kubeconfig, image=image, run_id=lab.run_id)))


def namespaces(lab: Lab) -> list[str]:
    found = json.loads(lab.kubectl("get", "namespaces", "--output=json"))["items"]
    return [one["metadata"]["name"] for one in found if one["metadata"]["name"].startswith("load-")]


def test_a_load_from_pods_reaches_the_server_and_its_parts_add_up(cluster: Lab, server: str) -> None:
    before = answered(server)
    measured = load(cluster, server)
    assert measured.client.parts == 2
    # Each pod sends every second request: without one of them there are half as many.
    assert measured.last.requests == RATE * SECONDS
    assert measured.last.problems == {}
    assert answered(server) - before == RATE * SECONDS
    assert namespaces(cluster) == []


def test_pods_whose_image_nobody_has_are_named_with_the_reason(cluster: Lab, server: str) -> None:
    with pytest.raises(InfrastructureError, match=r"load-master: .*did not start.*localhost/absent:1.*--worker-image"):
        load(cluster, server, "localhost/absent:1")
    assert namespaces(cluster) == []
