"""Chainsaw files under pytest with the plugin, against a real API server."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from proving_ground.kube import Cluster, Reference

if TYPE_CHECKING:
    from pathlib import Path

TESTS = """\
apiVersion: chainsaw.kyverno.io/v1alpha1
kind: Test
metadata: {name: passes}
spec:
  description: A map comes and goes.
  steps:
  - try:
    - apply:
        resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {who: ($values.team.name)}}
    - assert:
        resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {who: us}}
---
apiVersion: chainsaw.kyverno.io/v1alpha1
kind: Test
metadata: {name: fails}
spec:
  concurrent: false
  steps:
  - name: look
    try:
    - assert:
        timeout: 10m
        resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}
---
apiVersion: chainsaw.kyverno.io/v1alpha1
kind: Test
metadata: {name: leaves}
spec:
  timeouts: {cleanup: 1s}
  steps:
  - try:
    - apply:
        resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: c, finalizers: [test.example/hold]}}
---
apiVersion: chainsaw.kyverno.io/v1alpha1
kind: Test
metadata: {name: skipped}
spec:
  skip: true
  steps:
  - try:
    - sleep: {duration: 1s}
"""


def run(folder: Path, kubeconfig: str, *options: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    platform = {
        "run_id": "items",
        "inventory": "existing",
        "clusters": {"default": {"kubeconfig": kubeconfig}},
        "capabilities": {"promised": ["kubernetes"], "present": ["kubernetes"]},
        "clock": {"started": dt.datetime.now(dt.UTC).isoformat()},
    }
    (folder / "platform.json").write_text(json.dumps(platform))
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    suite = folder / "suite" / "maps"
    suite.mkdir(parents=True)
    (suite / "chainsaw-test.yaml").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-c", "pytest.ini", "-p", "no:cacheprovider", "suite"]
    command += ["--platform", "platform.json", "--events", "events.jsonl", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    return done, {event["check"].split("/")[1]: event for event in events if event["event"] == "ended"}


async def let_go(kubeconfig: str, place: str) -> None:
    """Remove what a test left behind on purpose."""
    async with Cluster.connect(kubeconfig) as cluster:
        await cluster.patch(Reference("v1", "ConfigMap", "c", place), {"metadata": {"finalizers": None}})
        await cluster.wait_gone(Reference("v1", "Namespace", place), timeout=60)


def test_each_test_of_a_file_ends_as_its_own_check(sim_cluster: str, tmp_path: Path) -> None:
    done, ended = run(
        tmp_path, sim_cluster, "--set", "team.name=us", "--wait-limit", "0.5", "--allow-skip", "spec-skip"
    )

    assert {name: event["outcome"] for name, event in ended.items()} == {
        "passes": "passed",
        "fails": "failed",
        "leaves": "failed",
        "skipped": "skipped",
    }, done.stdout + done.stderr
    asyncio.run(let_go(sim_cluster, ended["leaves"]["properties"]["namespace"]))
    assert ended["fails"]["message"].startswith("assert failed after 0.")
    assert 'chainsaw-test.yaml:21, step "look": there is no ConfigMap' in ended["fails"]["message"]
    assert "test.example/hold" in ended["leaves"]["detail"]
    assert "Traceback" not in done.stdout
    assert done.returncode == 1


def test_an_engine_that_is_not_installed_is_a_configuration_error(sim_cluster: str, tmp_path: Path) -> None:
    done, ended = run(tmp_path, sim_cluster, "--engine", "chainsaw", "-k", "passes", "--set", "team.name=us")

    assert ended["passes"]["outcome"] == "error"
    assert "chainsaw binary is not installed" in ended["passes"]["message"]
    assert done.returncode != 0
