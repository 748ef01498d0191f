"""Durations as Go writes them, which is how Chainsaw reads its timeouts."""

from __future__ import annotations

import re

LONGEST = 24 * 3600.0
"""Seconds; a longer wait for one model is taken for a typing error."""

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)"
_WHOLE = re.compile(rf"(?:{_PART})+", re.ASCII)
_PARTS = re.compile(_PART, re.ASCII)


def parse_duration(text: str) -> float:
    """Return the seconds of a duration such as ``10m``, ``1h30m`` or ``1.5h``.

    The form is that of Go's ``time.ParseDuration`` without a sign.

    Raises:
        ValueError: The text is not of that form, is not above zero, or is above `LONGEST`.
    """
    if len(text) > 40 or not _WHOLE.fullmatch(text):  # noqa: PLR2004 - no duration that makes sense is longer
        raise ValueError(f"expected a duration such as 10m, 90s or 1h30m, found {text[:40]!r}")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PARTS.findall(text))
    if seconds <= 0:
        raise ValueError(f"expected a duration above zero, found {text!r}")
    if seconds > LONGEST:
        raise ValueError(f"expected a duration of at most 24h, found {text!r}")
    return seconds
