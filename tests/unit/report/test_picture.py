from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.contracts.timeline import Entry
from proving_ground.report.picture import LABELS, WIDTH, picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from proving_ground.contracts.results import Results


def test_bars_lie_on_one_scale_within_the_drawing(results: Results) -> None:
    made = picture(results)
    assert made is not None
    create, verify, *checks = made.bars
    assert (create.x, create.took) == (LABELS, "0.5s")
    assert create.x < verify.x <= checks[0].x < verify.x + verify.width
    assert all(bar.x >= LABELS and bar.x + bar.width <= WIDTH for bar in made.bars)
    assert len({bar.y for bar in made.bars}) == len(made.bars)


def test_ticks_are_round_times_from_zero(results: Results) -> None:
    made = picture(results)
    assert made is not None
    assert [tick.label for tick in made.ticks[:3]] == ["0.0s", "10s", "20s"]


def test_what_happened_on_the_way_is_marked(results: Results) -> None:
    time = results.started + dt.timedelta(seconds=10)
    entries = [
        Entry(time=time, elapsed=10, kind=kind, subject="node-1", event="noted", detail="drained")
        for kind in ("disturbance", "check")
    ]
    made = picture(results, entries)
    assert made is not None
    assert [event.label for event in made.events] == ["disturbance node-1 drained"]


def test_the_time_after_the_verdict_is_told_apart(make_run: Callable[..., Results], make_check: Any) -> None:
    made = picture(make_run(make_check("a", duration=10.0, metrics={"seconds_to_verdict": 4.0}), phases=[]))
    assert made is not None
    (bar,) = made.bars
    assert bar.judged == pytest.approx(bar.width * 0.4, abs=0.1)


def test_nothing_measured_is_no_picture(make_run: Callable[..., Results]) -> None:
    assert picture(make_run(phases=[])) is None


def test_long_names_keep_both_ends(make_run: Callable[..., Results], make_check: Any) -> None:
    made = picture(make_run(make_check("a" * 100 + "-0-9-0-rc3"), phases=[]))
    assert made is not None
    assert made.bars[0].label.startswith("aim/aaa")
    assert made.bars[0].label.endswith("-0-9-0-rc3")


def entries(results: Results, kind: str, count: int, apart: float) -> list[Entry]:
    return [
        Entry(
            time=results.started + dt.timedelta(seconds=apart * number),
            elapsed=apart * number,
            kind=kind,
            subject=f"app-{number}",
            event="noted",
            detail="2 to 3",
        )
        for number in range(count)
    ]


def test_hundreds_of_scale_events_become_few_short_marks_that_tell_how_many(results: Results) -> None:
    made = picture(results, entries(results, "scale", 500, 0.14))
    assert made is not None
    assert len(made.events) < 160
    assert all(event.short for event in made.events)
    told = sum(int(match[1]) if (match := re.search(r"and (\d+) more", e.label)) else 0 for e in made.events)
    assert told + sum(len([line for line in e.label.splitlines() if "app-" in line]) for e in made.events) == 500


def test_a_disturbance_is_not_hidden_among_scale_events(results: Results) -> None:
    made = picture(results, [*entries(results, "scale", 500, 0.14), *entries(results, "disturbance", 1, 0)])
    assert made is not None
    assert [event.label for event in made.events if not event.short] == ["disturbance app-0 2 to 3"]


def test_a_hundred_thousand_events_at_one_moment_are_one_mark(results: Results) -> None:
    made = picture(results, entries(results, "scale", 100_000, 0))
    assert made is not None
    (mark,) = made.events
    assert mark.label.splitlines()[-1] == "and 99995 more"
