"""Moments as the status and the stored data write them: RFC 3339 in UTC."""

from __future__ import annotations

import datetime as dt


def to_seconds(now: float) -> str:
    """Write a moment to the second: ``2026-01-05T09:00:00Z``.

    Args:
        now: Seconds since 1970.
    """
    return dt.datetime.fromtimestamp(now // 1, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_milliseconds(now: float) -> str:
    """Write a moment to the millisecond: ``2026-01-05T09:00:00.250Z``.

    Args:
        now: Seconds since 1970.
    """
    moment = dt.datetime.fromtimestamp(round(now, 3), dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_text(text: str) -> float:
    """Read a moment that has a time zone.

    Returns:
        Seconds since 1970.

    Raises:
        ValueError: The text is no such moment.
    """
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text[:40]!r} has no time zone")
    return moment.timestamp()
