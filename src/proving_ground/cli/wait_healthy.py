"""`proving-ground wait-healthy`: wait until an inference server is healthy."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING

from proving_ground.cli.arguments import add_trust
from proving_ground.durations import parse_wait
from proving_ground.errors import ExitCode

if TYPE_CHECKING:
    from proving_ground.cli import Parser
    from proving_ground.openai_api.health import Health


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Add the verb and its arguments."""
    parser = subparsers.add_parser(
        "wait-healthy",
        help="wait until an inference server is healthy",
        description=f"{__doc__} It is asked at /health, or at /v1/models where it has no such path.",
    )
    parser.add_argument("url", metavar="URL", help="base address, as http://127.0.0.1:8080")
    parser.add_argument(
        "timeout",
        metavar="TIMEOUT",
        nargs="?",
        type=_seconds,
        default=120.0,
        help="how long to wait: seconds, or a time as 5m (default: 120)",
    )
    add_trust(parser)
    parser.set_defaults(run=run)


def _seconds(text: str) -> float:
    try:
        return parse_wait(f"{text}s" if text.replace(".", "", 1).isdecimal() else text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected seconds above 0, or a time as 5m, found {text!r}") from None


def run(arguments: argparse.Namespace) -> int:
    """Wait, telling how it goes on stderr, and return the exit code: 2 where the time ran out."""
    from proving_ground.openai_api.health import base_url, wait_healthy  # noqa: PLC0415 - what help does not need

    url = base_url(arguments.url)
    ca = None if arguments.ca is None else str(arguments.ca)
    line = _Line()
    try:
        spent = asyncio.run(wait_healthy(url, limit=arguments.timeout, ca=ca, told=line.show))
    finally:
        line.end()
    sys.stderr.write(f"{url} is healthy after {spent:.1f} s\n")
    return ExitCode.PASSED


class _Line:
    """The line that tells how it goes: rewritten on a terminal, else written when what is seen changes."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = ""

    def show(self, seen: Health, spent: float) -> None:
        """Tell what was seen."""
        if seen.healthy:
            return
        if self._terminal:
            sys.stderr.write(f"\r\x1b[K{spent:5.0f} s  {seen.told}")
        elif seen.told != self._last:
            sys.stderr.write(f"{spent:.1f} s: {seen.told}\n")
        self._last = seen.told
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the terminal clean."""
        if self._terminal and self._last:
            sys.stderr.write("\r\x1b[K")
