"""Kyverno's functions of times; texts are RFC 3339 unless a Go layout says otherwise."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from proving_ground.chainsaw.signatures import Registry, failed, shown
from proving_ground.durations import format_duration, parse_duration

REGISTRY = Registry()
_register = REGISTRY.register

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)",
)
#: Elements of Go's layouts (https://pkg.go.dev/time#Layout) -> directives of strptime.
_LAYOUT = {
    "2006": "%Y",
    "06": "%y",
    "January": "%B",
    "Jan": "%b",
    "01": "%m",
    "1": "%m",
    "02": "%d",
    "_2": "%d",
    "2": "%d",
    "15": "%H",
    "03": "%I",
    "3": "%I",
    "04": "%M",
    "4": "%M",
    "05": "%S",
    "5": "%S",
    "PM": "%p",
    "Monday": "%A",
    "Mon": "%a",
    "Z07:00": "%z",
    "-07:00": "%z",
    "-0700": "%z",
    "MST": "%Z",
    "pm": "%p",
}
_ELEMENT = re.compile("|".join(sorted(map(re.escape, _LAYOUT), key=len, reverse=True)) + r"|\.0+|\.9+")


def _parse(name: str, text: str) -> datetime:
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise failed(f"{name}(): {shown(text)} is not a time such as 2024-01-31T12:00:00Z")
    *numbers, fraction, zone = match.groups()
    try:
        year, month, day, hour, minute, second = map(int, numbers)
        microsecond = int((fraction or "0").ljust(9, "0")[:6])
        return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=_zone(zone))
    except ValueError as error:
        raise failed(f"{name}(): {shown(text)}: {error}") from None


def _zone(text: str) -> timezone:
    if text in "Zz":
        return UTC
    hours, minutes = text[1:].split(":")
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-offset if text[0] == "-" else offset)


def _parse_layout(name: str, layout: str, text: str) -> datetime:
    if not layout:
        return _parse(name, text)
    directives = ""
    position = 0
    for match in _ELEMENT.finditer(layout):
        element = match.group()
        directives += layout[position : match.start()].replace("%", "%%") + _LAYOUT.get(element, ".%f")
        position = match.end()
    directives += layout[position:].replace("%", "%%")
    try:
        parsed = datetime.strptime(text, directives)  # noqa: DTZ007  # a layout need not have a zone
    except (ValueError, re.error):  # strptime knows each element once
        raise failed(f"{name}(): {shown(text)} does not follow the layout {shown(layout)}") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _format(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S") + ("Z" if not time.utcoffset() else time.isoformat()[-6:])


def _duration(name: str, text: str) -> timedelta:
    try:
        return timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError) as error:
        raise failed(f"{name}(): {error}") from None


@_register("time_now")
def _time_now() -> str:
    return _format(datetime.now().astimezone())


@_register("time_now_utc")
def _time_now_utc() -> str:
    return _format(datetime.now(UTC))


@_register("time_since", "string", "string", "string?")
def _time_since(layout: str, start: str, end: str = "") -> str:
    until = _parse_layout("time_since", layout, end) if end else datetime.now(UTC)
    return format_duration((until - _parse_layout("time_since", layout, start)).total_seconds())


@_register("time_add", "string", "string")
def _time_add(time: str, duration: str) -> str:
    try:
        return _format(_parse("time_add", time) + _duration("time_add", duration))
    except OverflowError:
        raise failed("time_add(): out of range") from None


@_register("time_parse", "string", "string")
def _time_parse(layout: str, time: str) -> str:
    if not layout or (re.fullmatch(r"[0-9]+", layout) and layout != "2006"):
        raise failed(f"time_parse(): the layout comes first, got {shown(layout)}")
    return _format(_parse_layout("time_parse", layout, time))


@_register("time_utc", "string")
def _time_utc(time: str) -> str:
    return _format(_parse("time_utc", time).astimezone(UTC))


@_register("time_diff", "string", "string")
def _time_diff(start: str, end: str) -> str:
    return format_duration((_parse("time_diff", end) - _parse("time_diff", start)).total_seconds())


@_register("time_before", "string", "string")
def _time_before(left: str, right: str) -> bool:
    return _parse("time_before", left) < _parse("time_before", right)


@_register("time_after", "string", "string")
def _time_after(left: str, right: str) -> bool:
    return _parse("time_after", left) > _parse("time_after", right)


@_register("time_between", "string", "string", "string")
def _time_between(time: str, start: str, end: str) -> bool:
    moment = _parse("time_between", time)
    return _parse("time_between", start) < moment < _parse("time_between", end)


@_register("time_truncate", "string", "string")
def _time_truncate(time: str, duration: str) -> str:
    moment = _parse("time_truncate", time)
    step = _duration("time_truncate", duration)
    if step <= timedelta(0):
        return _format(moment)
    return _format(moment - (moment - datetime.min.replace(tzinfo=UTC)) % step)


@_register("time_to_cron", "string")
def _time_to_cron(time: str) -> str:
    moment = _parse("time_to_cron", time)
    weekday: Any = moment.isoweekday() % 7  # cron counts from Sunday
    return f"{moment.minute} {moment.hour} {moment.day} {moment.month} {weekday}"
