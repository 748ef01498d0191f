"""JSON as Go writes it: keys in order, no space, whole numbers without a point, ``<``, ``>`` and ``&`` escaped.

What ``to_string`` gives is compared with texts, so that it has to be the same to the last character
(https://pkg.go.dev/encoding/json#Marshal).
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

_LARGEST = 1e21  # numbers from here on, and those below the next, have an exponent
_SMALLEST = 1e-6
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


@runtime_checkable
class Marshaler(Protocol):
    """A value that looks different in JSON than in an expression."""

    def marshalled(self) -> Any:
        """Return what stands in JSON."""


def json_text(value: Any) -> str:
    """Return a JSON value as text."""
    if isinstance(value, dict):
        if isinstance(value, Marshaler):
            return json_text(value.marshalled())
        return "{" + ",".join(f"{_quoted(str(key))}:{json_text(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(json_text, value)) + "]"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return number_text(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(_ESCAPES)


def number_text(number: float) -> str:
    """Return a number in its shortest form, with an exponent where it is very large or very small."""
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else f"{'-' if number < 0 else '+'}Inf"
    if isinstance(number, int) and abs(number) < _LARGEST:
        return str(number)
    shortest = Decimal(repr(float(number)))
    if shortest and not _SMALLEST <= abs(shortest) < _LARGEST:
        return exponent_text(shortest, 1)
    return plain_text(number)


def plain_text(number: float) -> str:
    """Return a finite number in its shortest form without an exponent."""
    text = f"{Decimal(repr(float(number))):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def exponent_text(number: Decimal, digits: int) -> str:
    """Return a number with an exponent of at least some digits: ``1.5e+06``."""
    mantissa, exponent = f"{number.normalize():e}".split("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:].rjust(digits, '0')}"
