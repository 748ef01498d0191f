"""Benchmark controller: a service that is created reports Running a fixed time later. Runs until it is ended."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from pathlib import Path

from proving_ground.kube import ApiError, Cluster, Reference, Target

GROUP = "benchmark.proving.ground"
API_VERSION = f"{GROUP}/v1alpha1"
KIND = "BenchmarkService"


async def become_ready(cluster: Cluster, reference: Reference, seen: float, seconds: float) -> None:
    condition = {"type": "RuntimeReady", "status": "False", "reason": "CreatingRuntime", "message": "loading"}
    with contextlib.suppress(ApiError):  # gone meanwhile
        await cluster.patch_status(reference, {"status": "Starting", "conditions": [condition]})
        await asyncio.sleep(seen + seconds - time.monotonic())
        ready = {**condition, "status": "True", "reason": "RuntimeReady", "message": ""}
        await cluster.patch_status(reference, {"status": "Running", "conditions": [ready]})


async def main(kubeconfig: Path, seconds: float) -> None:
    known: set[str] = set()
    async with (
        Cluster.connect(kubeconfig) as cluster,
        asyncio.TaskGroup() as group,
        cluster.follow(Target(API_VERSION, KIND)) as following,
    ):
        print("ready", flush=True)
        while True:
            now = time.monotonic()
            for obj in following.objects:
                uid = obj["metadata"]["uid"]
                if uid not in known:
                    known.add(uid)
                    group.create_task(become_ready(cluster, Reference.of(obj), now, seconds))
            await following.change(3600)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(options.kubeconfig, options.seconds))
    sys.exit(0)
