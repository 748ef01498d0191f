"""`proving-ground prove`: run each suite under each of its faults, and compare what fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proving_ground.cli.run import add_options
from proving_ground.pipeline.options import RunOptions
from proving_ground.pipeline.proving import STAGE, ProveRun

if TYPE_CHECKING:
    import argparse

    from proving_ground.cli import Parser


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "prove", help="run suites under faults: every check must be able to fail", description=__doc__
    )
    add_options(parser)
    parser.add_argument("--jobs", type=int, metavar="N", help="passes at once (default: five for each CPU)")
    parser.set_defaults(run=run, stage=STAGE)


def run(arguments: argparse.Namespace) -> int:
    """Make a platform, make all passes on it, print the table, and return the exit code."""
    if arguments.inventory is None and arguments.platform is None:
        arguments.inventory = "sim"
    options = RunOptions.from_arguments(arguments)
    return ProveRun(options, fault=options.fault, jobs=arguments.jobs).execute()
