r"""How strings in YAML say that they are expressions, iterations, bindings or plain text."""

from __future__ import annotations

import pytest

from proving_ground.chainsaw.errors import ExpressionError
from proving_ground.chainsaw.notation import Notation, parse_marked, parse_notation, parse_value


@pytest.mark.parametrize(
    ("text", "foreach", "index", "binding", "rest", "expression"),
    [
        ("spec", False, "", "", "spec", None),
        ("(a + b)", False, "", "", "(a + b)", "a + b"),
        ("(jp;a)", False, "", "", "(jp;a)", "a"),
        ("(a)->x", False, "", "x", "(a)", "a"),
        ("spec->s", False, "", "s", "spec", None),
        ("~.spec", True, "", "", "spec", None),
        ("~i.(a.b)", True, "i", "", "(a.b)", "a.b"),
        ("~i.(a)->x", True, "i", "x", "(a)", "a"),
        (r"\(a)\ ".strip(), False, "", "", "(a)", None),
        ("(a) b", False, "", "", "(a) b", None),
        ("a (b)", False, "", "", "a (b)", None),
        ("()", False, "", "", "()", None),
        ("(a\nb)", False, "", "", "(a\nb)", None),
        ("(a)\n", False, "", "", "(a)\n", None),
    ],
)
def test_a_key_says_what_it_is(
    text: str, *, foreach: bool, index: str, binding: str, rest: str, expression: str | None
) -> None:
    notation = parse_notation(text)

    assert (notation.foreach, notation.index, notation.binding) == (foreach, index, binding)
    assert notation.text == rest
    assert (notation.expression.text if notation.expression else None) == expression


@pytest.mark.parametrize("text", ["a -> b", "~.a", "~i.(a)", "(a)->b"])
def test_a_value_neither_iterates_nor_binds(text: str) -> None:
    with pytest.raises(ExpressionError, match="only a key may"):
        parse_value(text)


def test_an_escaped_value_is_its_text() -> None:
    assert parse_value("\\a -> b\\") == Notation("a -> b", escaped=True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("(cel; a)", "CEL is not supported"), ("(xx;a)", "unknown compiler"), ("(a) and (b)", "unexpected")],
)
def test_an_expression_that_is_none_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError, match=reason):
        parse_marked(text)
