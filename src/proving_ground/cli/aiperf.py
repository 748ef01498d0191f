"""`proving-ground aiperf`: measure an inference server with AIPerf, and tell it by the names of this project."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proving_ground.cli.arguments import add_access, add_allowed_hosts, waiting_time
from proving_ground.errors import ExitCode

if TYPE_CHECKING:
    import argparse

    from proving_ground.cli import Parser
    from proving_ground.load.aiperf import Outcome, Plan
    from proving_ground.load.measured.result import Measured


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "aiperf",
        help="measure an inference server with AIPerf",
        description=f"{__doc__} AIPerf has an environment of its own, which is made when first needed.",
    )
    parser.add_argument("--url", required=True, metavar="URL", help="base address, as http://127.0.0.1:8080")
    parser.add_argument("--model", default="", metavar="NAME", help="model (default: the first that is listed)")
    load = parser.add_mutually_exclusive_group()
    load.add_argument("--users", type=int, default=10, metavar="N", help="requests under way at once (default: 10)")
    load.add_argument("--rate", type=float, metavar="N", help="requests per second, whether others have ended or not")
    parser.add_argument(
        "--arrivals", choices=("constant", "poisson"), default="poisson", help="how those come (default: poisson)"
    )
    parser.add_argument(
        "--duration", type=waiting_time, default=30.0, metavar="TIME", help="how long is measured (default: 30s)"
    )
    parser.add_argument(
        "--warm-up", type=waiting_time, default=1.0, metavar="TIME", help="before that, not measured (default: 1s)"
    )
    parser.add_argument(
        "--slo",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="objectives with commas, as ttft_p99=200ms,error_rate=1%%; repeatable",
    )
    _add_requests(parser)
    parser.add_argument("--output", choices=("text", "json"), default="text", help="form (default: text)")
    parser.add_argument("--artifacts", type=Path, metavar="DIR", help="keep what AIPerf writes (default: nothing)")
    _add_history(parser)
    parser.set_defaults(run=run)


def _add_requests(parser: argparse.ArgumentParser) -> None:
    asked = parser.add_argument_group("requests")
    asked.add_argument("--api", choices=("chat", "completions"), default="chat", help="call (default: chat)")
    asked.add_argument("--no-stream", action="store_true", help="answers are not streamed: no times of tokens")
    asked.add_argument("--prompt-tokens", type=int, default=64, metavar="N", help="of a prompt (default: 64)")
    asked.add_argument("--max-tokens", type=int, default=64, metavar="N", help="of an answer (default: 64)")
    asked.add_argument(
        "--tokenizer", default="", metavar="NAME", help="name at a hub, or a folder (default: one made on the spot)"
    )
    asked.add_argument("--seed", type=int, default=1, metavar="N", help="of prompts and arrivals (default: 1)")
    asked.add_argument(
        "--request-timeout", type=waiting_time, default=120.0, metavar="TIME", help="for each answer (default: 2m)"
    )
    asked.add_argument("--new-connections", action="store_true", help="a connection for each request")
    add_access(asked)
    add_allowed_hosts(asked, "load")
    asked.add_argument("--platform", type=Path, metavar="FILE", help="platform.json whose hosts may be loaded")


def _add_history(parser: argparse.ArgumentParser) -> None:
    kept = parser.add_argument_group("history")
    kept.add_argument(
        "--history",
        nargs="?",
        const="",
        metavar="PLACE",
        help="record it: in a file, at postgresql://..., or where PROVING_GROUND_HISTORY says",
    )
    kept.add_argument("--run-id", metavar="ID", help="of the record (default: AIPerf's own)")
    kept.add_argument("--commit", metavar="REVISION", help="of what was measured")
    kept.add_argument("--label", action="append", default=[], metavar="NAME", help="as main, release; repeatable")


def run(arguments: argparse.Namespace) -> int:
    """Measure, print what came of it, and return the exit code: 1 where an objective is missed."""
    from proving_ground.by_url.probing import NotOpenAIError  # noqa: PLC0415 - what showing the help does not need
    from proving_ground.history.store import Store  # noqa: PLC0415 - as above
    from proving_ground.load.aiperf import Outcome, measure  # noqa: PLC0415 - as above

    outcome, interrupted = Outcome(), False
    try:
        plan = plan_of(arguments)
        if arguments.history is not None:
            # What cannot be recorded need not be measured.
            Store.open(arguments.history or None).close()
        asyncio.run(measure(plan, say=_say, artifacts=arguments.artifacts, outcome=outcome))
    except NotOpenAIError as error:
        sys.stderr.write(f"proving-ground: {error}\n")
        return ExitCode.FAILED
    except KeyboardInterrupt:
        interrupted = True
    if outcome.measured is None:
        return ExitCode.INTERRUPTED
    sys.stdout.write(as_json(plan, outcome.measured) if arguments.output == "json" else as_text(plan, outcome.measured))
    if arguments.history is not None:
        _record(arguments, outcome, outcome.measured)
    return ExitCode.INTERRUPTED if interrupted else exit_code(outcome.measured)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Return what is sent, after the server told what it is.

    Raises:
        ConfigurationError: An option is out of its bounds, or no load may be sent to that host.
        InfrastructureError: The server cannot be reached.
        NotOpenAIError: It is none.
    """
    from proving_ground.autoscaling.platforms import read as read_platform  # noqa: PLC0415 - as above
    from proving_ground.by_url.probing import probed  # noqa: PLC0415 - as above
    from proving_ground.load import hosts_of  # noqa: PLC0415 - as above
    from proving_ground.load.aiperf import Plan  # noqa: PLC0415 - as above
    from proving_ground.load.measured.slos import parse_slos  # noqa: PLC0415 - as above
    from proving_ground.openai_api.access import token_in  # noqa: PLC0415 - as above
    from proving_ground.openai_api.health import base_url  # noqa: PLC0415 - as above

    url = base_url(arguments.url)
    auth, ca = (str(file.resolve()) if file is not None else None for file in (arguments.auth, arguments.ca))
    hosts = hosts_of(read_platform(arguments.platform)) if arguments.platform is not None else set()
    settings: dict[str, Any] = {
        "users": arguments.users,
        "rate": arguments.rate,
        "arrivals": arguments.arrivals,
        "seconds": arguments.duration,
        "warm_up": arguments.warm_up,
        "prompt_tokens": arguments.prompt_tokens,
        "max_tokens": arguments.max_tokens,
        "streamed": not arguments.no_stream,
        "api": arguments.api,
        "tokenizer": arguments.tokenizer,
        "pooled": not arguments.new_connections,
        "seed": arguments.seed,
        "timeout": arguments.request_timeout,
        "slos": parse_slos(",".join(arguments.slo)),
        "ca": ca,
        "allowed": (*arguments.allow_host, *sorted(hosts)),
    }
    # All that can be refused is, before the server is asked what it is.
    Plan(url=url, model=arguments.model, **settings).check()
    model = probed(url, model=arguments.model, auth=auth, ca=ca).model
    return Plan(url=url, model=model, token=token_in(auth) if auth else "", **settings)


