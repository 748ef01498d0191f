"""Reading what a mock is given: parameters of its address, fields of a form, variables of its environment."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FIELD_LIMIT = 32
"""Parameters of one request."""
SHOWN = 80
"""Characters of a refused value that an error repeats."""

_NUMBER = re.compile(r"[+-]?(\d{1,64}(\.\d{0,64})?|\.\d{1,64})([eE][+-]?\d{1,4})?", re.ASCII)


class MockError(ConfigurationError):
    """A mock refuses what it was given, and nothing has changed.

    Args:
        what: What was expected and what was found.
        where: The parameter or variable.
        status: The HTTP status that says so.
    """

    def __init__(self, what: str, *, where: str = "", status: int = 400) -> None:
        super().__init__(what, where=where)
        self.status = status


def read_query(text: str) -> dict[str, str]:
    """Read a query string or a form, each name at most once.

    Raises:
        MockError: It is not ``name=value&...`` in UTF-8, is too long, or repeats a name.
    """
    if not text:
        return {}
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=FIELD_LIMIT
        )
    except ValueError:
        raise MockError(
            f"expected at most {FIELD_LIMIT} of name=value, joined by &, in UTF-8, found {text[:SHOWN]!r}"
        ) from None
    read = dict(pairs)
    if len(read) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MockError("expected once, found more than once", where=f"parameter {twice}")
    return read


def read_query_as_told(text: str) -> dict[str, str]:
    """Read a query string as forgiving servers do: what cannot be read is left out, the first of a name counts."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=FIELD_LIMIT)
    except ValueError:
        return {}
    return dict(reversed(pairs))


class Given:
    """Named texts, read one by one.

    Args:
        values: The texts by name.
        kind: What an error calls them: ``parameter`` or ``variable``.
    """

    def __init__(self, values: Mapping[str, str], kind: str = "parameter") -> None:
        self._values = values
        self._kind = kind

    def __contains__(self, name: str) -> bool:
        """Tell whether a value of that name was given."""
        return name in self._values

    def error(self, name: str, expected: str) -> MockError:
        """Make the error about a value: what was expected, and what was found."""
        found = self._values.get(name)
        return MockError(
            f"expected {expected}, found {'nothing' if found is None else repr(found[:SHOWN])}",
            where=f"{self._kind} {name}",
        )

    def only(self, names: Iterable[str]) -> None:
        """Refuse any name but these, and refuse to be empty.

        Raises:
            MockError: A name is not known, or there is none.
        """
        allowed = tuple(names)
        known = ", ".join(allowed)
        for name in self._values:
            if name not in allowed:
                raise MockError(f"not known; expected {known}", where=f"{self._kind} {name[:SHOWN]}")
        if not self._values:
            raise MockError(f"expected at least one {self._kind} of {known}, found none")

    def text(self, name: str) -> str | None:
        """Return a value as it stands, or None."""
        return self._values.get(name)

    def number(self, name: str, low: float, high: float) -> float | None:
        """Return a finite number from ``low`` to ``high``, or None where there is no such name.

        Raises:
            MockError: The value is anything else.
        """
        value = self._parsed(name)
        if value is None:
            return None
        if not low <= value <= high:
            raise self.error(name, f"a number from {low:g} to {high:g}")
        return value + 0.0  # no negative zero

    def whole(self, name: str, low: int, high: int) -> int | None:
        """Return a whole number from ``low`` to ``high``, or None where there is no such name.

        Raises:
            MockError: The value is anything else.
        """
        value = self._parsed(name)
        if value is None:
            return None
        if not low <= value <= high or not value.is_integer():
            raise self.error(name, f"a whole number from {low} to {high}")
        return int(value)

    def _parsed(self, name: str) -> float | None:
        """Return a value as a number, NaN where it is none, or None where there is no such name."""
        text = self._values.get(name)
        if text is None:
            return None
        return float(text) if _NUMBER.fullmatch(text) else math.nan

    def word(self, name: str, words: Iterable[str]) -> str | None:
        """Return one of some words, or None where there is no such name.

        Raises:
            MockError: The value is none of them.
        """
        text = self._values.get(name)
        allowed = tuple(words)
        if text is not None and text not in allowed:
            raise self.error(name, f"one of {', '.join(allowed)}")
        return text
