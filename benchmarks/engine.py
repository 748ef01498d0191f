"""Measure the engine: generated tests whose services take a fixed time to become ready.

Each test is what the AIM templates generate: apply, error, assert. The services are of a kind of this benchmark's
own; a controller in a process of its own makes each ready that many seconds after it was created, so that what is
measured beyond ``tests / parallel * seconds`` is the engine's.

The engine is measured as it is used, under pytest with the plugin; ``--runner library`` leaves both out.

    python benchmarks/engine.py --kubeconfig FILE [--tests 50] [--parallel 4] [--seconds 1.0] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from engine_controller import API_VERSION, GROUP, KIND

LIMITS = {"to_last_verdict": 17.0, "engine_cpu": 5.0, "cleanup_after_verdict": 10.0}
CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"benchmarkservices.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"kind": KIND, "plural": "benchmarkservices", "singular": "benchmarkservice"},
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}
SERVICE = """\
apiVersion: {api_version}
kind: {kind}
metadata:
  name: {name}
spec:
  model:
    image: example.test/{name}:1.0
"""
TEST = """\
apiVersion: chainsaw.kyverno.io/v1alpha1
kind: Test
metadata:
  name: {name}
  annotations:
    proving.ground/fail-fast-states: "Failed,Degraded"
spec:
  description: Benchmark of the engine.
  steps:
    - name: Create service
      try:
        - apply:
            file: service.yaml
    - name: Check for Degraded or Failed state
      try:
        - error:
            timeout: 1m
            resource:
              apiVersion: {api_version}
              kind: {kind}
              metadata:
                name: {name}
              status:
                (status == 'Degraded' || status == 'Failed'): true
    - name: Verify service becomes ready
      try:
        - assert:
            timeout: 1m
            resource:
              apiVersion: {api_version}
              kind: {kind}
              metadata:
                name: {name}
              status:
                status: Running
                (conditions[?type == 'RuntimeReady']):
                  - status: "True"
"""


def generate(folder: Path, count: int) -> None:
    for number in range(count):
        name = f"benchmark-{number:03}"
        (folder / name).mkdir()
        names = {"name": name, "api_version": API_VERSION, "kind": KIND}
        (folder / name / "service.yaml").write_text(SERVICE.format(**names))
        (folder / name / "chainsaw-test.yaml").write_text(TEST.format(**names))
    (folder / ".chainsaw.yaml").write_text(
        "apiVersion: chainsaw.kyverno.io/v1alpha1\nkind: Configuration\n"
        "metadata:\n  name: benchmark\nspec:\n  timeouts:\n    cleanup: 5m\n"
    )


async def run_library(folder: Path, kubeconfig: Path, parallel: int) -> dict[str, Any]:
    """What the engine's own process does: collect, connect, run."""
    from proving_ground.chainsaw.loader import load_tests  # noqa: PLC0415  # only the measured process pays for it
    from proving_ground.chainsaw.run import run_tests  # noqa: PLC0415
    from proving_ground.kube import Cluster  # noqa: PLC0415

    files = sorted(folder.glob("*/chainsaw-test.yaml"))  # noqa: ASYNC240  # nothing else runs yet
    tests = [test for file in files for test in load_tests(file)]
    async with Cluster.connect(kubeconfig) as cluster:
        started = time.monotonic()
        results = await run_tests(tests, cluster, parallel=parallel, root=folder)
        return {
            "outcomes": {
                outcome: sum(r.outcome == outcome for r in results) for outcome in {r.outcome for r in results}
            },
            "first_failure": next((r.message for r in results if r.outcome != "passed"), ""),
            "to_last_verdict": max(r.verdict_at for r in results) - started,
            "cleanup_after_verdict": max(r.ended_at for r in results) - max(r.verdict_at for r in results),
            "slowest_verdict": max(r.report.metrics.get("seconds_to_verdict", 0) for r in results),
            "requests": cluster.requests,
        }


async def prepare(kubeconfig: Path) -> None:
    from proving_ground.kube import Cluster, Reference  # noqa: PLC0415

    async with Cluster.connect(kubeconfig) as cluster:
        await cluster.apply(CRD)
        crd = Reference("apiextensions.k8s.io/v1", "CustomResourceDefinition", CRD["metadata"]["name"])
        await cluster.wait_for(
            crd,
            lambda obj: any(
                c["type"] == "Established" and c["status"] == "True"
                for c in ((obj or {}).get("status") or {}).get("conditions") or []
            ),
            timeout=10,
            what="condition Established",
        )


async def tidy(kubeconfig: Path) -> None:
    from proving_ground.kube import Cluster, Reference  # noqa: PLC0415

    async with Cluster.connect(kubeconfig) as cluster:
        await cluster.delete(Reference("apiextensions.k8s.io/v1", "CustomResourceDefinition", CRD["metadata"]["name"]))


def pytest_command(options: argparse.Namespace, folder: Path) -> list[str]:
    platform = {
        "run_id": "benchmark",
        "inventory": "existing",
        "clusters": {"default": {"kubeconfig": str(options.kubeconfig.resolve())}},
        "capabilities": {"promised": ["kubernetes"], "present": ["kubernetes"]},
        "clock": {"started": dt.datetime.now(dt.UTC).isoformat()},
    }
    (folder / "platform.json").write_text(json.dumps(platform))
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(folder / "pytest.ini"), "-p", "no:cacheprovider"]
    command += ["--platform", str(folder / "platform.json"), "--events", str(folder / "events.jsonl")]
    return [*command, "--parallel", str(options.parallel), str(folder)]


