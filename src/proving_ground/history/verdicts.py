"""What gates come to: a judgement of each metric, and the verdict of the run."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

from proving_ground.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proving_ground.history.records import Series

Outcome = Literal["pass", "regression", "improvement", "insufficient history", "invalid run"]

ORDER: tuple[Outcome, ...] = ("invalid run", "regression", "insufficient history", "improvement", "pass")
"""The first of these that any judgement has is the verdict."""


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the first in `ORDER` of some outcomes, at least one."""
    return min(outcomes, key=ORDER.index)


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What one gate came to on one metric.

    Attributes:
        series: The metric; None where the gate found none to judge.
        gate: The gate in words: ``at most 200 ms``, ``no worse than last_good``.
        outcome: What it came to.
        cause: Why, one line.
        value: What was judged, in the metric's unit.
        reference: What it was compared with.
        worse: By how much it is worse, as a share; negative: better.
        p: Chance of so much by luck alone, over all metrics of the run together.
        needed: Runs of baseline and candidate that finding the change takes which the gate is to find; None: enough
            are there, or it is not known.
    """

    series: Series | None
    gate: str
    outcome: Outcome
    cause: str
    value: float | None = None
    reference: float | None = None
    worse: float | None = None
    p: float | None = None
    needed: tuple[int, int] | None = None


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What all gates of a run came to."""

    outcome: Outcome
    cause: str
    judgements: tuple[Judgement, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the run is worse than it may be, or could not be judged at all."""
        return self.outcome in ("regression", "invalid run")

    def exit_code(self, *, require_history: bool = False) -> ExitCode:
        """Return the exit code: 1 for a regression, 2 for a run that could not be judged.

        Args:
            require_history: Whether a run without enough history is a failure.
        """
        if self.outcome == "invalid run":
            return ExitCode.INFRASTRUCTURE
        if self.outcome == "regression" or (require_history and self.outcome == "insufficient history"):
            return ExitCode.FAILED
        return ExitCode.PASSED


def verdict_of(judgements: list[Judgement]) -> Verdict:
    """Return the verdict that judgements come to; without any, nothing was asked and nothing is wrong."""
    if not judgements:
        return Verdict("pass", "no gate asked for anything")
    outcome = worst(j.outcome for j in judgements)
    deciding = [j for j in judgements if j.outcome == outcome]
    first = deciding[0]
    name = f"{first.series.name}: " if first.series is not None else ""
    cause = f"{len(judgements)} judgements pass" if outcome == "pass" else f"{name}{first.cause}"
    if outcome != "pass" and len(deciding) > 1:
        cause += f", and {len(deciding) - 1} more"
    ordered = sorted(judgements, key=lambda j: (ORDER.index(j.outcome), -(j.worse or 0.0)))
    return Verdict(outcome, cause, tuple(ordered))
