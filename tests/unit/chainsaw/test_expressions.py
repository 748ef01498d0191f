"""Expressions: the dialect, its errors, and hostile texts."""

from __future__ import annotations

from typing import Any

import pytest

from proving_ground.chainsaw.errors import ExpressionError
from proving_ground.chainsaw.expressions import compile_expression

SERVICE = {
    "spec": {"replicas": 4},
    "status": {
        "status": "Running",
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "RuntimeReady", "status": "False"}],
    },
}


def value_of(text: str, value: Any = None, **bindings: Any) -> Any:
    return compile_expression(text).evaluate(value, bindings)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("spec.replicas", 4),
        ("spec.replicas > 3", True),
        ("spec.replicas > `3`", True),
        ("spec.replicas > 4", False),
        ("status.status == 'Degraded' || status.status == 'Failed'", False),
        ("status.status == 'Running' && spec.replicas == `4`", True),
        ("!(status.status == 'Failed')", True),
        ("status.conditions[?type == 'RuntimeReady']", [{"type": "RuntimeReady", "status": "False"}]),
        ("status.conditions[?type == 'RuntimeReady'] | [0].status", "False"),
        ("status.conditions[*].type", ["Ready", "RuntimeReady"]),
        ("status.conditions[-1].type", "RuntimeReady"),
        ("status.conditions[:1].type", ["Ready"]),
        ("status.{state: status, count: length(conditions)}", {"state": "Running", "count": 2}),
        ("spec.*", [4]),
        ("@.spec.replicas", 4),
        ("status.conditions[?$.spec.replicas == `4`].type", ["Ready", "RuntimeReady"]),
        ("status.nothing", None),
        ("status.nothing.deeper", None),
        ('"status"."status"', "Running"),
        ("status.status[0:3]", "Run"),
    ],
)
def test_an_expression_selects_and_compares(text: str, expected: Any) -> None:
    assert value_of(text, SERVICE) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b", 9),
        ("a - b", 5),
        ("a-b", 5),
        ("a-1", 6),
        ("a - -1", 8),
        ("-a", -7),
        ("+a", 7),
        ("a * b", 14),
        ("a / b", 3.5),
        ("a // b", 3),
        ("a % b", 1),
        ("a + b * 3", 13),
        ("(a + b) * 3", 27),
        ("a - b - 1", 4),
        ("8 / b * a", 28),
        ("4 / b", 2),
        ("a \u2212 b", 5),
        ("a \u00d7 b", 14),
        ("a \u00f7 b", 3.5),
        ("list[-1] - list[0]", 20),
        ("length(list)-1", 2),
        ("a + text", None),
        ("a + nothing", None),
        ("a + flag", None),
        ("-text", None),
    ],
)
def test_arithmetic_follows_the_usual_precedence(text: str, expected: Any) -> None:
    value = {"a": 7, "b": 2, "text": "x", "flag": True, "list": [10, 20, 30]}

    result = value_of(text, value)

    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$values.token", "secret"),
        ("join('-', [$namespace, 'x'])", "ns-x"),
        ("$list[1]", 2),
        ("$list[?@ > `1`]", [2, 3]),
        ("let $x = $values.token in $x", "secret"),
        ("let $x = `1`, $y = `2` in [$x, $y]", [1, 2]),
        ("let $x = `1` in let $x = `2` in $x", 2),
        ("let $x = a in $list[?@ == $x]", [3]),
        ("let", None),
        ("in", None),
    ],
)
def test_bindings_are_seen_by_their_name(text: str, expected: Any) -> None:
    assert value_of(text, {"a": 3}, values={"token": "secret"}, namespace="ns", list=[1, 2, 3]) == expected


def test_an_inner_binding_does_not_leave_its_let() -> None:
    with pytest.raises(ExpressionError, match=r"no binding \$x"):
        value_of("[let $x = `1` in $x, $x]", None, y=1)


def test_a_missing_binding_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(ExpressionError, match=r"character 1: no binding \$value \(there are: \$namespace, \$values\)"):
        value_of("$value.token", None, values={}, namespace="x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"'it\'s'", "it's"),
        (r"'a\\b'", r"a\b"),
        (r"'a\nb'", r"a\nb"),
        ("'a | b'", "a | b"),
        ('`"a"`', "a"),
        ('`{"a": [1, null]}`', {"a": [1, None]}),
        ('`"\\`"`', "`"),
    ],
)
def test_literals_keep_their_text(text: str, expected: Any) -> None:
    assert value_of(text) == expected


