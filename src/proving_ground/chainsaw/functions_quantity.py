"""Kyverno's arithmetic: numbers, quantities (``500Mi``) and durations (``1h``), each with its own kind.

A text that is both, such as ``5m``, is a quantity, as in kyverno.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal, DecimalException
from typing import Any

from proving_ground.chainsaw.quantities import Quantity, parse_quantity
from proving_ground.chainsaw.signatures import Registry, failed, shown
from proving_ground.durations import format_duration, parse_duration

REGISTRY = Registry()
_register = REGISTRY.register


@dataclass(frozen=True, slots=True)
class _Operand:
    kind: str  # number, quantity or duration
    amount: Decimal  # a duration's in seconds
    style: str = "decimal"


def _operand(name: str, value: Any) -> _Operand:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _Operand("number", Decimal(str(value)))
    if isinstance(value, str):
        try:
            quantity = parse_quantity(value)
            return _Operand("quantity", quantity.amount, quantity.style)
        except ValueError:
            pass
        try:
            return _Operand("duration", Decimal(str(parse_duration(value))))
        except ValueError:
            pass
    raise failed(f"{name}() takes numbers, quantities and durations, got {shown(value)}")


def _result(kind: str, amount: Decimal, style: str) -> Any:
    if kind == "quantity":
        return str(Quantity(amount, style))
    if kind == "duration":
        return format_duration(float(amount))
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def _places(amount: Decimal) -> int:
    """Return the number of places behind the point that an amount needs."""
    exponent = amount.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _same_kind(name: str, left: Any, right: Any) -> tuple[_Operand, _Operand]:
    first, second = _operand(name, left), _operand(name, right)
    if first.kind != second.kind:
        raise failed(f"{name}() of a {first.kind} and a {second.kind}: {shown(left)}, {shown(right)}")
    return first, second


@_register("add", "any", "any")
def _add(left: Any, right: Any) -> Any:
    first, second = _same_kind("add", left, right)
    return _result(first.kind, first.amount + second.amount, (first if first.amount else second).style)


@_register("subtract", "any", "any")
def _subtract(left: Any, right: Any) -> Any:
    first, second = _same_kind("subtract", left, right)
    return _result(first.kind, first.amount - second.amount, (first if first.amount else second).style)


@_register("sum", "array")
def _sum(values: list[Any]) -> Any:
    if not values:
        raise failed("sum() needs at least one item, got none")
    total: Any = values[0]
    for value in values[1:]:
        total = _add(total, value)
    return total


@_register("multiply", "any", "any")
def _multiply(left: Any, right: Any) -> Any:
    first, second = _operand("multiply", left), _operand("multiply", right)
    if first.kind == "number":
        first, second = second, first
    if second.kind != "number":
        raise failed(f"multiply() needs at least one plain number, got {shown(left)} and {shown(right)}")
    return _result(first.kind, first.amount * second.amount, first.style)


@_register("divide", "any", "any")
def _divide(left: Any, right: Any) -> Any:
    first, second = _operand("divide", left), _operand("divide", right)
    if second.kind not in ("number", first.kind):
        raise failed(f"divide() of a {first.kind} by a {second.kind}: {shown(left)}, {shown(right)}")
    try:
        amount = first.amount / second.amount
    except DecimalException:
        raise failed("division by zero") from None
    if first.kind == "quantity" and second.kind == "number":
        places = max(0, *(-int(part.amount.as_tuple().exponent) for part in (first, second)))  # as written
        amount = amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_DOWN)
    return _result("number" if second.kind == first.kind else first.kind, amount, first.style)


@_register("modulo", "any", "any")
def _modulo(left: Any, right: Any) -> Any:
    first, second = _same_kind("modulo", left, right)
    if first.kind != "duration" and (_places(first.amount) or _places(second.amount)):
        raise failed(f"modulo() needs whole numbers, got {shown(left)} and {shown(right)}")
    try:
        return _result(first.kind, first.amount % second.amount, first.style)
    except DecimalException:
        raise failed("division by zero") from None


@_register("round", "number", "number?")
def _round(number: float, places: float = 0) -> float:
    if places != int(places) or not 0 <= places <= _MOST_PLACES:
        raise failed(f"round() takes 0 to {_MOST_PLACES} places, got {places}")
    size = 10 ** int(places)
    rounded = math.floor(abs(number) * size + 0.5) / size
    rounded = math.copysign(rounded, number)
    return int(rounded) if rounded.is_integer() else rounded


_MOST_PLACES = 15
