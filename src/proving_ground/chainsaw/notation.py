r"""How strings in YAML say that they are more than strings.

``(expr)`` is an expression, ``~.x`` and ``~name.x`` iterate over x, ``x->name`` binds x to ``$name``, and
``\x\`` is x without any of that. The order of the rules is that of kyverno-json
(https://kyverno.github.io/kyverno-json/latest/policies/asserts/).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from proving_ground.chainsaw.errors import ExpressionError
from proving_ground.chainsaw.expressions import compile_expression

if TYPE_CHECKING:
    from proving_ground.chainsaw.expressions import Expression

_FOREACH = re.compile(r"~(\w+)?\.(.*)", re.ASCII)
_BINDING = re.compile(r"(.*)\s*->\s*(\w+)", re.ASCII)
_ESCAPED = re.compile(r"\\(.+)\\")
_EXPRESSION = re.compile(r"\((?:(\w+);)?(.+)\)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Notation:
    """What a string says.

    Args:
        text: The name or literal that is left.
        expression: The expression, where it is one.
        foreach: Whether to iterate over what is found.
        index: Binding for the index or key of an iteration; empty for none.
        binding: Binding for what is found; empty for none.
        escaped: Whether the text was escaped.
    """

    text: str
    expression: Expression | None = None
    foreach: bool = False
    index: str = ""
    binding: str = ""
    escaped: bool = False


@lru_cache(maxsize=8192)
def parse_notation(text: str) -> Notation:
    """Read a key of an assertion tree.

    Args:
        text: As it stands in YAML.

    Raises:
        ExpressionError: It holds an expression that is none, or one in CEL.
    """
    rest = text
    foreach, index, binding = False, "", ""
    if (match := _FOREACH.fullmatch(rest)) is not None:
        foreach, index, rest = True, match.group(1) or "", match.group(2)
    if (match := _BINDING.fullmatch(rest)) is not None:
        rest, binding = match.group(1), match.group(2)
    if (match := _ESCAPED.fullmatch(rest)) is not None:
        return Notation(match.group(1), None, foreach, index, binding, escaped=True)
    return Notation(rest, _expression(rest), foreach, index, binding)


def parse_value(text: str) -> Notation:
    """Read a scalar: an expression, an escaped text or a text.

    Raises:
        ExpressionError: It holds an expression that is none, or iterates or binds, which only keys do.
    """
    notation = parse_notation(text)
    if notation.foreach or notation.binding:
        what = "iterates (~)" if notation.foreach else "binds (->)"
        raise ExpressionError(text, None, rf"{what}, which only a key may do; write \{text}\ for the text itself")
    return notation


def parse_marked(text: str) -> Expression | None:
    """Return the expression of ``(expr)``; None for any other text.

    Raises:
        ExpressionError: It holds an expression that is none, or one in CEL.
    """
    return _expression(text) if text.startswith("(") and text.endswith(")") else None


def _expression(text: str) -> Expression | None:
    match = _EXPRESSION.fullmatch(text)
    if match is None:
        return None
    compiler, expression = match.groups()
    if compiler in (None, "jp", "default"):
        return compile_expression(expression)
    if compiler == "cel":
        raise ExpressionError(text, None, "CEL is not supported yet")
    raise ExpressionError(text, None, f"unknown compiler {compiler!r}; there are jp and cel")
