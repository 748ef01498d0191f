"""Assertion trees: each rule with a value that it accepts and one that it must not."""

from __future__ import annotations

from typing import Any

import pytest

from proving_ground.chainsaw.assertions import Mismatch, check, judge, parse_tree
from proving_ground.chainsaw.errors import ExpressionError, TreeError

#: tree, value, whether it matches: the rules, each from both sides.
RULES: list[tuple[Any, Any, bool]] = [
    # a mapping is partial, and every field of it counts
    ({"a": 1}, {"a": 1, "b": 2}, True),
    ({"a": 1}, {"a": 2}, False),
    ({"a": 1, "b": 2}, {"a": 1, "b": 3}, False),
    ({"b": 2, "a": 1}, {"a": 3, "b": 2}, False),
    ({"a": 1}, {}, False),
    ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 1}}}, True),
    ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, False),
    ({"a": {"b": 1}}, {"a": None}, False),
    ({"a": {}}, {"a": {"b": 1}}, True),
    ({"a": {}}, {"a": {}}, True),
    ({"a": {}}, {"a": None}, False),
    ({"a": {}}, {}, False),
    # a list agrees in length and item by item
    ({"a": [1, 2]}, {"a": [1, 2]}, True),
    ({"a": [1]}, {"a": [1, 2]}, False),
    ({"a": [1, 2]}, {"a": [1]}, False),
    ({"a": [1, 2]}, {"a": [2, 1]}, False),
    ({"a": []}, {"a": []}, True),
    ({"a": []}, {"a": [1]}, False),
    ({"a": []}, {"a": None}, False),
    ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]}, True),
    ({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 3}]}, False),
    # scalars: numbers by amount, nothing loosely
    ({"a": 1}, {"a": 1.0}, True),
    ({"a": 1.5}, {"a": 1.5}, True),
    ({"a": "1Gi"}, {"a": "1024Mi"}, False),
    ({"a": "x"}, {"a": "X"}, False),
    ({"a": "x"}, {"a": ""}, False),
    ({"a": ""}, {"a": ""}, True),
    ({"a": True}, {"a": True}, True),
    ({"a": True}, {"a": False}, False),
    ({"a": 1}, {"a": None}, False),
    # null: there and null; absence is said with an expression
    ({"a": None}, {"a": None}, True),
    ({"a": None}, {"a": 1}, False),
    ({"a": None}, {}, False),
    ({"(a)": None}, {}, True),
    ({"(a)": None}, {"a": 0}, False),
    ({"(a)": None}, {"a": ""}, False),
    # expressions as keys and as values
    ({"(a + b)": 3}, {"a": 1, "b": 2}, True),
    ({"(a + b)": 4}, {"a": 1, "b": 2}, False),
    ({"(a > b)": True}, {"a": 1, "b": 2}, False),
    ({"(a)": {"b": 1}}, {"a": {"b": 1}}, True),
    ({"(length(a))": 2}, {"a": [1, 2]}, True),
    ({"a": "($x)"}, {"a": 5}, True),
    ({"a": "($x)"}, {"a": 6}, False),
    ({"a": "(@)"}, {"a": "anything"}, True),
    ({"a": "($list)"}, {"a": [1, 2]}, True),
    ({"a": "($list)"}, {"a": [1, 2, 3]}, False),
    ({"a": "($object)"}, {"a": {"k": 1, "more": 2}}, True),
    ({"a": "($object)"}, {"a": {"more": 2}}, False),
    # a filter gives a list, and lists are exact
    ({"(c[?t == 'R'])": [{"s": "True"}]}, {"c": [{"t": "R", "s": "True"}, {"t": "X"}]}, True),
    ({"(c[?t == 'R'])": [{"s": "True"}]}, {"c": [{"t": "R", "s": "False"}]}, False),
    ({"(c[?t == 'R'])": [{"s": "True"}]}, {"c": [{"t": "X", "s": "True"}]}, False),
    ({"(c[?t == 'R'])": [{"s": "True"}]}, {"c": []}, False),
    ({"(c[?t == 'R'])": [{"s": "True"}]}, {}, False),
    ({"(c[?t == 'R'] | [0])": {"s": "True"}}, {"c": [{"t": "R", "s": "True"}]}, True),
    # iterations: every item counts, none is no mismatch
    ({"~.a": {"b": 1}}, {"a": [{"b": 1}, {"b": 1}]}, True),
    ({"~.a": {"b": 1}}, {"a": [{"b": 1}, {"b": 2}]}, False),
    ({"~.a": {"b": 1}}, {"a": []}, True),
    ({"~.a": {"b": 1}}, {}, False),
    ({"~.a": {"b": 1}}, {"a": {"x": {"b": 1}, "y": {"b": 1}}}, True),
    ({"~.a": {"b": 1}}, {"a": {"x": {"b": 1}, "y": {"b": 2}}}, False),
    ({"~i.a": {"(b == $i)": True}}, {"a": [{"b": 0}, {"b": 1}]}, True),
    ({"~i.a": {"(b == $i)": True}}, {"a": [{"b": 0}, {"b": 0}]}, False),
    ({"~k.a": {"(b == $k)": True}}, {"a": {"x": {"b": "x"}}}, True),
    ({"~.(a[?b])": {"c": 1}}, {"a": [{"b": True, "c": 1}, {"c": 2}]}, True),
    ({"~.(a[?b])": {"c": 1}}, {"a": [{"b": True, "c": 1}, {"b": True, "c": 2}]}, False),
    # bindings: seen below and by later fields
    ({"a->x": {"(b == $x.b)": True}}, {"a": {"b": 1}}, True),
    ({"a->n": "(@)", "(b == $n)": True}, {"a": 1, "b": 1}, True),
    ({"a->n": "(@)", "(b == $n)": True}, {"a": 1, "b": 2}, False),
    # escaped: a name and nothing more
    ({"\\(a)\\": 1}, {"(a)": 1}, True),
    ({"\\(a)\\": 1}, {"a": 1}, False),
    ({"\\~.a\\": 1}, {"~.a": 1}, True),
    ({"a": "\\(b)\\"}, {"a": "(b)"}, True),
    # a tree that is no mapping
    (1, 1, True),
    ([1], [1], True),
    ("(@ == `true`)", True, True),
    ({}, {"a": 1}, True),
    ({}, None, False),
]


