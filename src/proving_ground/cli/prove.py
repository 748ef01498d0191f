"""`proving-ground prove`: run each suite under each of its faults, and compare what fails."""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import TYPE_CHECKING

from proving_ground.cli.run import add_options
from proving_ground.errors import ExitCode
from proving_ground.ownership.state import check_run_id
from proving_ground.pipeline.options import RunOptions
from proving_ground.pipeline.project import Project
from proving_ground.pipeline.proving import STAGE, ProveRun
from proving_ground.pipeline.verify import check_names

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from proving_ground.cli import Parser
    from proving_ground.pipeline.project import FoundSuite

SIMULATED = "sim"
"""The inventory that needs no root."""


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "prove", help="run suites under faults: every check must be able to fail", description=__doc__
    )
    add_options(parser)
    parser.add_argument("--jobs", type=int, metavar="N", help="passes at once (default: five for each CPU)")
    parser.set_defaults(run=run, stage=STAGE)


def run(arguments: argparse.Namespace) -> int:
    """Prove suites, each on the inventory that it names unless one is given, and return the first exit code above 0."""
    options = RunOptions.from_arguments(arguments)
    if options.inventory is not None or options.platform is not None:
        return _prove(options, arguments.jobs)
    suites = Project.find().suites()
    check_names(suites, options.only)
    code = 0
    for number, (inventory, names) in enumerate(grouped(suites, options.only, options.fault).items()):
        if inventory != SIMULATED and os.geteuid() != 0:
            sys.stdout.write(f"not proved here: {', '.join(names)} (on {inventory}, which needs root)\n")
            continue
        run_id = f"{options.run_id}-{inventory}" if number else options.run_id
        here = dataclasses.replace(options, inventory=inventory, only=names, run_id=check_run_id(run_id))
        code = code or _prove(here, arguments.jobs)
        if code == ExitCode.INTERRUPTED:
            break
    return code


def _prove(options: RunOptions, jobs: int | None) -> int:
    """Make a platform, make all passes on it, print the table, and return the exit code."""
    return ProveRun(options, fault=options.fault, jobs=jobs).execute()


def grouped(suites: Sequence[FoundSuite], only: Sequence[str], fault: str | None) -> dict[str, tuple[str, ...]]:
    """Return the names of the suites that are to be proved, by their inventories, the simulated one first.

    Args:
        suites: All suites.
        only: Names of those that are wanted; all if empty.
        fault: The fault that is wanted; a suite that does not know it is left out, unless none does.
    """
    wanted = [found.definition for found in suites if not only or found.definition.name in only]
    wanted = [suite for suite in wanted if fault is None or fault in suite.faults] or wanted
    inventories = sorted({suite.prove.inventory for suite in wanted}, key=lambda name: (name != SIMULATED, name))
    return {name: tuple(suite.name for suite in wanted if suite.prove.inventory == name) for name in inventories}
