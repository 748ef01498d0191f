"""How true the load client's times are, and how much one core of it bears, on a server that stamps what it sends.

Client and server are processes of this machine, each bound to a core of its own where there are two. The server puts
into each event the time at which it sends it; errors are the distance of what the client noted from that. On the same
server locust's own FastHttpUser tells its response times and how late it notes the first token, and with --aiperf
AIPerf its metrics, in the environment that `proving-ground aiperf` makes.

    python benchmarks/load_client.py [--streams 50 100 200] [--seconds 8] [--aiperf] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proving_ground.errors import InfrastructureError
from proving_ground.load.aiperf import Plan as Asked
from proving_ground.load.aiperf import measure as ask_with_aiperf
from proving_ground.load.measured.engine import measure
from proving_ground.load.measured.plan import Level, Plan
from proving_ground.load.measured.timed import timed_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from proving_ground.load.measured.result import Measured

MOST_ERROR = 2.0
"""Milliseconds, at p99."""
LEAST_REQUESTS, LEAST_EVENTS = 2000.0, 20_000.0
"""Per second, on one core."""
FIRST, TOKEN = 0.1, 0.05
"""Seconds of the server for which times are compared."""
TOKENS = 40

LOCUST = Path(__file__).with_name("load_client_locust.py")


@contextlib.asynccontextmanager
async def server(first_token: float, token: float) -> AsyncIterator[str]:
    """Give a server on the first core, and leave the others to clients."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])
    try:
        async with timed_server(first_token=first_token, token=token) as url:
            # What is started from here on, clients that is, gets one other core.
            os.sched_setaffinity(0, cores[-1:])
            yield url
    finally:
        os.sched_setaffinity(0, cores)


def plan(url: str, users: int, seconds: float, **changes: Any) -> Plan:
    level = Level(value=users, seconds=seconds, warm_up=users / 100 + 1)
    given = {"url": url, "model": "timed", "levels": (level,), "spawn_rate": 100.0, "profile": "busy", "drain": 10.0}
    return Plan.model_validate({**given, **changes})


def told(measured: Measured) -> dict[str, Any]:
    level = measured.last
    return {
        "verdict": measured.client.verdict,
        "reason": measured.client.reason,
        "cpu": measured.client.cpu,
        "failed": level.failed,
        "requests_per_second": level.requests_per_second,
        "events_per_second": level.tokens_per_second if level.counts["ttft"] else None,
        "ttft_p50_ms": level.latencies_ms.get("ttft_p50"),
        "ttft_p99_ms": level.latencies_ms.get("ttft_p99"),
        "itl_p99_ms": level.latencies_ms.get("itl_p99"),
        "e2e_p50_ms": level.latencies_ms.get("e2e_p50"),
        "e2e_p99_ms": level.latencies_ms.get("e2e_p99"),
        "read_lag_p99_ms": measured.client.read_lag_p99_ms,
        **{f"{name}_error_ms": value for name, value in measured.time_errors_ms.items()},
    }


async def locust(url: str, users: int, seconds: float, *, streamed: bool) -> dict[str, Any]:
    """Ask with locust's own FastHttpUser."""
    words = [sys.executable, str(LOCUST), url, str(users), str(seconds), "1" if streamed else "0", str(TOKENS)]
    done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, timeout=120, check=False)
    try:
        found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return {"problem": (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:200]}
    return found


async def aiperf(url: str, users: int, seconds: float) -> dict[str, Any]:
    """Ask with aiperf, as it is asked by the verb of that name."""
    asked = Asked(url=url, model="timed", users=users, seconds=seconds, max_tokens=TOKENS)
    try:
        measured = (await ask_with_aiperf(asked, say=lambda line: print(line, file=sys.stderr))).measured
    except InfrastructureError as error:
        return {"problem": str(error)[:200]}
    if measured is None:
        return {"problem": "it measured nothing"}
    names = [f"{name}_{part}" for name in ("ttft", "itl", "e2e") for part in ("p50", "p99")]
    return {f"{name}_ms": measured.last.latencies_ms.get(name) for name in names}