@pytest.mark.parametrize(
    ("left", "operator", "right", "expected"),
    [
        ("`1`", "==", "`1.0`", True),
        ("`1`", "==", "`true`", False),
        ("`0`", "==", "`false`", False),
        ("`1`", "==", "'1'", False),
        ("`[1, true]`", "==", "`[1, 1]`", False),
        ('`{"a": 1}`', "==", '`{"a": 1.0}`', True),
        ("`null`", "==", "nothing", True),
        ("'a'", "<", "'b'", None),
        ("'2024-01-02T00:00:00Z'", ">", "'2024-01-01T00:00:00Z'", None),
        ("`1`", "<", "'b'", None),
        ("`true`", "<", "`2`", None),
        ("nothing", "<", "`2`", None),
    ],
)
def test_values_of_different_kinds_are_neither_equal_nor_ordered(
    left: str, operator: str, right: str, expected: Any
) -> None:
    assert value_of(f"{left} {operator} {right}", {}) is expected


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("", None, "empty"),
        ("   ", None, "empty"),
        ("a ==", 4, "ends too early"),
        ("(a", 2, "ends too early"),
        ("a)", 1, "unexpected"),
        ("a b", 2, "unexpected"),
        ("a = b", 2, "unexpected '='"),
        ("'abc", 0, "never closed"),
        ('"abc', 0, "never closed"),
        ("`abc`", 0, "not valid JSON"),
        ("`[`", 0, "not valid JSON"),
        ("a ; b", 2, "unknown character ';'"),
        ("a\u00e4", 1, "unknown character"),
        ("legnth(a)", 0, r"unknown function legnth\(\); did you mean length\(\)"),
        ("length(a, b)", 0, r"length\(\) takes 1 argument, got 2"),
        ("length()", 0, r"length\(\) takes 1 argument, got 0"),
        ("let $x = a", 10, "ends too early"),
        ("let $x in a", 7, "unexpected"),
        ("a[?b", 4, "ends too early"),
        ("a[b]", 2, "unexpected"),
        ("{a: b", 5, "ends too early"),
        ("[a, ", 4, "ends too early"),
        ("a.", 2, "ends too early"),
        ("'f'(a)", 0, "function name"),
    ],
)
def test_an_error_of_syntax_names_expression_position_and_reason(text: str, position: int | None, reason: str) -> None:
    with pytest.raises(ExpressionError, match=reason) as caught:
        compile_expression(text)

    assert caught.value.expression == text
    assert caught.value.position == position


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("length(nothing)", "argument 1 of length.. must be string or array or object, got null"),
        ("join('-', [a, b])", r"argument 2 of join.. must be array.string., got"),
        ("a / 0", "division by zero"),
        ("a % 0", "division by zero"),
        ("a // 0", "division by zero"),
        ("list[::0]", "step"),
        ("max_by(list, &a)", "all numbers or all strings"),
        ("length(&a)", "got an expression"),
    ],
)
def test_an_error_of_evaluation_names_expression_and_reason(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError, match=reason) as caught:
        value_of(text, {"a": 1, "b": 2, "list": [1, "x"]})

    assert caught.value.expression == text


@pytest.mark.parametrize(
    "text",
    ["(" * 10_000 + "a" + ")" * 10_000, "!" * 10_000 + "a", "a" + ".a" * 20_000, "[" * 10_000, "a" * 200_000],
    ids=["parentheses", "not", "path", "brackets", "long"],
)
def test_a_hostile_expression_is_refused_or_evaluated_and_never_crashes(text: str) -> None:
    error: ExpressionError | None = None
    try:
        value_of(text, {})
    except ExpressionError as caught:
        error = caught

    assert error is None or len(str(error)) < 500


def test_a_long_expression_is_no_problem() -> None:
    assert value_of("[" + ", ".join(["a"] * 2_000) + "]", {"a": 1}) == [1] * 2_000
    assert value_of("'" + "x" * 90_000 + "'") == "x" * 90_000


def test_an_expression_is_compiled_once() -> None:
    assert compile_expression("a.b.c") is compile_expression("a.b.c")


def test_evaluation_changes_neither_value_nor_bindings() -> None:
    value, bindings = {"a": [2, 1]}, {"x": [1]}

    compile_expression("let $x = `5` in sort(a)").evaluate(value, bindings)

    assert value == {"a": [2, 1]}
    assert bindings == {"x": [1]}


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("[$x, a]", None, [1, None]),
        ("{b: $x}", None, {"b": 1}),
        ("nothing.[a]", {}, None),
        ("nothing.{b: a}", {}, None),
        ("nothing | [a]", {}, [None]),
        ("nothing.a.b", {}, None),
        ("nothing.*", {}, None),
        ("length(nothing.[a] || `[]`)", {"a": 1}, 0),
    ],
)
def test_the_left_side_of_a_dot_decides_whether_there_is_a_list_or_mapping(
    text: str, value: Any, expected: Any
) -> None:
    assert compile_expression(text).evaluate(value, {"x": 1}) == expected
