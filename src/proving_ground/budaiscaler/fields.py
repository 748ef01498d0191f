"""Reads the fields of a BudAIScaler, and says which field is wrong and what was found there."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from proving_ground.chainsaw.quantities import parse_quantity
from proving_ground.durations import parse_duration

INT32_MAX = 2**31 - 1

_SHOWN = 80  # characters of a wrong value that a message shows
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", re.ASCII)


class SpecError(ValueError):
    """A scaler that cannot be followed; the message names the field and what was found in it."""


class Fields:
    """One object of a scaler and the path to it.

    A field that is absent or null has its default. What an OpenAPI schema would refuse is refused here too, so that
    no object can bring the controller down.
    """

    def __init__(self, path: str, value: Any) -> None:
        self.path = path
        if value is not None and not isinstance(value, Mapping):
            raise SpecError(f"{path}: expected an object, found {show(value)}")
        self._value: Mapping[str, Any] = value or {}

    def __contains__(self, name: str) -> bool:
        """Tell whether a field is there and not null."""
        return self._value.get(name) is not None

    def fail(self, name: str, expected: str) -> NoReturn:
        """Refuse a field.

        Raises:
            SpecError: Always.
        """
        found = f"found {show(self._value[name])}" if name in self else "found none"
        raise SpecError(f"{self.path}.{name}: expected {expected}, {found}")

    def part(self, name: str) -> Fields:
        """Return the object in a field; an absent one is empty."""
        return Fields(f"{self.path}.{name}", self._value.get(name))

    def parts(self, name: str) -> Iterator[Fields]:
        """Iterate over the objects of a list."""
        for index, item in enumerate(self._list(name)):
            yield Fields(f"{self.path}.{name}[{index}]", {} if item is None else item)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of strings."""
        found = self._list(name)
        if not all(isinstance(item, str) for item in found):
            self.fail(name, "a list of strings")
        return tuple(found)

    def pairs(self, name: str) -> tuple[tuple[str, str], ...]:
        """Return a map of strings as pairs, in its order."""
        found = self._value.get(name) or {}
        if not isinstance(found, Mapping) or not all(
            isinstance(k, str) and isinstance(v, str) for k, v in found.items()
        ):
            self.fail(name, "a map of strings")
        return tuple(found.items())

    def text(self, name: str, default: str | None = None) -> str:
        """Return a string; without a default it must be there and not be empty."""
        found = self._value.get(name)
        if found is None and default is not None:
            return default
        if not isinstance(found, str) or not (found or default is not None):
            self.fail(name, "a text")
        return found

    def choice(self, name: str, allowed: Sequence[str], default: str | None = None) -> str:
        """Return one of some words."""
        found = self._value.get(name, default)
        if found is None:
            found = default
        if found not in allowed:
            self.fail(name, f"one of {', '.join(allowed)}")
        return str(found)

    def flag(self, name: str, default: bool) -> bool:
        """Return a boolean."""
        found = self._value.get(name)
        if found is None:
            return default
        if not isinstance(found, bool):
            self.fail(name, "true or false")
        return found

    def whole(self, name: str, default: int | None, low: int, high: int = INT32_MAX) -> int:
        """Return a whole number within bounds; without a default it must be there."""
        found = self._value.get(name)
        if found is None and default is not None:
            return default
        if not isinstance(found, int) or isinstance(found, bool) or not low <= found <= high:
            self.fail(name, f"a whole number from {low}" + (f" to {high}" if high < INT32_MAX else ""))
        return found

    def number(self, name: str, default: float, low: float, high: float, expected: str) -> float:
        """Return a number that stands in a string, within bounds; with ``%`` it is a hundredth of what it says."""
        found = self._value.get(name)
        if found is None:
            return default
        value = read_number(found.strip().removesuffix("%")) if isinstance(found, str) else math.nan
        if isinstance(found, str) and found.strip().endswith("%"):
            value /= 100
        if not low <= value <= high:
            self.fail(name, expected)
        return value

    def quantity(self, name: str) -> float | None:
        """Return a quantity above zero: a whole number or a text such as ``2500m``; None where there is none."""
        found = self._value.get(name)
        if found is None:
            return None
        try:
            value = float(parse_quantity(str(found)).amount) if isinstance(found, str | int | float) else math.nan
        except ValueError:
            value = math.nan
        if isinstance(found, bool) or not 0 < value < math.inf:
            self.fail(name, "a quantity above 0 such as 3 or 2500m")
        return value

    def duration(self, name: str) -> float:
        """Return the seconds of a duration above zero."""
        found = self._value.get(name)
        try:
            value = parse_duration(found) if isinstance(found, str) else 0.0
        except ValueError:
            value = 0.0
        if value <= 0:
            self.fail(name, "a duration above 0 such as 30m or 8h")
        return value

    def _list(self, name: str) -> Sequence[Any]:
        found = self._value.get(name)
        if found is None:
            return ()
        if not isinstance(found, Sequence) or isinstance(found, str | bytes):
            self.fail(name, "a list")
        return found


def read_number(text: str) -> float:
    """Return a decimal number, with or without an exponent; NaN when the text is none."""
    return float(text) if _NUMBER.fullmatch(text) else math.nan


def show(value: Any) -> str:
    """Return a value as JSON, shortened, for a message."""
    text = json.dumps(value, default=str, ensure_ascii=True)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