async def truth(streams: int, seconds: float, *, with_aiperf: bool) -> list[dict[str, Any]]:
    """Compare times at so many concurrent streams."""
    async with server(FIRST, TOKEN) as url:
        ours = told(await measure(plan(url, streams, seconds, max_tokens=TOKENS, stamps=True)))
        rows = [{"client": "ours", "streams": streams, **ours}]
        theirs = await locust(url, streams, seconds + streams / 100, streamed=True)
        rows.append({"client": "FastHttpUser", "streams": streams, **theirs})
        if with_aiperf:
            rows.append({"client": "aiperf", "streams": streams, **await aiperf(url, streams, seconds)})
    return rows


async def throughput(seconds: float) -> list[dict[str, Any]]:
    """Measure what one core bears."""
    rows = []
    async with server(0.0, 0.0) as url:
        ours = told(await measure(plan(url, 50, seconds, streamed=False, max_tokens=16)))
        rows.append({"what": "requests", "client": "ours", **ours})
        theirs = await locust(url, 50, seconds, streamed=False)
        rows.append({"what": "requests", "client": "FastHttpUser", **theirs})
    async with server(0.05, 0.004) as url:
        ours = told(await measure(plan(url, 100, seconds, max_tokens=200)))
        rows.append({"what": "events", "client": "ours", **ours})
    async with server(0.0, 0.0) as url:
        ours = told(await measure(plan(url, 1000, seconds, max_tokens=200)))
        rows.append({"what": "beyond the limit", "client": "ours", **ours})
    return rows


def show(rows: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    print("".join(f"{name:>22}" for name in names))
    for row in rows:
        cells = [row.get(name) for name in names]
        print("".join(f"{cell:>22.3f}" if isinstance(cell, float) else f"{str(cell)[:20]:>22}" for cell in cells))
        for problem in filter(None, (row.get("problem"), row.get("reason"))):
            print(f"    {problem}")


def main() -> int:
    """Measure all of it and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", nargs="+", type=int, default=[50, 100, 200])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--aiperf", action="store_true", help="also ask with AIPerf, made when first needed")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"load average before {load:.1f}; one core for the client, the server's token times {FIRST} and {TOKEN} s")
    times = [
        row
        for count in options.streams
        for row in asyncio.run(truth(count, options.seconds, with_aiperf=options.aiperf))
    ]
    columns = ("client", "streams", "ttft_p50_ms", "ttft_p99_ms", "ttft_p99_error_ms", "itl_p99_error_ms", "cpu")
    show(times, (*columns, "verdict"))
    bears = asyncio.run(throughput(options.seconds))
    show(bears, ("what", "client", "requests_per_second", "events_per_second", "cpu", "verdict"))
    if options.json:
        written = {"benchmark": "load_client", "time": dt.datetime.now(dt.UTC).isoformat(), "load": load}
        options.json.write_text(json.dumps({**written, "times": times, "throughput": bears}, indent=2) + "\n")
    return 0 if good(times, bears) else 1


def good(times: list[dict[str, Any]], bears: list[dict[str, Any]]) -> bool:
    """Tell whether goals are met: true times, or the client says that they are not."""
    ours = [row for row in times if row["client"] == "ours"]
    true = all(
        row["verdict"] == "invalid" or max(row["ttft_p99_error_ms"], row["itl_p99_error_ms"]) <= MOST_ERROR
        for row in ours
    )
    requests = next(row for row in bears if row["what"] == "requests")["requests_per_second"] >= LEAST_REQUESTS
    events = next(row for row in bears if row["what"] == "events")["events_per_second"] >= LEAST_EVENTS
    return true and requests and events


if __name__ == "__main__":
    sys.exit(main())