@pytest.mark.parametrize(("tree", "value", "matches"), RULES)
def test_a_value_matches_a_tree_or_not(tree: Any, value: Any, *, matches: bool) -> None:
    bindings = {"x": 5, "list": [1, 2], "object": {"k": 1}}

    assert (check(parse_tree(tree), value, bindings) == []) is matches


@pytest.mark.parametrize(
    ("tree", "value", "path", "reason"),
    [
        ({"a": True}, {"a": "True"}, "a", 'expected boolean true, found string "True"'),
        ({"a": "True"}, {"a": True}, "a", 'expected string "True", found boolean true'),
        ({"a": "3"}, {"a": 3}, "a", 'expected string "3", found number 3'),
        ({"a": 1}, {"a": True}, "a", "expected number 1, found boolean true"),
        ({"a": [1]}, {"a": {"b": 1}}, "a", "expected a list, found object"),
        ({"a": {"b": 1}}, {"a": [1]}, "a.b", "expected an object with this field, found list"),
        ({"a": {"b": 1}}, {"a": "x"}, "a.b", "expected an object with this field, found string"),
        ({"~.a": 1}, {"a": "x"}, "~.a", "expected a list or an object to iterate over"),
        ({"a": "x"}, {"a": {"b": 1}}, "a", 'expected string "x", found object'),
        ({"(a == 'x')": "true"}, {"a": "x"}, "(a == 'x')", 'expected string "true", found boolean true'),
    ],
)
def test_kinds_that_never_compare_are_a_mistake_not_a_mismatch(tree: Any, value: Any, path: str, reason: str) -> None:
    with pytest.raises(TreeError) as caught:
        check(parse_tree(tree), value, {})

    assert caught.value.path == path
    assert reason in caught.value.reason


def test_an_expression_that_fails_is_an_error_not_a_mismatch() -> None:
    with pytest.raises(ExpressionError, match="length"):
        check(parse_tree({"(length(status.conditions))": 1}), {"status": {}}, {})


@pytest.mark.parametrize("tree", [{"(a ==)": 1}, {"a": "(b ==)"}, {"a": [{"~.(b ==)": 1}]}])
def test_a_broken_expression_is_refused_when_parsed(tree: Any) -> None:
    with pytest.raises(ExpressionError, match="ends too early"):
        parse_tree(tree)


