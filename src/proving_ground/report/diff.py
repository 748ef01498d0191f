"""What changed from one run to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proving_ground.contracts.results import Results, Test

SLOWER = 1.5
"""A check counts as slower or faster when its time changed by this factor and by more than `NOTICEABLE`."""

NOTICEABLE = 1.0
"""Seconds."""

_BAD = ("failed", "error")


@dataclass(frozen=True)
class Pair:
    """One check in both runs."""

    before: Test
    after: Test


@dataclass(frozen=True)
class Difference:
    """What changed; each list in the order of the later run.

    Attributes:
        failing: Checks that fail, or end as error, and did not before; new checks among `added` do not count.
        fixed: Checks that pass and failed before.
        other: Checks whose outcome changed otherwise, for example to skipped.
        durations: Checks that passed both times and took clearly longer, or shorter.
    """

    failing: tuple[Pair, ...]
    fixed: tuple[Pair, ...]
    other: tuple[Pair, ...]
    durations: tuple[Pair, ...]
    added: tuple[Test, ...]
    removed: tuple[Test, ...]

    @property
    def worse(self) -> bool:
        """Whether the later run has a failure that the earlier one had not."""
        return bool(self.failing) or any(test.status in _BAD for test in self.added)


def difference(before: Results, after: Results, *, factor: float = SLOWER) -> Difference:
    """Return what changed between two runs, check by check."""
    old = {test.id: test for test in before.tests}
    new = {test.id: test for test in after.tests}
    pairs = [Pair(old[name], test) for name, test in new.items() if name in old]
    failing = tuple(p for p in pairs if p.after.status in _BAD and p.before.status not in _BAD)
    fixed = tuple(p for p in pairs if p.before.status in _BAD and p.after.status == "passed")
    told = {p.after.id for p in (*failing, *fixed)}
    return Difference(
        failing=failing,
        fixed=fixed,
        other=tuple(p for p in pairs if p.before.status != p.after.status and p.after.id not in told),
        durations=tuple(p for p in pairs if _clearly_changed(p, factor)),
        added=tuple(test for name, test in new.items() if name not in old),
        removed=tuple(test for name, test in old.items() if name not in new),
    )


def _clearly_changed(pair: Pair, factor: float) -> bool:
    if pair.before.status != "passed" or pair.after.status != "passed":
        return False
    short, long = sorted((pair.before.duration, pair.after.duration))
    return long - short > NOTICEABLE and long > short * factor
