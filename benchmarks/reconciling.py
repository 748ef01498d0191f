"""Measure how the stand-in autoscaler keeps up: 100 scalers, each of a Deployment of 10 simulated pods.

Every reconcile scrapes all ready pods of its scaler over HTTP. Reported are how often scalers are reconciled, how much
later than due, and how many scrapes a second that makes; the processor time is that of the autoscaler and of the fleet
that answers. The cadence is the platform's: 0.25 s on sim, 10 s where `budaiscaler_clock_speed` is 1.

    python benchmarks/reconciling.py --platform FILE [--scalers 100] [--pods 10] [--seconds 20] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
from platform_processes import cpu_seconds, programs
from prometheus_client.parser import text_string_to_metric_families

from proving_ground import kube
from proving_ground.autoscaling import objects
from proving_ground.kube import Target

SETTLE_SECONDS = 300.0
"""For which it is waited at most until all pods are ready."""


async def counts(client: aiohttp.ClientSession, url: str) -> dict[str, float]:
    """Return what the autoscaler counts, summed over labels."""
    async with client.get(url) as answer:
        text = await answer.text()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


async def make(cluster: kube.Cluster, namespace: str, scalers: int, pods: int) -> None:
    """Make the Deployments, wait for their pods, and make the scalers, which have nothing to change."""
    for number in range(scalers):
        for obj in objects.workload(f"load-{number:03}", replicas=pods):
            await cluster.create(obj, namespace=namespace)

    def all_ready(deployments: Any) -> bool:
        return sum(int((d.get("status") or {}).get("readyReplicas", 0)) for d in deployments) == scalers * pods

    target = Target("apps/v1", "Deployment", namespace)
    await cluster.wait_for_objects(target, all_ready, timeout=SETTLE_SECONDS, what=f"{scalers * pods} ready pods")
    for number in range(scalers):
        name = f"load-{number:03}"
        spec = {
            "minReplicas": pods,
            "maxReplicas": pods,
            "metricsSources": [objects.pod_source(objects.METRIC, objects.TARGET)],
        }
        await cluster.create(objects.scaler(name, name, spec), namespace=namespace)


async def measure(platform: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of some seconds."""
    cluster_file = platform["clusters"]["default"]["kubeconfig"]
    url = platform["systems"]["budaiscaler"]["parameters"]["controller"]["metrics"]
    cadence = platform["systems"]["budaiscaler"]["cadences"]["reconcile"]
    system = programs(Path(cluster_file).parents[1])
    async with (
        kube.Cluster.connect(cluster_file) as cluster,
        kube.namespace(cluster, "benchmark", run_id=platform["run_id"], timeout=SETTLE_SECONDS) as namespace,
        aiohttp.ClientSession() as client,
    ):
        began = time.monotonic()
        await make(cluster, namespace, options.scalers, options.pods)
        made = time.monotonic() - began
        await asyncio.sleep(max(2.0, 1.5 * cadence))  # every scaler was reconciled once
        before, cpu_before = await counts(client, url), cpu_seconds(system)
        began = time.monotonic()
        await asyncio.sleep(max(options.seconds, 2 * cadence))
        after, cpu_after = await counts(client, url), cpu_seconds(system)
        wall = time.monotonic() - began
    gained = {name: after[name] - before.get(name, 0.0) for name in after}
    passes = gained["budaiscaler_reconciles_total"]
    return {
        "scalers": options.scalers,
        "pods": options.scalers * options.pods,
        "cadence": cadence,
        "seconds": wall,
        "made_seconds": made,
        "reconciles_per_second": passes / wall,
        "reconcile_interval": options.scalers * wall / passes if passes else None,
        "mean_lag": gained["budaiscaler_lag_seconds_total"] / passes if passes else None,
        "worst_lag": after["budaiscaler_lag_seconds_max"],
        "scrapes_per_second": gained["budaiscaler_scrapes_total"] / wall,
        "scrape_failures": gained.get("budaiscaler_scrape_failures_total", 0.0),
        "cpu": {name: (cpu_after[name] - cpu_before.get(name, 0.0)) / wall for name in sorted(cpu_after)},
        "load": os.getloadavg()[0],
    }


def report(figures: dict[str, Any]) -> None:
    """Print the figures."""
    rows = [
        ("scalers, pods", f"{figures['scalers']}, {figures['pods']}"),
        ("made and ready after", f"{figures['made_seconds']:.1f} s"),
        ("cadence asked for", f"{figures['cadence']:g} s"),
        ("interval between reconciles of a scaler", f"{figures['reconcile_interval']:.2f} s"),
        ("lag of a reconcile: mean, worst", f"{figures['mean_lag']:.3f} s, {figures['worst_lag']:.3f} s"),
        ("reconciles a second", f"{figures['reconciles_per_second']:.0f}"),
        ("scrapes a second", f"{figures['scrapes_per_second']:.0f}"),
        ("scrapes that failed", f"{figures['scrape_failures']:.0f}"),
        *((f"processor of {name}", f"{100 * share:.0f} %") for name, share in figures["cpu"].items()),
        ("load average", f"{figures['load']:.1f}"),
    ]
    for name, value in rows:
        print(f"{name:<42}{value:>20}")


def main() -> int:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--platform", type=Path, required=True, help="platform.json of a platform with the stand-in")
    parser.add_argument("--scalers", type=int, default=100)
    parser.add_argument("--pods", type=int, default=10, help="of each")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long it is measured")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    figures = asyncio.run(measure(json.loads(options.platform.read_text()), options))
    report(figures)
    if options.json:
        told = {"benchmark": "reconciling", "time": dt.datetime.now(dt.UTC).isoformat(), "figures": figures}
        options.json.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n")
    return 0 if figures["reconciles_per_second"] else 1


if __name__ == "__main__":
    sys.exit(main())
