"""Measure whether a test costs more where there are more of them: models by the hundred on a simulated platform.

Each model is a row of a generated models.csv, which becomes a Chainsaw test as every models.csv does; the AIM
stand-in and the fleet serve it on a cluster of 250 nodes, and the test asks it for an answer. The same is done with
50, 150 and 500 models, 100 at once.

What a service takes from its creation until it is Running, as a bystander sees it, is the system's own time, however
much it is slowed by the others on the same machine; what a run takes beyond ``sum of these / tests at once`` is what
the tests cost. The clean-up counts: a short run does nearly all of it after its last verdict, a long one while it goes
on, since its tests wait until the namespaces of those before them are gone.

    python benchmarks/scale.py --platform FILE [--models 50 150 500] [--parallel 100] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import datetime as dt
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import engine_events
from platform_processes import cpu_seconds, programs

from proving_ground.kube import Cluster, Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HERE = Path(__file__).parent
MODELS = (50, 150, 500)
PARALLEL = 100
NODES = 250
GROWTH = 1.25
"""A cost that is this many times that of the smallest run has grown; less is the noise of a shared machine."""
BUSY = 4.0
"""Load average from which on a figure says more about the neighbours."""
CONFIGURATION = """\
apiVersion: chainsaw.kyverno.io/v1alpha1
kind: Configuration
metadata:
  name: scale
spec:
  timeouts:
    cleanup: 5m
