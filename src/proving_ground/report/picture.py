"""The durations of a run as a picture: where each bar of the timeline lies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proving_ground.report.text import first_line, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proving_ground.contracts.results import Results
    from proving_ground.contracts.timeline import Entry

WIDTH = 1000
"""Units of the drawing from its left edge to its right; the page scales it."""

LABELS = 330
"""Units that the names take, left of the bars."""

TO_VERDICT = "seconds_to_verdict"
"""Metric of a check whose clean-up is part of its duration."""

ROW = 17
MOST_BARS = 400

_LABEL_CHARACTERS = 50
_NARROWEST = 2.0
_TICKS = 8
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_EVENTS = ("disturbance", "fault", "scale", "cause")
_FREQUENT = ("scale",)
_APART = 4.0
_TOLD = 5


@dataclass(frozen=True)
class Bar:
    """One phase or check; ``x``, ``y`` and widths in units of the drawing.

    Attributes:
        judged: Width up to the verdict; what follows is the clean-up of a check.
    """

    kind: str
    label: str
    status: str
    x: float
    y: float
    width: float
    judged: float
    took: str


@dataclass(frozen=True)
class _Span:
    kind: str
    name: str
    status: str
    start: float
    duration: float
    judged: float


@dataclass(frozen=True)
class Mark:
    """Something that happened at one moment, or a tick of the scale.

    Attributes:
        short: Whether it is drawn below the scale only: there may be hundreds.
    """

    x: float
    label: str
    short: bool = False


@dataclass(frozen=True)
class Picture:
    """Everything that the template draws."""

    width: float
    height: float
    labels: float
    bars: tuple[Bar, ...]
    ticks: tuple[Mark, ...]
    events: tuple[Mark, ...]
    left_out: int


def picture(results: Results, timeline: Sequence[Entry] = ()) -> Picture | None:
    """Return the timeline of a run's phases and checks, or none where nothing was measured.

    Above `MOST_BARS` checks only the longest are drawn, and how many are not is told.
    """
    checks = [test for test in results.tests if test.started]
    left_out = max(0, len(checks) - MOST_BARS)
    if left_out:
        checks = sorted(checks, key=lambda test: -test.duration)[:MOST_BARS]
    checks.sort(key=lambda test: (test.suite, test.started))
    spans = [_Span("phase", p.name, p.status, p.started.timestamp(), p.duration, p.duration) for p in results.phases]
    spans += [
        _Span("check", t.id, t.status, t.started.timestamp(), t.duration, t.metrics.get(TO_VERDICT, t.duration))
        for t in checks
        if t.started
    ]
    spans = [span for span in spans if math.isfinite(span.duration) and math.isfinite(span.judged)]
    if not spans:
        return None
    begin = min(span.start for span in spans)
    length = max(max(span.start + span.duration for span in spans) - begin, 0.1)
    scale = (WIDTH - LABELS - 60) / length

    bars = tuple(
        Bar(
            kind=span.kind,
            label=_short(span.name),
            status=span.status,
            x=round(LABELS + (span.start - begin) * scale, 1),
            y=(row + 1) * ROW + 4,
            width=round(max(span.duration * scale, _NARROWEST), 1),
            judged=round(max(min(span.judged, span.duration) * scale, _NARROWEST), 1),
            took=seconds(span.duration),
        )
        for row, span in enumerate(spans)
    )
    step = next((s for s in _STEPS if length / s <= _TICKS), length)
    ticks = [Mark(round(LABELS + i * step * scale, 1), seconds(i * step)) for i in range(int(length / step) + 1)]
    happened = [
        Mark(
            round(LABELS + (e.time.timestamp() - begin) * scale, 1),
            first_line(f"{e.kind} {e.subject} {e.detail}"),
            short=e.kind in _FREQUENT,
        )
        for e in timeline
        if e.kind in _EVENTS and 0 <= e.time.timestamp() - begin <= length
    ]
    events = (*_gathered(happened, short=False), *_gathered(happened, short=True))
    return Picture(WIDTH, (len(bars) + 2) * ROW, LABELS, bars, tuple(ticks), events, left_out)


def _gathered(marks: Sequence[Mark], *, short: bool) -> list[Mark]:
    """Return the marks of one kind, those that would lie on each other as one that tells the first of them."""
    groups: list[list[Mark]] = []
    for mark in sorted((mark for mark in marks if mark.short == short), key=lambda mark: mark.x):
        if groups and mark.x - groups[-1][0].x < _APART:
            groups[-1].append(mark)
        else:
            groups.append([mark])
    return [Mark(group[0].x, _told([mark.label for mark in group]), short) for group in groups]


def _told(labels: Sequence[str]) -> str:
    more = [f"and {len(labels) - _TOLD} more"] if len(labels) > _TOLD else []
    return "\n".join([*labels[:_TOLD], *more])


def _short(text: str) -> str:
    """Cut a name in its middle: suites begin alike, versions end it."""
    text = first_line(text)
    if len(text) <= _LABEL_CHARACTERS:
        return text
    half = _LABEL_CHARACTERS // 2
    return f"{text[: half - 1]}…{text[-half:]}"
