"""`proving-ground prove`: run each suite under each of its faults, and compare what fails."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from proving_ground.errors import ConfigurationError
from proving_ground.pipeline.project import FoundSuite, Project, nearest
from proving_ground.plugin.activation import read_platform
from proving_ground.prove import telling
from proving_ground.prove.passes import Pass, PassResult, Place
from proving_ground.prove.proof import SuiteProof, judge, plan, run_all

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from proving_ground.cli import Parser
    from proving_ground.contracts.platform import Platform

PASSES_FOR_EACH_CPU = 3


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "prove", help="run suites under faults: every check must be able to fail", description=__doc__
    )
    parser.add_argument("--platform", required=True, type=Path, metavar="FILE", help="platform.json of a platform")
    parser.add_argument("--suite", action="append", default=[], metavar="NAME", help="only this suite; repeatable")
    parser.add_argument("--fault", metavar="NAME", help="only this fault")
    parser.add_argument("--jobs", type=int, metavar="N", help="passes at once (default: three for each CPU)")
    parser.add_argument("--state-dir", type=Path, metavar="DIR", help="private directory (default: that of --platform)")
    parser.add_argument("--artifacts-dir", type=Path, metavar="DIR", help="where prove.json and prove.md go")
    parser.add_argument("--values", action="append", default=[], type=Path, metavar="FILE", help="values of models")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make all passes on a platform that exists, print the table, and return the exit code."""
    project = Project.find()
    platform_file = arguments.platform.resolve()
    platform = read_platform(platform_file)
    place = Place(
        root=project.root,
        platform_file=platform_file,
        state_dir=(arguments.state_dir or platform_file.parent).resolve(),
        artifacts_dir=(arguments.artifacts_dir or project.root / "artifacts" / platform.run_id).resolve(),
        values_files=tuple(path.resolve() for path in arguments.values),
    )
    suites = select(project.suites(), platform, arguments.suite)
    jobs = arguments.jobs or PASSES_FOR_EACH_CPU * (os.cpu_count() or 1)
    proofs, seconds = prove(suites, place, jobs=jobs, fault=arguments.fault)
    telling.write(proofs, seconds, place.artifacts_dir)
    sys.stdout.write(telling.text(proofs, seconds) + "\n")
    return telling.exit_code(proofs)


def select(suites: Sequence[FoundSuite], platform: Platform, names: Sequence[str]) -> list[FoundSuite]:
    """Return the suites that can run on the platform; all of them unless some are named.

    Raises:
        ConfigurationError: A named suite does not exist, or nothing is left.
    """
    known = {found.definition.name: found for found in suites}
    for name in names:
        if name not in known:
            raise ConfigurationError(f"suite {name!r} does not exist", where="--suite", hint=nearest(name, known))
    fitting = [
        found
        for found in suites
        if (not names or found.definition.name in names)
        and set(found.definition.systems) <= set(platform.systems)
        and set(found.definition.capabilities) <= set(platform.capabilities.promised)
    ]
    if not fitting:
        raise ConfigurationError("no suite can run on this platform", where="--platform")
    return fitting


def prove(
    suites: Sequence[FoundSuite], place: Place, *, jobs: int, fault: str | None = None
) -> tuple[list[SuiteProof], float]:
    """Make all passes of these suites, and return what they prove with the seconds that it took.

    Raises:
        KeyboardInterrupt: Interrupted; every pass has cleaned up.
    """
    passes = plan(suites, fault)
    began = time.monotonic()
    done = 0

    def tell(asked: Pass, result: PassResult) -> None:
        nonlocal done
        done += 1
        failed = sum(seen.outcome != "passed" for seen in result.outcomes.values())
        state = result.problem or f"{len(result.outcomes)} checks, {failed} not passed"
        sys.stdout.write(
            f"[{time.monotonic() - began:6.1f} s] {done}/{len(passes)} {asked.suite.name} "
            f"{asked.fault or 'without a fault'}: {state}\n"
        )
        sys.stdout.flush()

    async def main() -> list[tuple[Pass, PassResult]]:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await run_all(passes, place, jobs=jobs, tell=tell)

    try:
        results = asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    return judge(results, all_faults=fault is None), time.monotonic() - began
