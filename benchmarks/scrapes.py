"""How many scrapes per second a fleet of 1,000 pods answers over connections that are kept open.

The fleet runs in a process of its own, fed by a source of pods without any Kubernetes; the reader, in this process,
asks every pod in turn for /metrics. Scrapes per CPU second of the fleet's process say what one core can do, whatever
else the machine is doing.

    python benchmarks/scrapes.py [--pods 1000] [--seconds 5] [--servers openai vllm-metrics ...] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

import uvloop
from platform_processes import cpu_seconds

from proving_ground.fleet.fleet import Fleet, Settings
from proving_ground.fleet.source import Change, PodChange
from proving_ground.fleet.views import ContainerView, PodView

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

NETWORK = "127.250.0.0/16"
PORT = 8000
SERVERS = ("openai", "vllm-metrics", "learning-metrics", "dcgm-exporter")
GOAL = 2000.0
"""Scrapes per second on one core."""
READERS = 32
READY_SECONDS = 60.0


class PodsOnly:
    """A source that knows some pods and takes note of nothing."""

    def __init__(self, server: str, count: int) -> None:
        self._server = server
        self._count = count

    async def changes(self) -> AsyncIterator[Change]:
        for number in range(self._count):
            containers = (ContainerView("main", "benchmark", (("http", PORT),)),)
            annotations = {"sim.proving.ground/serve": self._server, "sim.proving.ground/model": "org/model"}
            yield PodChange(PodView("ns", f"p{number}", f"uid{number}", "node", {}, annotations, containers))
        await asyncio.Event().wait()

    async def namespace_faults(self, name: str) -> frozenset[str] | None:
        del name
        return None

    async def write_status(self, pod: PodView, status: Mapping[str, Any]) -> bool:
        del pod, status
        return True

    async def remove(self, pod: PodView) -> None:
        del pod

    async def tell(self, pod: PodView, reason: str, message: str) -> None:
        print(f"{pod.name}: {reason}: {message}", file=sys.stderr)


async def serve(server: str, count: int) -> None:
    """Run a fleet, print the addresses of its pods when all are ready, and go on until stdin ends."""
    fleet = Fleet(PodsOnly(server, count), Settings(NETWORK))
    work = asyncio.get_running_loop().create_task(fleet.run())
    async with asyncio.timeout(READY_SECONDS):
        while sum(runner.ready for runner in fleet.pods) < count:  # noqa: ASYNC110 -- the fleet has no event for it
            await asyncio.sleep(0.05)
    print(json.dumps([runner.address for runner in fleet.pods]), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    work.cancel()


class Scraper(asyncio.Protocol):
    """One connection to one pod, kept open: a request goes out when the answer to the one before is whole."""

    def __init__(self, address: str) -> None:
        self._request = f"GET /metrics HTTP/1.1\r\nHost: {address}:{PORT}\r\n\r\n".encode()
        self._answer = b""
        self._whole: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, separator, body = self._answer.partition(b"\r\n\r\n")
        if not separator or self._whole is None or self._whole.done():
            return
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if not head.startswith(b"HTTP/1.1 200") or not lengths:
            self._whole.set_exception(ValueError(head[:80].decode(errors="replace")))
        elif len(body) >= int(lengths[0][15:]):
            self._whole.set_result(len(body))

    def connection_lost(self, error: Exception | None) -> None:
        if self._whole is not None and not self._whole.done():
            self._whole.set_exception(ConnectionError(str(error)))

    async def scrape(self) -> int:
        """Ask once; returns the size of the page in bytes."""
        self._answer, self._whole = b"", asyncio.get_running_loop().create_future()
        self._transport.write(self._request)
        return await self._whole


async def scrape_for(addresses: list[str], seconds: float, pid: int) -> dict[str, float]:
    """Scrape all pods, again and again; returns figures."""
    loop = asyncio.get_running_loop()
    scrapers = [(await loop.create_connection(lambda a=a: Scraper(a), a, PORT))[1] for a in addresses]  # type: ignore[misc]
    page = 0
    for scraper in scrapers:
        page = await scraper.scrape()
    count, slowest = 0, 0.0
    before, started = cpu_seconds({pid: "fleet"})["fleet"], time.perf_counter()

    async def read(mine: Iterator[Scraper]) -> None:
        nonlocal count, slowest
        for scraper in mine:
            asked = time.perf_counter()
            if asked - started >= seconds:
                return
            await scraper.scrape()
            slowest = max(slowest, time.perf_counter() - asked)
            count += 1

    def endlessly(some: list[Scraper]) -> Iterator[Scraper]:
        while some:
            yield from some

    await asyncio.gather(*(read(endlessly(scrapers[number::READERS])) for number in range(READERS)))
    wall = time.perf_counter() - started
    used = cpu_seconds({pid: "fleet"})["fleet"] - before
    return {
        "scrapes": count,
        "scrapes_per_second": count / wall,
        "scrapes_per_cpu_second": count / used,
        "slowest_ms": 1000 * slowest,
        "page_bytes": page,
    }


def measure(server: str, pods: int, seconds: float) -> dict[str, float]:
    """Measure one kind of server.

    Raises:
        SystemExit: Its fleet did not become ready.
    """
    command = [sys.executable, __file__, "--serve", server, "--pods", str(pods)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as fleet:
        line = cast("TextIO", fleet.stdout).readline()
        try:
            if not line:
                sys.exit(f"{server}: the fleet did not become ready")
            return uvloop.run(scrape_for(json.loads(line), seconds, fleet.pid))
        finally:
            cast("TextIO", fleet.stdin).close()


def main() -> int:
    """Measure each kind of server and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pods", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--servers", nargs="+", default=list(SERVERS))
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        uvloop.run(serve(options.serve, options.pods))
        return 0
    load = os.getloadavg()[0]
    rows = [{"server": server, **measure(server, options.pods, options.seconds)} for server in options.servers]
    print(f"{options.pods} pods, load average before {load:.1f}; goal: {GOAL:.0f} scrapes per second on one core")
    print(f"{'server':<20}{'per s':>8}{'per CPU s':>11}{'slowest ms':>12}{'page, bytes':>13}")
    for row in rows:
        figures = (row["scrapes_per_second"], row["scrapes_per_cpu_second"], row["slowest_ms"], row["page_bytes"])
        print(f"{row['server']:<20}{figures[0]:>8.0f}{figures[1]:>11.0f}{figures[2]:>12.1f}{figures[3]:>13.0f}")
    if options.json:
        told = {"benchmark": "scrapes", "time": dt.datetime.now(dt.UTC).isoformat(), "pods": options.pods}
        options.json.write_text(json.dumps(told | {"load": load, "rows": rows}, indent=2, sort_keys=True) + "\n")
    return 0 if all(float(row["scrapes_per_cpu_second"]) >= GOAL for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
