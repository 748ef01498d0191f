"""Cron expressions of five fields, evaluated in UTC.

Fields are minute, hour, day of month, month and day of week; a field holds ``*``, numbers, names (JAN, MON), ranges,
lists and steps. When both day fields are restricted, a day that matches either counts, as crontab(5) says.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MINUTE, DAY = 60, 86400

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_NAMES_OF_MONTHS = {name: number for number, name in enumerate(_MONTHS, 1)}
_NAMES_OF_DAYS = {name: number for number, name in enumerate(_WEEKDAYS)}
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, _NAMES_OF_MONTHS),
    ("day of week", 0, 7, _NAMES_OF_DAYS),
)
_ITEM = re.compile(r"(\*|[0-9]{1,2}|[A-Z]{3})(?:-([0-9]{1,2}|[A-Z]{3}))?(?:/([0-9]{1,2}))?")
_LONGEST = 200  # characters of an expression
_EPOCH = dt.date(1970, 1, 1).toordinal()
_LAST_DAY = dt.date.max.toordinal() - _EPOCH
_FIRST_DAY = dt.date.min.toordinal() - _EPOCH
_SEARCHED_DAYS = 8 * 366 + 1  # 29 February is at most eight years away
_DAYS_OF_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclasses.dataclass(frozen=True, slots=True)
class Cron:
    """When something happens: minutes of the day, ascending, on the days that match."""

    times: tuple[int, ...]
    """Minutes since midnight."""
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    either_day: bool
    """Whether day of month or day of week suffices."""

    def previous(self, now: float) -> int | None:
        """Return the last time at or before now, in unix seconds; None when there is none for eight years."""
        day, second = divmod(math.floor(now), DAY)
        for each in range(day, max(_FIRST_DAY, day - _SEARCHED_DAYS) - 1, -1):
            if self._matches(each):
                latest = second // MINUTE if each == day else DAY
                for time in reversed(self.times):
                    if time <= latest:
                        return each * DAY + time * MINUTE
        return None

    def following(self, now: float) -> int | None:
        """Return the first time after now, in unix seconds; None when there is none for eight years."""
        day, second = divmod(math.floor(now), DAY)
        for each in range(day, min(_LAST_DAY, day + _SEARCHED_DAYS) + 1):
            if self._matches(each):
                earliest = second // MINUTE + 1 if each == day else 0
                for time in self.times:
                    if time >= earliest:
                        return each * DAY + time * MINUTE
        return None

    def _matches(self, day: int) -> bool:
        date = dt.date.fromordinal(day + _EPOCH)
        if date.month not in self.months:
            return False
        by_month, by_week = date.day in self.days, date.isoweekday() % 7 in self.weekdays
        return by_month or by_week if self.either_day else by_month and by_week


def parse_cron(text: str) -> Cron:
    """Return when a cron expression happens.

    Raises:
        ValueError: It is not such an expression, or it never happens; the message says why.
    """
    parts = text[: _LONGEST + 1].upper().split()
    if len(text) > _LONGEST or len(parts) != len(_FIELDS):
        raise ValueError("a cron expression has the 5 fields minute, hour, day of month, month, day of week")
    sets = [_field(part, name, low, high, names) for part, (name, low, high, names) in zip(parts, _FIELDS, strict=True)]
    minutes, hours, days, months, weekdays = sets
    either = not _is_star(parts[2]) and not _is_star(parts[4])
    if not either and not any(day <= _DAYS_OF_MONTHS[month - 1] for day in days for month in months):
        raise ValueError("no month that it names has such a day")
    return Cron(
        times=tuple(sorted(hour * 60 + minute for hour in hours for minute in minutes)),
        days=days,
        months=months,
        weekdays=frozenset(day % 7 for day in weekdays),
        either_day=either,
    )


def end_of_run(cron: Cron, start: int, duration: float) -> float | None:
    """Return when a run of overlapping periods ends.

    Args:
        cron: When periods begin.
        start: A time at which one begins, in unix seconds.
        duration: Seconds of a period.

    Returns:
        Unix seconds; None when periods follow each other for long.
    """
    for _ in range(100):
        after = cron.following(start)
        if after is None or after > start + duration:
            return start + duration
        start = after
    return None


def _is_star(part: str) -> bool:
    return any(item in {"*", "*/1"} for item in part.split(","))


def _field(part: str, name: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    found: set[int] = set()
    for item in part.split(","):
        found.update(_values(item, name, low, high, names))
    return frozenset(found)


def _values(item: str, name: str, low: int, high: int, names: dict[str, int]) -> Iterable[int]:
    match = _ITEM.fullmatch(item)
    if match is None:
        raise ValueError(f"{name} {item!r} is not *, a number, a name, a range or a step")
    first, last, step = match.groups()
    if first == "*":
        if last:
            raise ValueError(f"{name} {item!r} is not a range")
        start, end = low, high
    else:
        start = _number(first, name, low, high, names)
        end = _number(last, name, low, high, names) if last else high if step else start
    if step is not None and int(step) == 0:
        raise ValueError(f"{name} {item!r} has a step of 0")
    if start > end:
        raise ValueError(f"{name} {item!r} ends before it begins")
    return range(start, end + 1, int(step or 1))


def _number(text: str, name: str, low: int, high: int, names: dict[str, int]) -> int:
    value = int(text) if text.isdecimal() else names.get(text)
    if value is None or not low <= value <= high:
        raise ValueError(f"{name} {text!r} is not from {low} to {high}")
    return value
