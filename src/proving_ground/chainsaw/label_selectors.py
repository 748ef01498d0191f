"""Label selectors, as ``kubectl -l`` and ``chainsaw test --selector`` take them.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KEY = r"(?:[A-Za-z0-9.-]{1,253}/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?"
_EQUALS = re.compile(rf"({_KEY})\s*(==|=|!=)\s*({_VALUE})")
_AMONG = re.compile(rf"({_KEY})\s+(in|notin)\s*\(\s*({_VALUE}(?:\s*,\s*{_VALUE})*)\s*\)")
_PRESENT = re.compile(rf"(!?)\s*({_KEY})")
_BETWEEN = re.compile(r",(?![^()]*\))")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One part of a selector.

    Attributes:
        key: The label.
        values: Values among which it is wanted; None: any value.
        negated: Whether the opposite is wanted; a label that is not there is then as good.
    """

    key: str
    values: frozenset[str] | None = None
    negated: bool = False

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Return whether labels meet it."""
        found = self.key in labels and (self.values is None or labels[self.key] in self.values)
        return found is not self.negated


def parse_selectors(texts: Sequence[str]) -> tuple[Requirement, ...]:
    """Return the requirements of selectors, all of which have to hold.

    Args:
        texts: Each one or more requirements, separated by commas.

    Raises:
        ConfigurationError: One is not understood; names it.
    """
    return tuple(_requirement(part.strip()) for text in texts for part in _BETWEEN.split(text))


def _requirement(text: str) -> Requirement:
    if match := _EQUALS.fullmatch(text):
        return Requirement(match[1], frozenset({match[3]}), match[2] == "!=")
    if match := _AMONG.fullmatch(text):
        values = frozenset(value.strip() for value in match[3].split(","))
        return Requirement(match[1], values, match[2] == "notin")
    if match := _PRESENT.fullmatch(text):
        return Requirement(match[2], None, bool(match[1]))
    raise ConfigurationError(
        f"{text[:80]!r} is no label selector",
        where="--selector",
        hint="key=value, key!=value, key in (a,b), key notin (a,b), key, !key",
    )


def selected(labels: Mapping[str, str], requirements: Sequence[Requirement]) -> bool:
    """Return whether labels meet all requirements."""
    return all(requirement.holds(labels) for requirement in requirements)
