"""How a function of expressions says what it takes, and how a call is checked against that."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proving_ground.chainsaw.errors import ExpressionError

if TYPE_CHECKING:
    from collections.abc import Callable

#: A JSON type of JMESPath -> does a value have it.
_TYPES: dict[str, Callable[[Any], bool]] = {
    "any": lambda value: not callable(value),
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
    "expref": callable,
    "array[string]": lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    "array[number]": lambda value: isinstance(value, list) and all(_TYPES["number"](item) for item in value),
    "array[array]": lambda value: isinstance(value, list) and all(isinstance(item, list) for item in value),
}


@dataclass(frozen=True, slots=True)
class Function:
    """A function of expressions.

    Args:
        name: As written in an expression.
        call: What computes it; gets the arguments in order.
        arguments: The types of each argument, alternatives joined by ``|``; a trailing ``?`` marks an
            optional one, a trailing ``*`` one that may come again and again.
    """

    name: str
    call: Callable[..., Any]
    arguments: tuple[str, ...]

    @property
    def least(self) -> int:
        """The smallest number of arguments."""
        return sum(not argument.endswith("?") for argument in self.arguments)

    @property
    def most(self) -> int | None:
        """The largest number of arguments; None where there is no limit."""
        if self.arguments and self.arguments[-1].endswith("*"):
            return None
        return len(self.arguments)

    def wrong_count(self, count: int) -> str:
        """Return what is wrong with a number of arguments; empty where it is right."""
        most = self.most
        if count >= self.least and (most is None or count <= most):
            return ""
        if most is None:
            wanted = f"at least {self.least}"
        else:
            wanted = str(most) if most == self.least else f"{self.least} to {most}"
        return f"{self.name}() takes {wanted} argument{'' if wanted == '1' else 's'}, got {count}"

    def wrong_type(self, arguments: list[Any]) -> str:
        """Return what is wrong with the types of a call's arguments; empty where nothing is."""
        for index, value in enumerate(arguments):
            wanted = self.arguments[min(index, len(self.arguments) - 1)].rstrip("?*")
            if not any(_TYPES[kind](value) for kind in wanted.split("|")):
                return (
                    f"argument {index + 1} of {self.name}() must be {wanted.replace('|', ' or ')}, got {shown(value)}"
                )
        return ""


class Registry(dict[str, Function]):
    """Functions by name."""

    def register(self, name: str, *arguments: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Return a decorator that registers a function; see `Function` for the arguments."""

        def add(call: Callable[..., Any]) -> Callable[..., Any]:
            self[name] = Function(name, call, arguments)
            return call

        return add


def shown(value: Any) -> str:
    """Return a JSON value in a length that fits a message."""
    if callable(value):
        return "an expression"
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def kind(value: Any) -> str:
    """Return what a JSON value is, in words."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    names: dict[type[Any], str] = {str: "string", list: "list", dict: "object"}
    return names.get(type(value), "null")


def plain(number: float) -> float:
    """Return a whole float as an integer, so that it reads 3 and not 3.0 wherever it goes."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def lower(character: str) -> str:
    """Return the lower case of a character where that is one character, as Go maps it."""
    mapped = character.lower()
    return mapped if len(mapped) == 1 else character


def upper(character: str) -> str:
    """Return the upper case of a character where that is one character, as Go maps it."""
    mapped = character.upper()
    return mapped if len(mapped) == 1 else character


def failed(reason: str) -> ExpressionError:
    """Return the error of a function; the expression it stands in is added by the evaluation."""
    return ExpressionError("", None, reason)


_SHOWN = 80  # characters of a value that a message shows
