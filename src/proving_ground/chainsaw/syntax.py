r"""The syntax of expressions: jmespath's lexer and parser, extended.

What is more than JMESPath 1.1 is listed in `proving_ground.chainsaw.expressions`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from jmespath import ast, exceptions, lexer, parser

from proving_ground.chainsaw.errors import ExpressionError
from proving_ground.chainsaw.functions import check_call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Token = dict[str, Any]
Node = dict[str, Any]

_LONGEST = 100_000  # characters of one expression
_OPERATORS = {
    ".": "dot",
    "*": "star",
    "[?": "filter",
    "[]": "flatten",
    "(": "lparen",
    ")": "rparen",
    "[": "lbracket",
    "]": "rbracket",
    "{": "lbrace",
    "}": "rbrace",
    "||": "or",
    "|": "pipe",
    ",": "comma",
    ":": "colon",
    "<=": "lte",
    "<": "lt",
    ">=": "gte",
    ">": "gt",
    "==": "eq",
    "!=": "ne",
    "!": "not",
    "=": "assign",
    "&&": "and",
    "&": "expref",
    "@": "current",
    "$": "root",
    "+": "plus",
    "-": "minus",
    "\u2212": "minus",
    "\u00d7": "multiply",
    "/": "divide",
    "\u00f7": "divide",
    "%": "modulo",
    "//": "floor_divide",
}
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<variable>\$[A-Za-z_][A-Za-z0-9_]*)
      | (?P<unquoted_identifier>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>[0-9]+)
      | (?P<quoted_identifier>"(?:[^"\\]|\\.)*")
      | (?P<raw>'(?:[^'\\]|\\.)*')
      | (?P<literal>`(?:[^`\\]|\\.)*`)
      | (?P<operator>\[\?|\[\]|\|\||&&|<=|>=|==|!=|//|[.*()\[\]{}|,:<>!=&@$+\-/%\u2212\u00d7\u00f7])""",
    re.VERBOSE | re.DOTALL,
)
#: After these an operand has ended: a following ``*`` multiplies and a following ``-`` subtracts.
_OPERAND_ENDS = frozenset(
    [
        "unquoted_identifier",
        "quoted_identifier",
        "literal",
        "number",
        "variable",
        "rparen",
        "rbracket",
        "rbrace",
        "flatten",
        "current",
        "root",
    ]
)
_ARITHMETIC = {"plus": 6, "minus": 6, "multiply": 7, "divide": 7, "modulo": 7, "floor_divide": 7}


class Lexer(lexer.Lexer):  # type: ignore[misc]  # jmespath has no types
    """Tokens of the dialect."""

    def tokenize(self, expression: str) -> Iterator[Token]:
        """Yield the tokens of an expression, ``eof`` last."""
        if len(expression) > _LONGEST:
            raise ExpressionError(expression, None, f"longer than {_LONGEST} characters")
        if not expression.strip():
            raise ExpressionError(expression, None, "empty")
        position = 0
        before = ""
        while position < len(expression):
            match = _TOKEN.match(expression, position)
            if match is None:
                raise ExpressionError(expression, position, _unknown(expression, position))
            start, position = position, match.end()
            kind = str(match.lastgroup)
            if kind == "space":
                continue
            text = match.group()
            following = expression[position : position + 1]
            if kind == "operator" and text == "-" and before not in _OPERAND_ENDS and following.isdecimal():
                digits = _TOKEN.match(expression, position)
                if digits is not None and digits.lastgroup == "number":
                    kind, text, position = "number", text + digits.group(), digits.end()
            kind, value = _read(expression, start, kind, text)
            if kind == "star" and before in _OPERAND_ENDS:
                kind = "multiply"
            before = kind
            yield {"type": kind, "value": value, "start": start, "end": position}
        yield {"type": "eof", "value": "", "start": len(expression), "end": len(expression)}


def _read(expression: str, start: int, kind: str, text: str) -> tuple[str, Any]:
    """Return type and value of a matched token."""
    try:
        if kind == "raw":
            return "literal", re.sub(r"\\(['\\])", r"\1", text[1:-1])
        if kind == "literal":
            return "literal", json.loads(text[1:-1].replace("\\`", "`"))
        if kind == "operator":
            return _OPERATORS[text], text
        values: dict[str, Callable[[str], Any]] = {
            "number": int,
            "variable": lambda name: name[1:],
            "quoted_identifier": json.loads,
        }
        return kind, values.get(kind, str)(text)
    except (ValueError, RecursionError) as error:
        raise ExpressionError(expression, start, f"{text} is not valid JSON: {error}") from None


