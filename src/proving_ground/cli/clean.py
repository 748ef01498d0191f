"""`proving-ground clean`: remove what earlier runs left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proving_ground.errors import ExitCode
from proving_ground.ownership.clean import clean

if TYPE_CHECKING:
    import argparse

    from proving_ground.cli import Parser


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "clean", help="remove what earlier runs left: processes, containers, state", description=__doc__
    )
    parser.add_argument("runs", nargs="*", metavar="RUN", help="only these, kept or not (default: all leftovers)")
    parser.add_argument("--all", action="store_true", help="kept runs that have not expired, too; never a living one")
    parser.add_argument("--dry-run", action="store_true", help="say what would be removed")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Clean, tell what was removed, and return the exit code."""
    removed = clean(arguments.runs, kept_too=arguments.all, dry_run=arguments.dry_run)
    verb = "would remove" if arguments.dry_run else "removed"
    for line in removed.removed:
        print(f"{verb} {line}")  # noqa: T201 - the verb's output
    for line in removed.living:
        print(f"left alone {line}")  # noqa: T201
    for line in removed.problems:
        print(f"problem: {line}")  # noqa: T201
    if not (removed.removed or removed.living or removed.problems):
        print("nothing to clean")  # noqa: T201
    return ExitCode.INFRASTRUCTURE if removed.problems else ExitCode.PASSED