"""
"""The default of 30 s is for a cluster that is not kept busy by a hundred tests at once."""
_HEADER = "skip,registry,name,version,unoptimized,hfToken,private,timeout,concurrent"
_SIZES = ("1.7b", "8b", "14b", "32b")


def table(count: int) -> str:
    """Return a models.csv: one GPU each, every fifth unoptimized, every seventh gated, every sixth private."""
    rows = [_HEADER]
    for number in range(count):
        flags = ",".join("yes" if number % each == 0 else "no" for each in (5, 7, 6))
        rows.append(f"no,amdenterpriseai,aim-scale-{number:03}-{_SIZES[number % 4]},0.8.4,{flags},10m,yes")
    return "\n".join(rows) + "\n"


@dataclasses.dataclass
class Bystander:
    """How long the system itself took for each service."""

    made: dict[str, float] = dataclasses.field(default_factory=dict)
    ready: dict[str, float] = dataclasses.field(default_factory=dict)

    @property
    def own_seconds(self) -> list[float]:
        """Seconds from creation to Running of each service that got there."""
        return [self.ready[uid] - self.made[uid] for uid in self.ready]

    @contextlib.asynccontextmanager
    async def watching(self, kubeconfig: str, api_version: str) -> AsyncIterator[None]:
        """Look on while the context lasts."""
        async with Cluster.connect(kubeconfig) as cluster, cluster.follow(Target(api_version, "AIMService")) as seen:

            async def look() -> None:
                while True:
                    now = time.monotonic()
                    for obj in seen.objects:
                        uid = obj["metadata"]["uid"]
                        self.made.setdefault(uid, now)
                        if (obj.get("status") or {}).get("status") == "Running":
                            self.ready.setdefault(uid, now)
                    await seen.change(3600)

            task = asyncio.get_running_loop().create_task(look())
            try:
                yield
            finally:
                task.cancel()


async def run_once(platform: dict[str, Any], count: int, parallel: int, scratch: Path) -> dict[str, Any]:
    """Run that many models and return what it took."""
    folder = scratch / "models"
    folder.mkdir()
    (folder / "models.csv").write_text(table(count))
    (folder / ".chainsaw.yaml").write_text(CONFIGURATION)
    (folder / "pytest.ini").write_text("[pytest]\n")
    aim = platform["systems"]["aim"]
    document = platform | {
        "systems": {"aim": aim | {"parameters": aim["parameters"] | {"models_csv": str(folder / "models.csv")}}}
    }
    (scratch / "platform.json").write_text(json.dumps(document))
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(folder / "pytest.ini"), "-p", "no:cacheprovider"]
    command += ["-p", "engine_probe", "--probe", str(scratch / "probe.json"), "--cleanup-limit", "300"]
    command += ["--platform", str(scratch / "platform.json"), "--events", str(scratch / "events.jsonl")]
    command += ["--state-dir", str(scratch / "state"), "--artifacts-dir", str(scratch / "artifacts")]
    command += ["--parallel", str(parallel), str(folder)]
    path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
    kubeconfig = platform["clusters"]["default"]["kubeconfig"]
    api_version = f"{aim['parameters']['api_group']}/v1alpha1"
    bystander, system = Bystander(), programs(Path(kubeconfig).parents[1])
    before, started = cpu_seconds(system), time.monotonic()
    load_before = os.getloadavg()[0]
    async with bystander.watching(kubeconfig, api_version):
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, env=os.environ | {"PYTHONPATH": path}
        )
        output, _ = await process.communicate()
    wall, after = time.monotonic() - started, cpu_seconds(system)
    if process.returncode not in {0, 1}:
        raise SystemExit(f"the engine's process ended with {process.returncode}:\n{output.decode()[-3000:]}")
    figures = engine_events.read(scratch / "events.jsonl")
    probe = json.loads((scratch / "probe.json").read_text())
    at_once, own = min(count, parallel), bystander.own_seconds
    return figures | {
        "models": count,
        "parallel": parallel,
        "wall": wall,
        "load_before": load_before,
        "load_after": os.getloadavg()[0],
        "own_seconds_median": sorted(own)[len(own) // 2] if own else 0.0,
        "beyond": figures["to_last_verdict"] - sum(own) / at_once,
        "collection_cpu": probe["collected"]["cpu"] - probe["started"]["cpu"],
        "run_cpu": probe["ended"]["cpu"] - probe["collected"]["cpu"],
        "start_cpu": probe["started"]["cpu"],
        "scripts_cpu": probe["children_cpu"],
        "start_rss": probe["started"]["peak_rss_mb"],
        "peak_rss": probe["ended"]["peak_rss_mb"],
        "requests": probe["requests"],
        "system_cpu": {name: after[name] - before.get(name, 0.0) for name in after},
    }


def costs(figures: dict[str, Any]) -> dict[str, float]:
    """Return what one test cost."""
    count = figures["models"]
    return {
        "wall beyond the system's own time, ms": 1000 * (figures["beyond"] + figures["cleanup_after_verdict"]) / count,
        "  of this to the last verdict, ms": 1000 * figures["beyond"] / count,
        "  and the clean-up after it, ms": 1000 * figures["cleanup_after_verdict"] / count,
        "CPU of the engine: collecting, ms": 1000 * figures["collection_cpu"] / count,
        "CPU of the engine: running, ms": 1000 * figures["run_cpu"] / count,
        "CPU of the tests' scripts, ms": 1000 * figures["scripts_cpu"] / count,
        "memory, KiB": 1024 * (figures["peak_rss"] - figures["start_rss"]) / count,
        "API requests": sum(figures["requests"].values()) / count,
        **{f"CPU of {name}, ms": 1000 * seconds / count for name, seconds in sorted(figures["system_cpu"].items())},
    }


OURS = ("wall", "CPU of the engine", "memory", "API requests")


def report(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Print the figures beside each other; return the growth of each cost."""
    print(f"{'':<42}" + "".join(f"{run['models']:>10}" for run in runs))
    rows: list[tuple[str, list[str]]] = [
        ("to the last verdict, s", [f"{run['to_last_verdict']:.1f}" for run in runs]),
        ("whole process, s", [f"{run['wall']:.1f}" for run in runs]),
        ("a service's own time (median), s", [f"{run['own_seconds_median']:.1f}" for run in runs]),
        ("beyond the system's own time, s", [f"{run['beyond']:.1f}" for run in runs]),
        (
            "clean-up, median and slowest, s",
            [f"{run['median_cleanup']:.0f}/{run['slowest_cleanup']:.0f}" for run in runs],
        ),
        ("peak memory, MiB", [f"{run['peak_rss']:.0f}" for run in runs]),
        ("load average before and after", [f"{run['load_before']:.1f}/{run['load_after']:.1f}" for run in runs]),
    ]
    for name, values in rows:
        print(f"{name:<42}" + "".join(f"{value:>10}" for value in values))
    print("\ncost per test")
    each = [costs(run) for run in runs]
    growth = {}
    for name, smallest in each[0].items():
        amounts = [cost.get(name, 0.0) for cost in each]
        ratio = amounts[-1] / smallest if smallest > 0 else None
        growth[name] = ratio
        ours = name.startswith(OURS)
        told = "" if ratio is None else f"{ratio:>9.2f}x"
        if ours and ratio is not None and len(runs) > 1:
            told += "  grows" if ratio > GROWTH else "  does not grow"
        print(f"{name:<42}" + "".join(f"{amount:>10.1f}" for amount in amounts) + told)
    print("\nAPI requests per test")
    for key in sorted({key for run in runs for key in run["requests"]}):
        shares = [run["requests"].get(key, 0) / run["models"] for run in runs]
        if max(shares) >= 0.05:  # noqa: PLR2004  # what is shown with two digits
            print(f"  {key:<40}" + "".join(f"{share:>10.2f}" for share in shares))
    if runs[0]["load_before"] > BUSY:
        print(f"\nthe machine was busy before (load above {BUSY:g}): run it again for figures that count")
    return growth


def main() -> int:
    """Measure each size, smallest first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--platform", type=Path, required=True, help="platform.json of a platform with the stand-in")
    parser.add_argument("--models", type=int, nargs="+", default=list(MODELS))
    parser.add_argument("--parallel", type=int, default=PARALLEL)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    platform = json.loads(options.platform.read_text())
    runs = []
    for count in sorted(options.models):
        with tempfile.TemporaryDirectory(prefix="scale-benchmark-") as scratch:
            runs.append(asyncio.run(run_once(platform, count, options.parallel, Path(scratch))))
        print(f"{count} models: {runs[-1]['outcomes']}", flush=True)
        if runs[-1]["first_failure"]:
            print(runs[-1]["first_failure"], file=sys.stderr)
    growth = report(runs)
    if options.json:
        told = {"benchmark": "scale", "time": dt.datetime.now(dt.UTC).isoformat(), "runs": runs, "growth": growth}
        options.json.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n")
    return 0 if all(run["outcomes"] == {"passed": run["models"]} for run in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
