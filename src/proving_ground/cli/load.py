"""`proving-ground load`: send bounded load to an inference server of the platform, and tell how it answers."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from proving_ground.cli.arguments import waiting_time
from proving_ground.errors import ExitCode

if TYPE_CHECKING:
    import argparse

    from proving_ground.cli import Parser
    from proving_ground.load import LoadResult


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser("load", help="send bounded load to an inference server", description=__doc__)
    parser.add_argument("url", metavar="URL", help="base address, as http://127.64.128.1:8000")
    parser.add_argument("--model", default="", metavar="NAME", help="model (default: the first that the server lists)")
    parser.add_argument("--concurrency", type=int, default=50, metavar="N", help="requests at once (default: 50)")
    parser.add_argument(
        "--duration", type=waiting_time, default=60.0, metavar="TIME", help="end after this, at most 10m (default: 60s)"
    )
    parser.add_argument(
        "--requests", type=int, default=100_000, metavar="N", help="end after so many, at most 100000 (default)"
    )
    parser.add_argument("--max-tokens", type=int, default=100, metavar="N", help="tokens of an answer (default: 100)")
    parser.add_argument("--output", choices=("text", "json"), default="text", help="form (default: text)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--platform", type=Path, metavar="FILE", help="platform.json whose hosts may be loaded, beside loopback"
    )
    where.add_argument("--run-id", metavar="ID", help="the platform of this kept run")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Send the load, print what came of it, and return the exit code: 1 where no request was answered."""
    from proving_ground.autoscaling.platforms import of_load  # noqa: PLC0415 - what showing the help does not need
    from proving_ground.load import LoadPlan, LoadResult, hosts_of, run_load  # noqa: PLC0415 - as above

    platform = of_load(arguments.platform, arguments.run_id)
    plan = LoadPlan(
        url=arguments.url,
        model=arguments.model,
        concurrency=arguments.concurrency,
        duration=arguments.duration,
        requests=arguments.requests,
        max_tokens=arguments.max_tokens,
        allowed=frozenset(hosts_of(platform)) if platform is not None else frozenset(),
    )
    result, code = LoadResult(), None
    try:
        asyncio.run(run_load(plan, result=result))
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    sys.stdout.write(as_json(result) if arguments.output == "json" else as_text(result))
    if code is not None:
        return code
    return ExitCode.PASSED if result.latencies else ExitCode.FAILED


def as_json(result: LoadResult) -> str:
    """Return what came of it in the field names of results.json, and beside them counts."""
    counts = {
        "requests": result.requests,
        "errors": result.errors,
        "unfinished": result.unfinished,
        "seconds": round(result.seconds, 3),
        "problems": result.problems,
    }
    return json.dumps({**result.measured().model_dump(), **counts}, indent=2) + "\n"


def as_text(result: LoadResult) -> str:
    """Return what came of it for people."""
    measured = result.measured()
    lines = [
        f"{result.requests} requests in {result.seconds:.1f} s, {result.unfinished} more under way at the end",
        f"requests per second  {measured.requests_per_second:.1f}",
        f"latency p50          {measured.p50_latency_ms:.1f} ms",
        f"latency p95          {measured.p95_latency_ms:.1f} ms",
        f"latency p99          {measured.p99_latency_ms:.1f} ms",
        f"errors               {result.errors} ({100 * measured.error_rate:.1f} %)",
    ]
    lines += [f"  {count} x {problem}" for problem, count in sorted(result.problems.items())]
    return "\n".join(lines) + "\n"
