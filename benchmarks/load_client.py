"""How true the load client's times are, and how much one core of it bears, on a server that stamps what it sends.

Client and server are processes of this machine, each bound to a core of its own where there are two. The server puts
into each event the time at which it sends it; errors are the distance of what the client noted from that. On the same
server locust's own FastHttpUser tells its response times and how late it notes the first token, and aiperf its metrics
where --aiperf names its program.

    python benchmarks/load_client.py [--streams 50 100 200] [--seconds 8] [--aiperf PROGRAM] [--json FILE]
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
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

TOKENIZER = """
import json, pathlib, sys
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
made = Tokenizer(models.BPE(unk_token="<unk>"))
made.pre_tokenizer = pre_tokenizers.ByteLevel()
letters = pre_tokenizers.ByteLevel.alphabet()
trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=["<unk>", "<s>", "</s>"], initial_alphabet=letters)
made.train_from_iterator([" ".join(map(str, range(2000)))], trainer)
made.save(sys.argv[1] + "/tokenizer.json")
told = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
pathlib.Path(sys.argv[1], "tokenizer_config.json").write_text(json.dumps(told))
"""
"""Makes a tokenizer on the spot, run by aiperf's own Python: aiperf makes prompts with one, and would ask a hub."""
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


async def aiperf(program: str, url: str, users: int, seconds: float) -> dict[str, Any]:
    """Ask with aiperf, and read the metrics of its own export."""
    count = max(users, int(users * seconds / (FIRST + TOKENS * TOKEN)))
    with tempfile.TemporaryDirectory() as folder:
        python = str(Path(program).with_name("python"))
        await asyncio.to_thread(subprocess.run, [python, "-c", TOKENIZER, folder], capture_output=True, check=True)
        words = [program, "profile", "--model", "timed", "--url", url, "--endpoint-type", "chat", "--streaming"]
        words += ["--concurrency", str(users), "--request-count", str(count), "--artifact-dir", f"{folder}/artifacts"]
        words += ["--extra-inputs", f"max_tokens:{TOKENS}", "--use-server-token-count", "--tokenizer", folder]
        words += ["--ui", "none"]
        done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, timeout=240, check=False)
        found = exported(Path(folder))
    if found is None:
        return {"problem": (done.stderr.strip().splitlines() or done.stdout.strip().splitlines() or [""])[-1][:200]}
    names = {"ttft": "time_to_first_token", "itl": "inter_token_latency", "e2e": "request_latency"}
    rows = {name: found.get(metric) or {} for name, metric in names.items()}
    return {f"{name}_{part}_ms": row.get(part) for name, row in rows.items() for part in ("p50", "p99")}


def exported(folder: Path) -> dict[str, Any] | None:
    """Return what aiperf wrote, if it did."""
    for file in folder.rglob("profile_export_aiperf.json"):
        found: dict[str, Any] = json.loads(file.read_text())
        return found
    return None


async def truth(streams: int, seconds: float, program: str | None) -> list[dict[str, Any]]:
    """Compare times at so many concurrent streams."""
    async with server(FIRST, TOKEN) as url:
        ours = told(await measure(plan(url, streams, seconds, max_tokens=TOKENS, stamps=True)))
        rows = [{"client": "ours", "streams": streams, **ours}]
        theirs = await locust(url, streams, seconds + streams / 100, streamed=True)
        rows.append({"client": "FastHttpUser", "streams": streams, **theirs})
        if program:
            rows.append({"client": "aiperf", "streams": streams, **await aiperf(program, url, streams, seconds)})
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
    parser.add_argument("--aiperf", metavar="PROGRAM", help="aiperf of an environment of its own")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"load average before {load:.1f}; one core for the client, the server's token times {FIRST} and {TOKEN} s")
    times = [row for count in options.streams for row in asyncio.run(truth(count, options.seconds, options.aiperf))]
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
