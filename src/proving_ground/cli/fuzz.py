"""`proving-ground fuzz`: send an inference server requests that nobody would write, and judge what it answers."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any

from proving_ground.cli.arguments import add_access, add_allowed_hosts, waiting_time
from proving_ground.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    import argparse

    from proving_ground.cli import Parser
    from proving_ground.openai_api.fuzzing import Plan, Result

_MOST_CASES = 100_000
_MOST_SEED = 2**32 - 1
_SHOWN = 20


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "fuzz",
        help="send an inference server requests that nobody would write",
        description=f"{__doc__} They are drawn by schemathesis, in an environment that is made when first needed.",
    )
    parser.add_argument("url", metavar="URL", help="base address, as http://127.0.0.1:8080")
    parser.add_argument(
        "--cases", type=int, default=100, metavar="N", help="requests drawn for each path (default: 100)"
    )
    parser.add_argument(
        "--duration", type=waiting_time, default=300.0, metavar="TIME", help="send no more after this (default: 5m)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="what is drawn (default: 1)")
    parser.add_argument(
        "--request-timeout", type=waiting_time, default=30.0, metavar="TIME", help="for each answer (default: 30s)"
    )
    parser.add_argument("--model", default="", metavar="NAME", help="model (default: the first that is listed)")
    parser.add_argument("--server", metavar="NAME", help="what it is, as llama.cpp (default: as it tells)")
    add_access(parser)
    add_allowed_hosts(parser, "it")
    parser.add_argument("--output", choices=("text", "json"), default="text", help="form (default: text)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Send the requests, print what came of it, and return the exit code: 1 where something does not hold."""
    from proving_ground.by_url.probing import NotOpenAIError  # noqa: PLC0415 - what showing the help does not need
    from proving_ground.openai_api.fuzzing import fuzz  # noqa: PLC0415 - as above

    try:
        plan = plan_of(arguments)
    except NotOpenAIError as error:
        sys.stderr.write(f"proving-ground: {error}\n")
        return ExitCode.FAILED
    result = asyncio.run(fuzz(plan, say=_say))
    sys.stdout.write(as_json(plan, result) if arguments.output == "json" else as_text(plan, result))
    if result.interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.FAILED if result.failures else ExitCode.PASSED


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Return what is sent, after the server told what it is.

    Raises:
        ConfigurationError: An option is out of its bounds, or nothing may be sent to that host.
        InfrastructureError: The server cannot be reached.
        NotOpenAIError: It is none.
    """
    from proving_ground.by_url.probing import probed  # noqa: PLC0415 - as above
    from proving_ground.load.targets import check_target  # noqa: PLC0415 - as above
    from proving_ground.openai_api.access import token_in  # noqa: PLC0415 - as above
    from proving_ground.openai_api.fuzzing import Plan  # noqa: PLC0415 - as above
    from proving_ground.openai_api.health import base_url  # noqa: PLC0415 - as above

    _within("--cases", arguments.cases, 1, _MOST_CASES)
    _within("--seed", arguments.seed, 0, _MOST_SEED)
    url = base_url(arguments.url)
    try:
        parts = check_target(url, arguments.allow_host)
    except ConfigurationError:
        raise ConfigurationError(
            "expected a host of this machine", where=url, hint="if it is yours to break: --allow-host HOST"
        ) from None
    auth, ca = (str(file.resolve()) if file is not None else None for file in (arguments.auth, arguments.ca))
    found = probed(parts.geturl(), model=arguments.model, auth=auth, ca=ca)
    return Plan(
        url=url,
        model=found.model,
        server=found.server if arguments.server is None else arguments.server,
        token=token_in(auth) if auth else "",
        ca=ca,
        cases=arguments.cases,
        duration=arguments.duration,
        request_seconds=arguments.request_timeout,
        seed=arguments.seed,
    )


def _within(option: str, number: int, least: int, most: int) -> None:
    if not least <= number <= most:
        raise ConfigurationError(f"expected {least} to {most}, found {number}", where=option)


def as_json(plan: Plan, result: Result) -> str:
    """Return what came of it as JSON."""
    told: dict[str, Any] = {"url": plan.url, "model": plan.model, "server": plan.server, "seed": plan.seed}
    told |= dataclasses.asdict(result)
    told["seconds"] = round(result.seconds, 3)
    return json.dumps(told, indent=2) + "\n"


def as_text(plan: Plan, result: Result) -> str:
    """Return what came of it for people."""
    statuses = ", ".join(f"{count} x {status or 'none'}" for status, count in result.statuses.items()) or "none"
    lines = [
        f"{result.requests} requests to {plan.url} in {result.seconds:.1f} s, seed {plan.seed}",
        f"statuses: {statuses}",
    ]
    lines += [f"note: {note}" for note in result.notes]
    lines += [f"tolerated: {rule}: {reason}" for rule, reason in sorted(result.tolerated.items())]
    lines += [f"failed: {failure}" for failure in result.failures[:_SHOWN]]
    if (more := len(result.failures) - _SHOWN) > 0:
        lines.append(f"failed: {more} more (--output json has all)")
    nothing = "nothing broke it" + (" until it was interrupted" if result.interrupted else "")
    lines.append(f"{len(result.failures)} failed" if result.failures else nothing)
    return "\n".join(lines) + "\n"
