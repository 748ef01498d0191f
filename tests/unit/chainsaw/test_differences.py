"""Mismatches as people read them."""

from __future__ import annotations

from proving_ground.chainsaw.assertions import check, judge, parse_tree
from proving_ground.chainsaw.differences import render_mismatches, render_verdict
from proving_ground.chainsaw.selectors import selector_of

TREE = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "status": {"phase": "Running"}}
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "n"}, "status": {"phase": "Pending"}}


def test_a_verdict_names_the_object_the_mismatch_and_what_is_there() -> None:
    text = render_verdict(selector_of(TREE, {}), judge(parse_tree(TREE), [POD], {}))

    assert text == (
        "Pod n/a is not as expected:\n"
        '* status.phase: expected "Running", found "Pending"\n'
        "  found:\n"
        "    status:\n"
        "      phase: Pending"
    )


def test_a_verdict_without_an_object_says_what_was_looked_for() -> None:
    assert render_verdict(selector_of(TREE, {}), judge(parse_tree(TREE), [], {})) == "there is no Pod a"


def test_a_verdict_of_several_says_that_the_nearest_is_shown() -> None:
    text = render_verdict(selector_of(TREE, {}), judge(parse_tree(TREE), [POD, {"kind": "Pod"}], {}))

    assert "the nearest of 2" in text


def test_values_of_a_secret_are_never_shown() -> None:
    tree = {"kind": "Secret", "data": {"token": "d3Jvbmc="}}
    secret = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"token": "aGZfcGFzc3dvcmQ="}}

    text = render_mismatches(check(parse_tree(tree), secret, {}), secret)

    assert "data.token" in text
    assert "aGZfcGFzc3dvcmQ=" not in text
    assert "d3Jvbmc=" not in text


def test_a_huge_object_is_cut() -> None:
    tree = {"spec": {"a": 1}}
    obj = {"spec": {"a": 2, "list": list(range(100_000)), "text": "x" * 1_000_000}}

    assert len(render_mismatches(check(parse_tree(tree), obj, {}), obj)) < 20_000
