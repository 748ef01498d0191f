from __future__ import annotations

import datetime as dt
import threading
from typing import TYPE_CHECKING

import pytest
import yaml

from proving_ground.contracts.platform import Clock, Cluster, Platform
from proving_ground.pipeline.probing import ClusterWatch, Target, ask, target_of

if TYPE_CHECKING:
    from pathlib import Path

KUBECONFIG = {
    "current-context": "main",
    "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u"}}],
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:9/", "proxy-url": "http://127.0.0.1:8"}}],
}


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(KUBECONFIG))
    started = dt.datetime.now(dt.UTC)
    clusters = {"default": Cluster(kubeconfig=str(file))}
    return Platform(run_id="r1", inventory="x", clusters=clusters, clock=Clock(started=started))


def test_a_cluster_is_asked_at_the_server_of_its_context(platform: Platform) -> None:
    assert target_of(platform.clusters["default"]) == Target("https://127.0.0.1:9", "http://127.0.0.1:8")


@pytest.mark.parametrize("content", ["", "[", "current-context: x", "[1]", "contexts: [{name: x}]\ncurrent-context: x"])
def test_a_kubeconfig_that_names_no_server_is_not_asked(tmp_path: Path, content: str) -> None:
    (tmp_path / "kubeconfig").write_text(content)
    assert target_of(Cluster(kubeconfig=str(tmp_path / "kubeconfig"))) is None


def test_a_server_that_refuses_connections_is_told() -> None:
    assert "refused" in ask(Target("https://127.0.0.1:9"))


def test_a_cluster_that_stays_silent_is_lost_since_its_last_answer(platform: Platform) -> None:
    before = dt.datetime.now(dt.UTC)
    silent = threading.Event()

    def asking(_: Target) -> str:
        silent.set()
        return "refused"

    with ClusterWatch(platform, patience=0.0, interval=0.001, asking=asking) as watch:
        assert silent.wait(10)
        watch.join(10)
    assert watch.lost is not None
    assert watch.lost.line == "cluster default does not answer any more (https://127.0.0.1:9: refused)"
    assert watch.lost.since >= before


def test_a_cluster_that_answers_again_is_not_lost(platform: Platform) -> None:
    answers = iter(["refused", ""])
    with ClusterWatch(platform, interval=0.001, asking=lambda _: next(answers, "")) as watch:
        assert watch.now() is None
    assert watch.lost is None


def test_asking_that_raises_counts_as_no_answer(platform: Platform) -> None:
    def asking(_: Target) -> str:
        raise RuntimeError

    with ClusterWatch(platform, patience=0.0, interval=0.001, asking=asking) as watch:
        watch.join(10)
    assert watch.lost is not None