def test_every_mismatch_is_reported_with_its_path() -> None:
    tree = {"spec": {"a": 1, "list": [{"b": 1}, {"b": 2}]}, "status": {"(c[?t == 'R'])": [{"s": "True"}]}, "gone": 1}
    value = {"spec": {"a": 2, "list": [{"b": 1}, {"b": 3}]}, "status": {"c": [{"t": "R", "s": "False"}]}}

    assert check(parse_tree(tree), value, {}) == [
        Mismatch("spec.a", 1, 2, "expected 1, found 2"),
        Mismatch("spec.list[1].b", 2, 3, "expected 2, found 3"),
        Mismatch("status.(c[?t == 'R'])[0].s", "True", "False", 'expected "True", found "False"'),
        Mismatch("gone", 1, None, "no such field"),
    ]


def test_a_null_that_meets_no_field_says_how_absence_is_written() -> None:
    (mismatch,) = check(parse_tree({"a": None}), {}, {})

    assert mismatch.reason == "no such field; write (a): null to expect that it is absent"


SERVICE = {
    "apiVersion": "aim.silogen.ai/v1alpha1",
    "kind": "AIMService",
    "metadata": {"name": "m"},
    "status": {
        "status": "Running",
        "(conditions[?type == 'RuntimeReady'])": [{"status": "True"}],
    },
}


def service(state: str, *conditions: tuple[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "aim.silogen.ai/v1alpha1",
        "kind": "AIMService",
        "metadata": {"name": "m", "namespace": "n", "uid": "1"},
        "spec": {"model": {"image": "x"}},
        "status": {"status": state, "conditions": [{"type": kind, "status": status} for kind, status in conditions]},
    }


@pytest.mark.parametrize(
    ("obj", "ready"),
    [
        (service("Running", ("Resolved", "True"), ("RuntimeReady", "True")), True),
        (service("Running", ("RuntimeReady", "False")), False),
        (service("Running", ("RuntimeReady", "Unknown")), False),
        (service("Running", ("Ready", "True")), False),
        (service("Running"), False),
        (service("Starting", ("RuntimeReady", "True")), False),
        (service("Failed"), False),
        ({**service("Running"), "status": {"status": "Running"}}, False),
        ({**service("Running"), "status": {}}, False),
        ({key: value for key, value in service("Running").items() if key != "status"}, False),
    ],
)
def test_a_service_is_ready_when_running_and_its_runtime_is(obj: dict[str, Any], *, ready: bool) -> None:
    assert bool(judge(parse_tree(SERVICE), [obj], {}).matching) is ready


@pytest.mark.parametrize(
    ("state", "failing"),
    [("Failed", True), ("Degraded", True), ("Running", False), ("Pending", False), ("failed", False)],
)
def test_a_failing_service_is_told_from_one_that_is_not(state: str, *, failing: bool) -> None:
    tree = parse_tree({"status": {"(status == 'Degraded' || status == 'Failed')": True}})

    assert bool(judge(tree, [service(state)], {}).matching) is failing


def test_a_service_without_status_is_not_failing() -> None:
    tree = parse_tree({"status": {"(status == 'Degraded' || status == 'Failed')": True}})

    assert not judge(tree, [{"kind": "AIMService", "metadata": {"name": "m"}}], {}).matching


def test_one_matching_object_of_several_is_enough_and_the_nearest_other_is_known() -> None:
    far, near, right = service("Failed"), service("Running"), service("Running", ("RuntimeReady", "True"))
    tree = parse_tree(SERVICE)

    assert [candidate.object for candidate in judge(tree, [far, right], {}).matching] == [right]
    assert judge(tree, [far, near], {}).matching == ()
    nearest = judge(tree, [far, near], {}).nearest
    assert nearest is not None
    assert nearest.object is near


def test_no_object_matches_nothing() -> None:
    verdict = judge(parse_tree(SERVICE), [], {})

    assert verdict.matching == ()
    assert verdict.nearest is None


def test_a_check_of_a_script_reads_bindings_only() -> None:
    tree = parse_tree({"($error == null)": True, "(contains($stdout, 'ok'))": True})

    assert check(tree, None, {"error": None, "stdout": "all ok"}) == []
    assert len(check(tree, None, {"error": "exit status 1", "stdout": "no"})) == 2


def test_checking_changes_neither_bindings_nor_value() -> None:
    value, bindings = {"a": [1, 2]}, {"x": 1}

    check(parse_tree({"a->x": "(sort(@))"}), value, bindings)

    assert (value, bindings) == ({"a": [1, 2]}, {"x": 1})


def test_a_deep_tree_is_refused_not_crashed_on() -> None:
    deep: Any = 1
    for _ in range(10_000):
        deep = {"a": deep}

    with pytest.raises(ExpressionError, match="nested too deeply"):
        parse_tree(deep)
