"""Durations as Go writes and reads them: ``10m``, ``1h30m``, ``500ms``."""

from __future__ import annotations

import re

#: Seconds of each unit, see https://pkg.go.dev/time#ParseDuration.
_UNITS = {"ns": 1e-9, "us": 1e-6, "\u00b5s": 1e-6, "\u03bcs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_SHOWN = 60  # characters of a wrong duration that a message shows
_LONGEST = (2**63 - 1) / 1e9  # seconds that Go's type can hold


def parse_duration(text: str) -> float:
    """Return the seconds of a duration.

    Args:
        text: A sequence of numbers with units, with an optional sign; ``0`` needs no unit.

    Raises:
        ValueError: It is not a duration; the message says what one looks like.
    """
    sign, rest = (-1.0, text[1:]) if text[:1] == "-" else (1.0, text[1:] if text[:1] == "+" else text)
    if rest == "0":
        return 0.0
    seconds = 0.0
    position = 0
    while match := _PART.match(rest, position):
        seconds += float(match.group(1)) * _UNITS[match.group(2)]
        position = match.end()
    if not rest or position != len(rest):
        shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
        raise ValueError(f"expected a duration such as 500ms, 10m or 1h30m, found {shown!r}")
    if seconds > _LONGEST:
        raise ValueError(f"{text[:_SHOWN]!r} is longer than a duration can be")
    return sign * seconds


LONGEST_WAIT = 24 * 3600.0
"""Seconds; a longer wait that a person wrote is taken for a typing error."""


def parse_wait(text: str) -> float:
    """Return the seconds of a duration that somebody is to wait: above zero, and not above `LONGEST_WAIT`.

    Raises:
        ValueError: It is not such a duration.
    """
    seconds = parse_duration(text)
    if seconds <= 0:
        raise ValueError(f"expected a duration above zero, found {text!r}")
    if seconds > LONGEST_WAIT:
        raise ValueError(f"expected a duration of at most 24h, found {text!r}")
    return seconds


def format_duration(seconds: float) -> str:
    """Return a duration as Go prints it: ``1h0m0s``, ``1.5s``, ``300ms``."""
    nanoseconds = round(seconds * 1e9)
    sign = "-" if nanoseconds < 0 else ""
    nanoseconds = abs(nanoseconds)
    if nanoseconds == 0:
        return "0s"
    if nanoseconds < 10**9:
        for unit, size in (("ms", 10**6), ("\u00b5s", 10**3), ("ns", 1)):
            if nanoseconds >= size:
                return f"{sign}{_decimal(nanoseconds, size)}{unit}"
    minutes, rest = divmod(nanoseconds, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, 10**9)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    if hours:
        text = f"{hours}h{text}"
    return sign + text


def _decimal(value: int, size: int) -> str:
    whole, part = divmod(value, size)
    if not part:
        return str(whole)
    digits = str(part).rjust(len(str(size)) - 1, "0").rstrip("0")
    return f"{whole}.{digits}"
