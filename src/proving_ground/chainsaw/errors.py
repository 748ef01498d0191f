"""What can go wrong in the language part: expressions and assertion trees."""

from __future__ import annotations


class ExpressionError(Exception):
    """An expression cannot be parsed or evaluated.

    Args:
        expression: Its text, without the parentheses that mark it in YAML.
        position: Offset in the text, from 0; None where the error belongs to no position.
        reason: What is wrong, without the place.
    """

    def __init__(self, expression: str, position: int | None, reason: str) -> None:
        super().__init__(expression, position, reason)
        self.expression = expression
        self.position = position
        self.reason = reason

    def __str__(self) -> str:
        """Return expression, position (counted from 1) and reason in one line."""
        place = "" if self.position is None else f", character {self.position + 1}"
        text = self.expression if len(self.expression) <= _SHOWN else self.expression[:_SHOWN] + "..."
        return f"expression ({text}){place}: {self.reason}"


class TreeError(Exception):
    """An assertion tree cannot be applied to a value: the two are of kinds that never compare.

    Args:
        path: Where in the tree.
        reason: What was expected and what was found.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        """Return path and reason in one line."""
        return f"{self.path or '@'}: {self.reason}"


_SHOWN = 200  # characters of an expression that a message shows
