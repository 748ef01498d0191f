"""Measure the engine: generated tests whose services take a fixed time to become ready.

Each test is what the AIM templates generate: apply, error, assert. The services are of a kind of this benchmark's
own; a controller in a process of its own makes each ready that many seconds after it was created, so that what is
measured beyond ``tests / parallel * seconds`` is the engine's.

The engine is measured as it is used, under pytest with the plugin. Where the chainsaw binary is on PATH, it runs the
same tests; what it took elsewhere is shown, too, and marked so.

    python benchmarks/engine.py --kubeconfig FILE [--tests 50] [--parallel 4 16 50] [--seconds 1.0] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import functools
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import engine_events
from engine_controller import API_VERSION, GROUP, KIND

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
TESTS = 50
LIMITS = {4: {"to_last_verdict": 17.0, "engine_cpu": 5.0, "cleanup_after_verdict": 10.0}}
CHAINSAW_ELSEWHERE: dict[int, dict[str, float]] = {
    4: {"wall": 82.0, "cpu": 4.4},
    16: {"wall": 26.4},
    50: {"wall": 12.7},
}
"""Tests at once -> seconds that chainsaw took for the same tests on a machine of the same kind: not measured here."""
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


def pytest_command(options: argparse.Namespace, parallel: int, folder: Path) -> list[str]:
    """Return the command of the engine as it is used: pytest, with a probe."""
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
    command += ["-p", "engine_probe", "--probe", str(folder / "probe.json")]
    return [*command, "--parallel", str(parallel), str(folder)]


def measure(options: argparse.Namespace, parallel: int, folder: Path) -> dict[str, Any]:
    """Run the engine in a process of its own; its CPU time is the kernel's count, start of Python included."""
    generate(folder, options.tests)
    command = pytest_command(options, parallel, folder)
    path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
    load, before, started = os.getloadavg()[0], os.times(), time.monotonic()
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=False, timeout=600, env=os.environ | {"PYTHONPATH": path}
    )
    wall, after = time.monotonic() - started, os.times()
    if done.returncode > 1:
        raise SystemExit(f"the engine's process ended with {done.returncode}:\n{done.stdout}")
    probe = json.loads((folder / "probe.json").read_text())
    figures = engine_events.read(folder / "events.jsonl")
    limit = math.ceil(options.tests / parallel) * options.seconds
    return figures | {
        "tests": options.tests,
        "parallel": parallel,
        "service_seconds": options.seconds,
        "load": load,
        "wall": wall,
        "theoretical_limit": limit,
        "beyond": figures["to_last_verdict"] - limit,
        "engine_cpu": after.children_user + after.children_system - before.children_user - before.children_system,
        "peak_rss": probe["ended"]["peak_rss_mb"],
        "requests": probe["requests"],
        "chainsaw_elsewhere": CHAINSAW_ELSEWHERE.get(parallel) if options.tests == TESTS else None,
        "chainsaw": peer(options, parallel, folder),
    }


def peer(options: argparse.Namespace, parallel: int, folder: Path) -> dict[str, float] | None:
    """Run the same tests with the chainsaw binary, where it is installed; its wall and CPU seconds."""
    program = shutil.which("chainsaw")
    if program is None:
        return None
    command = [program, "test", str(folder), "--parallel", str(parallel), "--config", str(folder / ".chainsaw.yaml")]
    environment = os.environ | {"KUBECONFIG": str(options.kubeconfig.resolve())}
    before, started = os.times(), time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=1800)
    wall, after = time.monotonic() - started, os.times()
    if done.returncode != 0:
        raise SystemExit(f"chainsaw ended with {done.returncode}:\n{done.stdout[-3000:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall": wall, "cpu": cpu}


def report(runs: list[dict[str, Any]]) -> None:
    """Print the figures of each number of tests at once beside those of chainsaw, and whether goals were met."""
    first = runs[0]
    print(f"{first['tests']} tests, services ready after {first['service_seconds']:g} s")

    def row(name: str, cell: Callable[[dict[str, Any]], str]) -> None:
        print(f"{name:<40}" + "".join(f"{cell(run):>12}" for run in runs))

    def elsewhere(run: dict[str, Any], key: str) -> str:
        seconds = (run["chainsaw_elsewhere"] or {}).get(key)
        return "-" if seconds is None else f"{seconds:.1f}"

    row("in parallel", lambda run: str(run["parallel"]))
    row("passed", lambda run: str(run["outcomes"].get("passed", 0)))
    row("least possible, s", lambda run: f"{run['theoretical_limit']:.1f}")
    row("to the last verdict, s", lambda run: f"{run['to_last_verdict']:.1f}")
    row("  beyond the least possible, s", lambda run: f"{run['beyond']:.1f}")
    row("clean-up verified after, s more", lambda run: f"{run['cleanup_after_verdict']:.1f}")
    row("whole process, s", lambda run: f"{run['wall']:.1f}")
    row("CPU of the engine's process, s", lambda run: f"{run['engine_cpu']:.1f}")
    row("peak memory of the process, MiB", lambda run: f"{run['peak_rss']:.0f}")
    row("load average before", lambda run: f"{run['load']:.1f}")
    row("API requests per test", lambda run: f"{sum(run['requests'].values()) / run['tests']:.2f}")
    for request in sorted({request for run in runs for request in run["requests"]}):
        row(f"  {request}", functools.partial(_share, request))
    if any(run["chainsaw"] for run in runs):
        row("chainsaw here, whole process, s", lambda run: f"{run['chainsaw']['wall']:.1f}")
        row("chainsaw here, CPU, s", lambda run: f"{run['chainsaw']['cpu']:.1f}")
    else:
        print("chainsaw here                           not installed")
    row("chainsaw, s (measured elsewhere)", lambda run: elsewhere(run, "wall"))
    row("chainsaw, CPU, s (measured elsewhere)", lambda run: elsewhere(run, "cpu"))
    for run in runs:
        for name, limit in LIMITS.get(run["parallel"], {}).items() if run["tests"] == TESTS else ():
            told = "met" if run[name] <= limit else "MISSED"
            print(f"goal at {run['parallel']} in parallel: {name.replace('_', ' ')} within {limit:g} s: {told}")
        if run["first_failure"]:
            print(run["first_failure"], file=sys.stderr)


def _share(request: str, run: dict[str, Any]) -> str:
    return f"{run['requests'].get(request, 0) / run['tests']:.2f}"


def main() -> int:
    """Measure each number of tests at once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kubeconfig", type=Path, required=True, help="any cluster on which you may define a kind")
    parser.add_argument("--tests", type=int, default=TESTS)
    parser.add_argument("--parallel", type=int, nargs="+", default=list(CHAINSAW_ELSEWHERE))
    parser.add_argument("--seconds", type=float, default=1.0, help="time until a service is ready")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    asyncio.run(prepare(options.kubeconfig))
    controller = [sys.executable, str(HERE / "engine_controller.py")]
    controller += ["--kubeconfig", str(options.kubeconfig), "--seconds", str(options.seconds)]
    runs = []
    with subprocess.Popen(controller, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise SystemExit("the benchmark's controller did not start")
            for parallel in options.parallel:
                with tempfile.TemporaryDirectory(prefix="engine-benchmark-") as scratch:
                    runs.append(measure(options, parallel, Path(scratch)))
        finally:
            process.terminate()
            asyncio.run(tidy(options.kubeconfig))
    report(runs)
    if options.json:
        options.json.write_text(json.dumps({"benchmark": "engine", "runs": runs}, indent=2, sort_keys=True) + "\n")
    return 0 if all(run["outcomes"] == {"passed": options.tests} for run in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
