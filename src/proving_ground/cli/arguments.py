"""Arguments that several verbs have, and their types."""

from __future__ import annotations

import argparse
from pathlib import Path

from proving_ground.durations import parse_wait


def waiting_time(text: str) -> float:
    """Return the seconds of a duration such as ``30s``, for ``type=`` of an argument.

    Raises:
        ArgumentTypeError: It is not one that somebody is to wait; see `parse_wait`.
    """
    try:
        return parse_wait(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def existing_file(text: str) -> Path:
    """Return the path of a file, for ``type=`` of an argument.

    Raises:
        ArgumentTypeError: There is none.
    """
    file = Path(text)
    if not file.is_file():
        raise argparse.ArgumentTypeError(f"no such file: {text}")
    return file


def add_trust(parser: argparse._ActionsContainer) -> None:
    """Add the option ``--ca``."""
    help_ = "certificates of whom to trust, for https"
    parser.add_argument("--ca", type=existing_file, metavar="FILE", help=help_)


def add_access(parser: argparse._ActionsContainer) -> None:
    """Add what a server asks of its clients: ``--auth`` and ``--ca``."""
    parser.add_argument("--auth", type=existing_file, metavar="FILE", help="file with a bearer token")
    add_trust(parser)


def add_allowed_hosts(parser: argparse._ActionsContainer, what: str) -> None:
    """Add the option ``--allow-host``.

    Args:
        parser: Of the verb.
        what: What is sent to such hosts.
    """
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="HOST",
        help=f"host that {what} may be sent to, beside this machine; repeatable",
    )
