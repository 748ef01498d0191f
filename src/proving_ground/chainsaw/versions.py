"""Semantic versions and ranges of them, as ``semver_compare`` takes them.

Ranges are those of https://pkg.go.dev/github.com/blang/semver/v4#ParseRange: comparisons that are all to hold,
separated by spaces; alternatives separated by ``||``; ``x`` for any number.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from functools import total_ordering

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
_COMPARISON = re.compile(r"\s*(==|=|!=|!|>=|<=|>|<)?\s*([0-9xX*][^\s|]*)\s*")
_OPERATORS = {
    "": operator.eq,
    "=": operator.eq,
    "==": operator.eq,
    "!": operator.ne,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A semantic version; build metadata does not count (https://semver.org)."""

    numbers: tuple[int, int, int]
    before: tuple[str, ...]

    def _key(self) -> tuple[object, ...]:
        parts = tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in self.before)
        return (*self.numbers, not self.before, parts)

    def __lt__(self, other: Version) -> bool:
        """Return whether this one comes first."""
        return self._key() < other._key()


def parse_version(text: str) -> Version:
    """Return a version.

    Raises:
        ValueError: It is none.
    """
    match = _VERSION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a version such as 1.2.3")
    major, minor, patch, before = match.groups()
    return Version((int(major), int(minor), int(patch)), tuple(before.split(".")) if before else ())


def matches(version: str, wanted: str) -> bool:
    """Return whether a version lies in a range.

    Raises:
        ValueError: One of the two is malformed.
    """
    parsed = parse_version(version)
    held = [_all_hold(parsed, alternative) for alternative in wanted.split("||")]  # each is read: none may be malformed
    return any(held)


def _all_hold(version: Version, comparisons: str) -> bool:
    holds = True
    position = 0
    while position < len(comparisons) or position == 0:
        match = _COMPARISON.match(comparisons, position)
        if match is None:
            raise ValueError(f"{comparisons.strip()!r} is not a range such as '>=1.2.0 <2.0.0'")
        holds = _holds(version, match.group(1) or "", match.group(2)) and holds
        position = match.end()
    return holds


def _holds(version: Version, comparison: str, text: str) -> bool:
    numbers = text.split(".")
    wild = next((index for index, number in enumerate(numbers) if number in ("x", "X", "*")), None)
    if wild is None:
        return bool(_OPERATORS[comparison](version, parse_version(text)))
    if wild == 0:
        raise ValueError(f"{text!r} needs a major version")
    prefix = tuple(int(number) for number in numbers[:wild])
    return bool(_OPERATORS[comparison](version.numbers[: len(prefix)], prefix))