def _unknown(expression: str, position: int) -> str:
    character = expression[position]
    if character in "\"'`":
        return f"the {character} that opens here is never closed"
    return f"unknown character {character!r}"


class Parser(parser.Parser):  # type: ignore[misc]  # jmespath has no types
    """Syntax of the dialect, as jmespath's dictionaries."""

    BINDING_POWER = {  # noqa: RUF012  # extends jmespath's own
        **parser.Parser.BINDING_POWER,
        **_ARITHMETIC,
        "variable": 0,
        "root": 0,
        "assign": 0,
    }

    def parse_text(self, expression: str) -> Node:
        """Return the tree of an expression.

        Raises:
            ExpressionError: It is not one.
        """
        try:
            self._tokens = list(Lexer().tokenize(expression))
            self._index = 0
            tree: Node = self._expression(binding_power=0)
            if self._current_token() != "eof":
                token = self._lookahead_token(0)
                raise ExpressionError(expression, token["start"], f"unexpected {token['value']!r}")
        except exceptions.IncompleteExpressionError:
            raise ExpressionError(expression, len(expression), "ends too early") from None
        except exceptions.ParseError as error:
            if error.token_type == "EOF":  # noqa: S105  # a token of syntax
                raise ExpressionError(expression, len(expression), "ends too early") from None
            token = repr(error.token_value)
            raise ExpressionError(expression, error.lex_position, f"unexpected {token}: {error.msg}") from None
        except exceptions.JMESPathError as error:
            raise ExpressionError(expression, None, str(error)) from None
        except RecursionError:
            raise ExpressionError(expression, None, "nested too deeply") from None
        except IndexError:
            raise ExpressionError(expression, len(expression), "ends too early") from None
        return tree

    def _token_nud_number(self, token: Token) -> Node:
        return _node(ast.literal(token["value"]))

    def _token_nud_variable(self, token: Token) -> Node:
        return {"type": "variable", "children": [], "value": token["value"], "start": token["start"]}

    def _token_nud_root(self, _token: Token) -> Node:
        return {"type": "root", "children": []}

    def _token_nud_plus(self, token: Token) -> Node:
        return self._unary("plus", token)

    def _token_nud_minus(self, token: Token) -> Node:
        return self._unary("minus", token)

    def _unary(self, operator: str, _token: Token) -> Node:
        return {"type": "unary", "children": [self._expression(_ARITHMETIC["multiply"])], "value": operator}

    def _token_nud_unquoted_identifier(self, token: Token) -> Node:
        if token["value"] == "let" and self._current_token() == "variable":
            return self._let()
        node = _node(ast.field(token["value"]))
        node["start"] = token["start"]
        return node

    def _let(self) -> Node:
        """Parse what follows ``let``: ``$a = x, $b = y in z``; values see what is outside only."""
        names: list[str] = []
        children: list[Node] = []
        while True:
            names.append(self._lookahead_token(0)["value"])
            self._match("variable")
            self._match("assign")
            children.append(self._expression())
            if self._current_token() != "comma":
                break
            self._match("comma")
        token = self._lookahead_token(0)
        if token["type"] != "unquoted_identifier" or token["value"] != "in":
            self._raise_parse_error_maybe_eof("in", token)
        self._advance()
        children.append(self._expression())
        return {"type": "let", "children": children, "value": names}

    def _binary(self, operator: str, left: Node) -> Node:
        right = self._expression(_ARITHMETIC[operator])
        return {"type": "arithmetic", "children": [left, right], "value": operator}

    def _token_led_plus(self, left: Node) -> Node:
        return self._binary("plus", left)

    def _token_led_minus(self, left: Node) -> Node:
        return self._binary("minus", left)

    def _token_led_multiply(self, left: Node) -> Node:
        return self._binary("multiply", left)

    def _token_led_divide(self, left: Node) -> Node:
        return self._binary("divide", left)

    def _token_led_modulo(self, left: Node) -> Node:
        return self._binary("modulo", left)

    def _token_led_floor_divide(self, left: Node) -> Node:
        return self._binary("floor_divide", left)

    def _token_led_lparen(self, left: Node) -> Node:
        start = left.get("start")
        node = _node(super()._token_led_lparen(left))
        reason = check_call(node["value"], len(node["children"]))
        if reason:
            raise ExpressionError("", start, reason)
        return node


def _node(node: Any) -> Node:
    return dict(node)
