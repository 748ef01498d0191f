"""Values that a pod is given as text, by annotations and arguments: read one by one, with what is wrong told."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

MAX_SECONDS = 86400.0
_DURATION = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?(?:ns|us|µs|ms|s|m|h)){1,6}")
_DURATION_PART = re.compile(r"([\d.]+)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
"""Units of Go's durations (https://pkg.go.dev/time#ParseDuration)."""

T = TypeVar("T")


class Reader:
    """Reads values by name, and collects what is wrong with them.

    Args:
        values: The texts by full name.
        kind: What they are, as problems name them.
        prefix: What each name begins with.
    """

    def __init__(self, values: Mapping[str, str], kind: str, prefix: str) -> None:
        self._values = values
        self._kind = kind
        self._prefix = prefix
        self.problems: list[str] = []

    def __contains__(self, name: str) -> bool:
        """Say whether there is such a value."""
        return self._prefix + name in self._values

    def text(self, name: str, default: str = "") -> str:
        """Return a text."""
        return self._values.get(self._prefix + name, default).strip()

    def value(self, name: str, default: T, parse: Callable[[str], T]) -> T:
        """Return a value, or the default if there is none or it cannot be understood."""
        text = self._values.get(self._prefix + name)
        if text is None:
            return default
        try:
            return parse(text.strip())
        except ValueError as error:
            self.problems.append(f"{self._kind} {self._prefix}{name}: {error}, found {text[:80]!r}")
            return default


def arguments(args: Sequence[str]) -> dict[str, str]:
    """Read a command line as ``--name value`` and ``--name=value``; a name without value has an empty one."""
    found: dict[str, str] = {}
    name = ""
    for arg in args:
        if arg.startswith("--"):
            name, separator, value = arg.partition("=")
            found[name] = value
            name = "" if separator else name
        elif name:
            found[name] = arg
            name = ""
    return found


def seconds(text: str) -> float:
    """Read seconds, with or without their unit.

    Raises:
        ValueError: It is no number from 0 to a day.
    """
    try:
        value = float(text.removesuffix("s"))
    except ValueError:
        raise ValueError("expected seconds") from None
    if not math.isfinite(value) or not 0 <= value <= MAX_SECONDS:
        raise ValueError(f"expected 0 to {MAX_SECONDS:.0f} seconds")
    return value


def latency(text: str) -> float:
    """Read a latency in seconds: a number of milliseconds, or a duration as Go writes it (``1m2.5s``).

    Raises:
        ValueError: It is neither, or longer than a day.
    """
    if text.isascii() and text.isdecimal():
        value = int(text[:12]) / 1000
    elif _DURATION.fullmatch(text):
        value = sum(float(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(text))
    else:
        raise ValueError("expected milliseconds or a duration such as 250ms")
    if value > MAX_SECONDS:
        raise ValueError("expected at most a day")
    return value


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return what reads a whole number from ``low`` to ``high``."""

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not low <= int(text[:12]) <= high:
            raise ValueError(f"expected a whole number from {low} to {high}")
        return int(text)

    return parse


def words(text: str, allowed: Iterable[str]) -> dict[str, str]:
    """Read ``key=value, flag``.

    Raises:
        ValueError: A key is unknown or repeated.
    """
    found: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        key, _, value = part.partition("=")
        if key not in allowed or key in found:
            raise ValueError(f"expected {', '.join(sorted(allowed))}, each at most once")
        found[key] = value
    return found


def one_of(*allowed: str) -> Callable[[str], str]:
    """Return what reads one of some words."""

    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"expected {' or '.join(allowed)}")
        return text

    return parse
