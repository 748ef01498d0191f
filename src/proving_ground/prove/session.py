"""Selects suites, makes their passes with progress, and judges them."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

from proving_ground.errors import ConfigurationError
from proving_ground.pipeline.project import nearest
from proving_ground.prove.proof import SuiteProof, judge, plan, run_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from proving_ground.contracts.platform import Platform
    from proving_ground.pipeline.project import FoundSuite
    from proving_ground.prove.passes import Pass, PassResult, Place

_STOP_INTERVAL = 0.1


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
    suites: Sequence[FoundSuite],
    place: Place,
    *,
    jobs: int,
    fault: str | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[list[SuiteProof], float]:
    """Make all passes of these suites, and return what they prove with the seconds that it took.

    Args:
        suites: Which.
        place: Where they run.
        jobs: Passes at once.
        fault: Only this fault.
        should_stop: Asked several times a second.

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

    async def watch(task: asyncio.Task[object]) -> None:
        while not should_stop():  # noqa: ASYNC110 - what is asked is set by a signal handler
            await asyncio.sleep(_STOP_INTERVAL)
        task.cancel()

    async def main() -> list[tuple[Pass, PassResult]]:
        making = asyncio.ensure_future(run_all(passes, place, jobs=jobs, tell=tell))
        watching = asyncio.ensure_future(watch(making))
        try:
            return await making
        finally:
            watching.cancel()

    try:
        results = asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    return judge(results, all_faults=fault is None), time.monotonic() - began
