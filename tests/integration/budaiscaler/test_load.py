"""`proving-ground load` against a simulator of the platform: what its metrics tell of it, and how it ends."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from proving_ground.autoscaling import objects

from .conftest import ROOT, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Kept

PLACE = "loaded"
RUNNING, WAITING, ANSWERED = "vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:request_success_total"
AT_ONCE = 5.0
"""Seconds in which a process ends that waits for nothing, on a busy machine."""


@dataclasses.dataclass
class Server:
    url: str

    def metrics(self) -> dict[str, float]:
        text = httpx.get(f"{self.url}/metrics", timeout=30, trust_env=False).text
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found


@pytest.fixture(scope="module")
def server(kept: Kept) -> Iterator[Server]:
    """A pod that serves two requests at once, each in about 0.2 s."""
    kept.kubectl("create", "namespace", PLACE)
    for obj in objects.simulator("served", slots=2, token_milliseconds=20):
        kept.kubectl("create", f"--namespace={PLACE}", "--filename=-", given=obj)
    kept.kubectl("wait", f"--namespace={PLACE}", "--for=condition=Available", "deployment/served", "--timeout=60s")
    (pod,) = kept.get("pods", f"--namespace={PLACE}")["items"]
    yield Server(f"http://{pod['status']['podIP']}:8000")
    kept.kubectl("delete", "namespace", PLACE, "--wait=false")


@pytest.fixture
def loading(kept: Kept, server: Server) -> Iterator[subprocess.Popen[str]]:
    """Load that goes on for longer than any test."""
    words = ("load", server.url, "--concurrency", "8", "--duration", "5m", "--max-tokens", "10", "--output", "json")
    process = subprocess.Popen(
        kept.command(*words), cwd=ROOT, env=kept.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.communicate()


def test_requests_that_were_asked_for_are_answered_and_counted(kept: Kept, server: Server) -> None:
    before = server.metrics().get(ANSWERED, 0)
    done = kept.call("load", server.url, "--requests", "12", "--concurrency", "4", "--max-tokens", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert "12 requests in" in done.stdout
    assert server.metrics()[ANSWERED] == before + 12


def test_load_shows_in_the_metrics_and_ends_at_once_with_its_summary(
    server: Server, loading: subprocess.Popen[str]
) -> None:
    before = server.metrics().get(ANSWERED, 0)

    def busy() -> bool:
        assert loading.poll() is None, loading.communicate()
        now = server.metrics()
        return now[RUNNING] == 2 and now[WAITING] > 0 and now[ANSWERED] > before

    until("two requests that run, and others that wait", busy)
    loading.send_signal(signal.SIGINT)
    began = time.monotonic()
    out, err = loading.communicate(timeout=60)
    assert time.monotonic() - began < AT_ONCE
    assert (loading.returncode, err) == (130, "")
    told = json.loads(out)
    assert told["requests"] > 0
    assert told["p95_latency_ms"] >= told["p50_latency_ms"] > 0
    assert (told["errors"], told["unfinished"]) == (0, 8)
    until("a server at rest", lambda: server.metrics()[RUNNING] == server.metrics()[WAITING] == 0)
    assert server.metrics()[ANSWERED] >= before + told["requests"]