def read_events(file: Path) -> dict[str, Any]:
    """Return the figures of the library's own run from the event log of the plugin."""
    events = [json.loads(line) for line in file.read_text().splitlines()]
    started = {e["check"]: dt.datetime.fromisoformat(e["time"]) for e in events if e["event"] == "started"}
    ended = {e["check"]: e for e in events if e["event"] == "ended"}
    first = min(started.values())
    verdicts = [
        (started[c] - first).total_seconds() + e["metrics"].get("seconds_to_verdict", 0) for c, e in ended.items()
    ]
    last = max((dt.datetime.fromisoformat(e["time"]) - first).total_seconds() for e in ended.values())
    outcomes = [e["outcome"] for e in ended.values()]
    return {
        "outcomes": {outcome: outcomes.count(outcome) for outcome in set(outcomes)},
        "first_failure": next((e["detail"] for e in ended.values() if e["outcome"] != "passed"), ""),
        "to_last_verdict": max(verdicts),
        "cleanup_after_verdict": last - max(verdicts),
        "slowest_verdict": max(e["metrics"].get("seconds_to_verdict", 0) for e in ended.values()),
        "requests": None,
    }


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run the engine in a process of its own; its CPU time is the kernel's count, start of Python included."""
    command = [sys.executable, __file__, "--engine-process", str(folder)]
    command += ["--kubeconfig", str(options.kubeconfig), "--parallel", str(options.parallel)]
    if options.runner == "pytest":
        command = pytest_command(options, folder)
    before = os.times()
    started = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=600)
    wall, after = time.monotonic() - started, os.times()
    if done.returncode > 1:
        raise SystemExit(f"the engine's process ended with {done.returncode}:\n{done.stdout}")
    figures: dict[str, Any]
    if options.runner == "pytest":
        figures = read_events(folder / "events.jsonl")
    else:
        figures = json.loads(done.stdout.splitlines()[-1])
    figures["engine_cpu"] = after.children_user + after.children_system - before.children_user - before.children_system
    figures["wall"] = wall
    return figures


def peer(options: argparse.Namespace, folder: Path) -> dict[str, float] | None:
    """Run the same tests with the chainsaw binary, where it is installed; its wall and CPU seconds."""
    program = shutil.which("chainsaw")
    if program is None:
        return None
    command = [program, "test", str(folder), "--parallel", str(options.parallel)]
    command += ["--config", str(folder / ".chainsaw.yaml")]
    environment = os.environ | {"KUBECONFIG": str(options.kubeconfig.resolve())}
    before = os.times()
    started = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=1800)
    wall, after = time.monotonic() - started, os.times()
    if done.returncode != 0:
        raise SystemExit(f"chainsaw ended with {done.returncode}:\n{done.stdout[-3000:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall": wall, "cpu": cpu}


def report(options: argparse.Namespace, figures: dict[str, Any]) -> None:
    limit = math.ceil(options.tests / options.parallel) * options.seconds
    figures |= {
        "tests": options.tests,
        "parallel": options.parallel,
        "service_seconds": options.seconds,
        "theoretical_limit": limit,
        "runner": options.runner,
        "requests_per_test": figures["requests"] and round(figures["requests"] / options.tests, 1),
        "limits": LIMITS,
    }
    rows = [
        ("tests", f"{options.tests}, {options.parallel} in parallel, services ready after {options.seconds:g} s", ""),
        ("outcomes", ", ".join(f"{count} {outcome}" for outcome, count in sorted(figures["outcomes"].items())), ""),
        ("theoretical limit", f"{limit:.1f} s", ""),
        ("to the last verdict", f"{figures['to_last_verdict']:.1f} s", "to_last_verdict"),
        ("clean-up verified after", f"{figures['cleanup_after_verdict']:.1f} s more", "cleanup_after_verdict"),
        ("CPU of the engine's process", f"{figures['engine_cpu']:.1f} s", "engine_cpu"),
        ("whole process", f"{figures['wall']:.1f} s", ""),
    ]
    if figures["requests"]:
        rows.append(("API requests per test", f"{figures['requests_per_test']}", ""))
    for name, value, key in rows:
        goal = f"goal {LIMITS[key]:g} s: {'met' if figures[key] <= LIMITS[key] else 'MISSED'}" if key else ""
        print(f"{name:<28}{value:<50}{goal}".rstrip())
    other = figures["chainsaw"]
    beside = f"{other['wall']:.1f} s, CPU {other['cpu']:.1f} s" if other else "not installed here"
    print(f"{'chainsaw, whole process':<28}{beside}")
    if figures["first_failure"]:
        print(figures["first_failure"], file=sys.stderr)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kubeconfig", type=Path, required=True, help="any cluster on which you may define a kind")
    parser.add_argument("--tests", type=int, default=50)
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=1.0, help="time until a service is ready")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--runner", choices=("pytest", "library"), default="pytest")
    parser.add_argument("--engine-process", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine_process:
        print(json.dumps(asyncio.run(run_library(options.engine_process, options.kubeconfig, options.parallel))))
        return 0
    asyncio.run(prepare(options.kubeconfig))
    controller = [sys.executable, str(Path(__file__).with_name("engine_controller.py"))]
    controller += ["--kubeconfig", str(options.kubeconfig), "--seconds", str(options.seconds)]
    with (
        tempfile.TemporaryDirectory(prefix="engine-benchmark-") as scratch,
        subprocess.Popen(controller, stdout=subprocess.PIPE, text=True) as process,
    ):
        try:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise SystemExit("the benchmark's controller did not start")
            generate(Path(scratch), options.tests)
            figures = measure(options, Path(scratch))
            figures["chainsaw"] = peer(options, Path(scratch))
        finally:
            process.terminate()
            asyncio.run(tidy(options.kubeconfig))
    report(options, figures)
    return 0 if figures["outcomes"] == {"passed": options.tests} else 1


if __name__ == "__main__":
    sys.exit(main())