def exit_code(measured: Measured) -> ExitCode:
    """Return what it comes to: nothing that the client could not measure passes."""
    if measured.client.verdict == "interrupted":
        return ExitCode.INTERRUPTED
    if measured.client.verdict == "invalid":
        return ExitCode.INFRASTRUCTURE
    level = measured.last
    return ExitCode.FAILED if level.missed or level.failed == level.requests else ExitCode.PASSED


def _record(arguments: argparse.Namespace, outcome: Outcome, measured: Measured) -> None:
    import dataclasses  # noqa: PLC0415 - as above

    from proving_ground.history.fingerprint import of_platform  # noqa: PLC0415 - as above
    from proving_ground.history.store import Store  # noqa: PLC0415 - as above
    from proving_ground.load.aiperf.result import record_of  # noqa: PLC0415 - as above

    if outcome.export is None or outcome.origin is None:
        _say("nothing was recorded: no request was answered well")
        return
    origin = dataclasses.replace(
        outcome.origin, run_id=arguments.run_id, commit=arguments.commit, labels=tuple(arguments.label)
    )
    if arguments.platform is not None:
        from proving_ground.autoscaling.platforms import read as read_platform  # noqa: PLC0415 - as above

        origin = dataclasses.replace(origin, fingerprint=of_platform(read_platform(arguments.platform)))
    record = record_of(outcome.export, measured, origin)
    with Store.open(arguments.history or None) as store:
        store.add(record)
        _say(f"recorded as run {record.run_id} in {store.where}")


def as_json(plan: Plan, measured: Measured) -> str:
    """Return what came of it as JSON, with the fields of a level of this project's own load."""
    level = measured.last
    told = {
        "client": "aiperf",
        "url": plan.url,
        "model": plan.model,
        "closed": measured.closed,
        "verdict": measured.client.verdict,
        "reason": measured.client.reason,
        "send_lag_p99_ms": measured.client.send_lag_p99_ms,
        **level.model_dump(mode="json"),
        "load_test": measured.load_test().model_dump(mode="json"),
    }
    return json.dumps(told, indent=2) + "\n"


def as_text(plan: Plan, measured: Measured) -> str:
    """Return what came of it for people."""
    level = measured.last
    what = f"{plan.users} users" if plan.rate is None else f"{plan.rate:g} requests per second, {plan.arrivals}"
    lines = [
        f"aiperf on {plan.url}, {what}: {level.requests} requests in {level.seconds:.1f} s",
        f"requests per second  {level.requests_per_second:.2f}",
        f"tokens per second    {level.tokens_per_second:.1f}",
        f"failed               {level.failed} ({100 * level.error_rate:.1f} %)",
        f"goodput              {level.goodput:.2f} per second",
    ]
    for name in ("ttft", "tpot", "itl", "e2e"):
        parts = [f"{part} {level.latencies_ms[f'{name}_{part}']:.1f}" for part in _PARTS if _has(level, name, part)]
        if parts:
            lines.append(f"{name:<21}{', '.join(parts)} ms")
    lines += [f"  {count} x {problem}" for problem, count in sorted(level.problems.items())]
    lines += [f"missed: {missed}" for missed in level.missed]
    if measured.client.verdict != "valid":
        lines.append(f"{measured.client.verdict}: {measured.client.reason}")
    return "\n".join(lines) + "\n"


_PARTS = ("p50", "p90", "p95", "p99")


def _has(level: Any, name: str, part: str) -> bool:
    return f"{name}_{part}" in level.latencies_ms
