"""A real inference server in a cluster that can ask no registry and no model hub."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from proving_ground.ownership.state import cache_home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Lab

ROOT = Path(__file__).parents[3]
IMAGE = "localhost/proving-ground/inference-server:test"
NAMESPACE = "inference-test"


@pytest.fixture(scope="module")
def served(one_cluster: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the image serves that w1 has; in the end w1 does not have it."""
    command = [sys.executable, "-m", "proving_ground.images", f"--cache={cache_home() / 'images'}"]
    command += [f"--lock={ROOT / 'requirements.lock'}", f"--inference-servers={IMAGE}", "--inference-model=random"]
    command += [f"--output={tmp_path_factory.mktemp('image') / 'image.tar'}"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    images = [{"path": told["archive"], "names": told["names"]}]
    assert one_cluster.play("w1", "node_images", node_images_archives=images).cause == ""
    yield told["served"]
    one_cluster.shell("w1", f"ctr -n k8s.io images rm --sync {IMAGE}")


@pytest.fixture
def asked(cluster: Lab, served: dict[str, Any], tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What the role is asked for; in the end nothing of it is there."""
    (tmp_path / "key").write_text("sesame\n")
    yield {
        "inference_server_runs_as": "pod",
        "inference_server_namespace": NAMESPACE,
        "inference_server_image": IMAGE,
        "inference_server_image_serves": served,
        "inference_server_admin_kubeconfig": str(cluster.state / "lab/kubeconfig/admin.kubeconfig"),
        "inference_server_key_file": str(tmp_path / "key"),
    }
    cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")


def status(url: str, key: str) -> int:
    """Return how a request for one token is answered."""
    headers, body = {"Authorization": f"Bearer {key}"}, {"prompt": "Hello", "max_tokens": 1}
    return httpx.post(f"{url}/v1/completions", json=body, headers=headers, timeout=10, trust_env=False).status_code


def test_a_server_in_the_cluster_answers_who_has_its_key_and_a_second_run_changes_nothing(
    cluster: Lab, asked: dict[str, Any]
) -> None:
    def pods() -> str:
        return cluster.kubectl("get", "pods", "--namespace", NAMESPACE, "--output=name")

    assert cluster.play("localhost", "inference_server", **asked).cause == ""
    platform = json.loads((cluster.state / "platform.json").read_text())
    told = platform["systems"]["inference"]
    assert (told["implementation"], told["parameters"]["model_kind"]) == ("manifests", "random")
    assert told["note"] == "random weights, as asked for: its text is nonsense"
    url = platform["endpoints"]["inference"]["url"]
    assert platform["endpoints"]["inference"]["auth"] == asked["inference_server_key_file"]
    assert (status(url, "sesame"), status(url, "other")) == (200, 401)

    first = pods()
    assert cluster.play("localhost", "inference_server", **asked).cause == ""
    assert pods() == first

    Path(asked["inference_server_key_file"]).write_text("other\n")
    assert cluster.play("localhost", "inference_server", **asked).cause == ""
    assert (status(url, "sesame"), status(url, "other")) == (401, 200)


def test_a_server_that_does_not_come_up_says_why(cluster: Lab, asked: dict[str, Any]) -> None:
    absent = {"inference_server_image": "localhost/nothing:1", "inference_server_ready_seconds": 5}
    outcome = cluster.play("localhost", "inference_server", **(asked | absent))
    assert outcome.status == "failed"
    assert "not ready within 5 s" in outcome.cause
    assert "ErrImagePull" in outcome.detail
    assert "localhost/nothing:1" in outcome.detail
