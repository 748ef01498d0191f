"""Kubernetes quantities: ``500m``, ``1.5Gi``, ``2e3``.

Syntax and canonical form are those of https://pkg.go.dev/k8s.io/apimachinery/pkg/api/resource#Quantity.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, localcontext

_TEXT = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?")
_BINARY = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "Ti": 1024**4, "Pi": 1024**5, "Ei": 1024**6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_SMALLEST = Decimal("1e-9")
_DIGITS = 60  # enough for 1e18 with nine places, squared


@dataclass(frozen=True, slots=True)
class Quantity:
    """An exact amount and how it was written: ``binary``, ``decimal`` or ``exponent``."""

    amount: Decimal
    style: str = "decimal"

    def __str__(self) -> str:
        """Return the canonical form: no fraction, the largest suffix that allows that."""
        amount = self.amount.quantize(_SMALLEST, rounding=ROUND_CEILING)
        if not amount:
            return "0"
        if self.style == "binary" and abs(amount) >= 1024 and amount == amount.to_integral_value():  # noqa: PLR2004
            for suffix, size in reversed(_BINARY.items()):
                if amount % size == 0:
                    return f"{int(amount / size)}{suffix}"
            return str(int(amount))
        for suffix, exponent in reversed(_DECIMAL.items()):
            scaled = amount.scaleb(-exponent)
            if scaled == scaled.to_integral_value():
                if self.style == "exponent":
                    return f"{int(scaled)}e{exponent}" if exponent else str(int(scaled))
                return f"{int(scaled)}{suffix}"
        return str(amount.normalize())


def parse_quantity(text: str) -> Quantity:
    """Return a quantity.

    Raises:
        ValueError: The text is none.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:60]!r} is not a quantity such as 500m or 1Gi")
    number, suffix = match.group(1), match.group(2) or ""
    with localcontext() as context:
        context.prec = _DIGITS + len(number)
        if suffix in _BINARY:
            return Quantity(Decimal(number) * _BINARY[suffix], "binary")
        if suffix in _DECIMAL:
            return Quantity(Decimal(number).scaleb(_DECIMAL[suffix]))
        return Quantity(Decimal(number).scaleb(int(suffix[1:])), "exponent")
