from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from proving_ground.budaiscaler.fields import Fields, SpecError
from proving_ground.budaiscaler.schedule import Hint, active_hint, next_change, read_hints

BUSINESS = {"name": "business-hours", "cronExpression": "0 9 * * 1-5", "duration": "9h", "targetReplicas": 5}
OFF_HOURS = {"name": "off-hours-weekday", "cronExpression": "0 18 * * 1-5", "duration": "15h", "targetReplicas": 2}
WEEKEND = {"name": "weekend", "cronExpression": "0 0 * * 0,6", "duration": "24h", "targetReplicas": 1}


def at(text: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()


def hints(*entries: dict[str, Any]) -> tuple[Hint, ...]:
    return read_hints(Fields("spec", {"scheduleHints": list(entries)}).parts("scheduleHints"))


@pytest.mark.parametrize(
    ("now", "name"),
    [
        ("2026-01-05 08:59:59", ""),  # Monday; Sunday's hint ended at midnight
        ("2026-01-05 09:00:00", "business-hours"),
        ("2026-01-05 17:59:59.9", "business-hours"),
        ("2026-01-05 18:00:00", "off-hours-weekday"),
        ("2026-01-06 08:59:59", "off-hours-weekday"),
        ("2026-01-06 09:00:00", "business-hours"),
        ("2026-01-10 08:00:00", "off-hours-weekday"),  # Saturday: Friday's hint is before the weekend's in the list
        ("2026-01-10 09:00:00", "weekend"),
    ],
)
def test_the_first_hint_whose_period_holds_now_is_active(now: str, name: str) -> None:
    active = active_hint(hints(BUSINESS, OFF_HOURS, WEEKEND), at(now))
    assert (active.name if active else "") == name


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-01-05 08:00:00", "2026-01-05 09:00"),
        ("2026-01-05 09:00:00", "2026-01-05 18:00"),
        ("2026-01-09 18:00:00", "2026-01-10 00:00"),
    ],
)
def test_the_next_change_is_the_next_begin_or_end_of_any_hint(now: str, expected: str) -> None:
    assert next_change(hints(BUSINESS, OFF_HOURS, WEEKEND), at(now)) == at(expected)


def test_without_hints_nothing_changes() -> None:
    assert active_hint((), 0.0) is None
    assert next_change((), 0.0) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cronExpression": "0 9 * *"}, r"scheduleHints\[0\]\.cronExpression: .* found \"0 9 \* \*\""),
        ({"duration": "0s"}, "duration above 0"),
        ({"duration": "-1h"}, "duration above 0"),
        ({"duration": "9 hours"}, "duration above 0"),
        ({"duration": 9}, "duration above 0"),
        ({"targetReplicas": -1}, "whole number from 0"),
        ({"targetReplicas": None}, "found none"),
        ({"name": ""}, r"scheduleHints\[0\]\.name"),
    ],
)
def test_a_broken_hint_is_refused_by_its_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        hints({**BUSINESS, **change})


def test_two_hints_of_one_name_are_refused() -> None:
    with pytest.raises(SpecError, match=r"scheduleHints\[1\]\.name: .* found \"business-hours\""):
        hints(BUSINESS, BUSINESS)
