"""Replicas by the clock: ``spec.scheduleHints``. Times are UTC."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from proving_ground.budaiscaler.cron import Cron, end_of_run, parse_cron
from proving_ground.budaiscaler.fields import SpecError, show

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proving_ground.budaiscaler.fields import Fields


@dataclasses.dataclass(frozen=True, slots=True)
class Hint:
    """Replicas that are wanted in the periods that a cron expression begins."""

    name: str
    cron: Cron
    duration: float
    """Seconds."""
    replicas: int

    def begun(self, now: float) -> int | None:
        """Return when the period that now is in began, in unix seconds; None outside of all. The end is outside."""
        start = self.cron.previous(now)
        return start if start is not None and now < start + self.duration else None


def read_hints(fields: Iterable[Fields]) -> tuple[Hint, ...]:
    """Read the entries of ``spec.scheduleHints``.

    Raises:
        SpecError: A field cannot be followed, or two entries have one name.
    """
    hints: list[Hint] = []
    for each in fields:
        hint = _hint(each)
        if any(hint.name == other.name for other in hints):
            raise SpecError(f"{each.path}.name: expected a name that no hint before has, found {show(hint.name)}")
        hints.append(hint)
    return tuple(hints)


def active_hint(hints: Iterable[Hint], now: float) -> Hint | None:
    """Return the first hint that is active; the order is that of the list."""
    return next((hint for hint in hints if hint.begun(now) is not None), None)


def next_change(hints: Iterable[Hint], now: float) -> float | None:
    """Return when the next period of any hint begins or ends, in unix seconds; None when none does."""
    changes = [_next_change(hint, now) for hint in hints]
    return min((change for change in changes if change is not None), default=None)


def _next_change(hint: Hint, now: float) -> float | None:
    begun = hint.begun(now)
    return hint.cron.following(now) if begun is None else end_of_run(hint.cron, begun, hint.duration)


def _hint(fields: Fields) -> Hint:
    name = fields.text("name")
    expression = fields.text("cronExpression")
    try:
        cron = parse_cron(expression)
    except ValueError as error:
        raise SpecError(f"{fields.path}.cronExpression: {error}, found {show(expression)}") from error
    return Hint(name, cron, fields.duration("duration"), fields.whole("targetReplicas", None, 0))
