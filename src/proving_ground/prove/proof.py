"""All passes of all suites, and what they prove."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
from typing import TYPE_CHECKING

from proving_ground.errors import ConfigurationError, ExitCode
from proving_ground.prove.comparison import FaultVerdict, baseline_problems, compare, matches, never_killed
from proving_ground.prove.passes import Pass, PassResult, Place, make

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from proving_ground.pipeline.project import FoundSuite

BASELINE = None


@dataclasses.dataclass(frozen=True)
class SuiteProof:
    """What was proved about one suite.

    Attributes:
        suite: Its name.
        checks: Number of checks that pass without a fault.
        verdicts: One for each fault that could be judged.
        never_killed: Checks that no fault makes fail; None where not all faults were asked for.
        baseline: Checks that do not pass without a fault, one line each.
        broken: Passes that could not be judged, one line each.
        configuration: Whether the first of those is a matter of configuration.
        printed: The end of what those passes printed, by the name of the pass.
    """

    suite: str
    checks: int
    verdicts: tuple[FaultVerdict, ...]
    never_killed: tuple[str, ...] | None
    baseline: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    configuration: bool = False
    printed: tuple[tuple[str, str], ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """The first cause decides: what could not be judged, then what was judged."""
        if self.broken:
            return ExitCode.CONFIGURATION if self.configuration else ExitCode.INFRASTRUCTURE
        if self.baseline or self.never_killed or any(verdict.problems for verdict in self.verdicts):
            return ExitCode.FAILED
        return ExitCode.PASSED


def plan(suites: Sequence[FoundSuite], fault: str | None) -> list[Pass]:
    """Return the passes to make: one without a fault and one for each fault, of each suite.

    Raises:
        ConfigurationError: No suite knows the fault.
    """
    known = sorted({name for found in suites for name in found.definition.faults})
    if fault is not None and fault not in known:
        raise ConfigurationError(
            f"no suite knows fault {fault!r}", where="--fault", hint=f"known: {', '.join(known) or 'none'}"
        )
    by_suite: list[list[Pass]] = []
    for found in suites:
        names = [name for name in found.definition.faults if fault in (None, name)]
        if fault is None or names:
            by_suite.append([Pass(found.definition, found.directory, name) for name in (BASELINE, *names)])
    # In turns: one suite's passes mostly wait while another's mostly compute.
    return [asked for turn in itertools.zip_longest(*by_suite) for asked in turn if asked is not None]


class Slots:
    """So many slots, of which each pass takes some for as long as it runs; who waits longest goes first.

    Args:
        count: How many there are; a pass that wants more gets all.
    """

    def __init__(self, count: int) -> None:
        self._count = self._free = count
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def taken(self, wanted: int) -> AsyncIterator[None]:
        """Hold slots while the context lasts."""
        number = min(wanted, self._count)
        async with self._turn:
            while self._free < number:
                self._freed.clear()
                await self._freed.wait()
            self._free -= number
        try:
            yield
        finally:
            self._free += number
            self._freed.set()


async def run_all(
    passes: Sequence[Pass], place: Place, *, jobs: int, tell: Callable[[Pass, PassResult], None]
) -> list[tuple[Pass, PassResult]]:
    """Make all passes, as many at once as there are slots; those of exclusive suites alone, at the end."""
    results: dict[str, tuple[Pass, PassResult]] = {}
    slots = Slots(jobs)

    async def one(asked: Pass) -> None:
        async with slots.taken(asked.suite.prove.slots):
            result = await make(asked, place)
        results[asked.name] = (asked, result)
        tell(asked, result)

    async with asyncio.TaskGroup() as group:
        for asked in passes:
            if not asked.suite.exclusive:
                group.create_task(one(asked))
    for asked in passes:
        if asked.suite.exclusive:
            await one(asked)
    return [results[asked.name] for asked in passes]


def judge(results: Sequence[tuple[Pass, PassResult]], *, all_faults: bool) -> list[SuiteProof]:
    """Return what the passes prove, suite by suite.

    Args:
        results: Every pass that was made.
        all_faults: Whether every fault was asked for; else nothing is said of checks that none kills.
    """
    by_suite: dict[str, list[tuple[Pass, PassResult]]] = {}
    for asked, result in results:
        by_suite.setdefault(asked.suite.name, []).append((asked, result))
    return [_judge_suite(name, group, all_faults=all_faults) for name, group in sorted(by_suite.items())]


def _judge_suite(name: str, group: Sequence[tuple[Pass, PassResult]], *, all_faults: bool) -> SuiteProof:
    broken = [f"{asked.name}: {result.problem}" for asked, result in group if result.problem]
    configuration = next((result.configuration for _, result in group if result.problem), False)
    without = next(result for asked, result in group if asked.fault is BASELINE)
    infrastructure = [
        f"{asked.name}: {check}: {seen.message}"
        for asked, result in group
        for check, seen in sorted(result.outcomes.items())
        if seen.infrastructure and not _may_be_blocked(asked, check)
    ]
    verdicts = tuple(
        compare(
            asked.fault,
            asked.suite.faults[asked.fault],
            without.outcomes,
            result.outcomes,
            without.left_out,
            result.left_out,
        )
        for asked, result in group
        if asked.fault is not BASELINE and not result.problem
    )
    complete = all_faults and not broken and not infrastructure
    return SuiteProof(
        suite=name,
        checks=sum(seen.outcome == "passed" for seen in without.outcomes.values()),
        verdicts=verdicts,
        never_killed=tuple(never_killed(without.outcomes, verdicts)) if complete else None,
        baseline=tuple(baseline_problems(without.outcomes)),
        broken=(*broken, *infrastructure),
        configuration=configuration,
        printed=tuple((asked.name, result.printed) for asked, result in group if result.problem),
    )


def _may_be_blocked(asked: Pass, check: str) -> bool:
    return asked.fault is not BASELINE and matches(check, asked.suite.faults[asked.fault].may_be_blocked)
