"""Mismatches as people read them."""

from __future__ import annotations

from typing import Any

from proving_ground.chainsaw.assertions import Others, check, closest, judge, parse_tree
from proving_ground.chainsaw.differences import render_mismatches, render_verdict
from proving_ground.chainsaw.selectors import selector_of

TREE = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "status": {"phase": "Running"}}
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "n"}, "status": {"phase": "Pending"}}


def test_a_verdict_names_the_object_the_mismatch_and_what_is_there() -> None:
    text = render_verdict(selector_of(TREE, {}), judge(parse_tree(TREE), [POD], {}))

    assert text == (
        "Pod n/a is not as expected:\n"
        '* status.phase: expected "Running", found "Pending"\n'
        "  --- expected\n"
        "  +++ found\n"
        "   status:\n"
        "  -  phase: Running\n"
        "  +  phase: Pending"
    )


def told(tree: dict[str, Any], obj: dict[str, Any]) -> list[str]:
    return render_mismatches(check(parse_tree(tree), obj, {}), obj).splitlines()


def test_a_comparison_shows_only_what_differs_and_the_way_to_it() -> None:
    tree = {"spec": {"containers": [{"name": "a", "image": "x:2", "env": [{"value": "2"}]}], "priority": 5}}
    obj = {"spec": {"containers": [{"name": "a", "image": "x:1", "env": [{"value": "1", "name": "E"}]}], "node": "n"}}

    assert told(tree, obj)[3:] == [
        "  --- expected",
        "  +++ found",
        "   spec:",
        "     containers:",
        "       [0]:",
        "  -      image: x:2",
        "  +      image: x:1",
        "         env:",
        "           [0]:",
        "  -          value: '2'",
        "  +          value: '1'",
        "  -  priority: 5",
        "  +  priority: (no such field)",
    ]


def test_a_list_of_another_length_says_which_items_there_are() -> None:
    tree = {"spec": {"containers": [{"name": "a", "image": "x"}]}}
    obj = {"spec": {"containers": [{"name": "a", "image": "x", "tty": True}, {"name": "b", "image": "y"}]}}

    assert told(tree, obj) == [
        '* spec.containers: expected a list of 1 ("a"), found one of 2 ("a", "b")',
        "  --- expected",
        "  +++ found",
        "   spec:",
        "  -  containers:",
        "  -    - name: a",
        "  -      image: x",
        "  +  containers:",
        "  +    - name: a",
        "  +      image: x",
        "  +    - name: b",
        "  +      image: y",
    ]


def test_a_filter_that_finds_nothing_shows_what_it_filters() -> None:
    tree = {"status": {"(conditions[?type == 'Ready'])": [{"status": "True"}]}}
    obj = {"status": {"conditions": [{"type": "Scheduled", "status": "False"}]}}

    assert told(tree, obj) == [
        "* status.(conditions[?type == 'Ready']): expected a list of 1, found an empty one",
        "  --- expected",
        "  +++ found",
        "   status:",
        "     conditions:",
        "     - type: Scheduled",
        "       status: 'False'",
        "  -  (conditions[?type == 'Ready']):",
        "  -    - status: 'True'",
        "  +  (conditions[?type == 'Ready']): []",
    ]


def test_an_iteration_names_the_item() -> None:
    assert told({"~.a": {"b": 1}}, {"a": {"x": {"b": 1}, "y": {"b": 2}}})[0] == "* ~.a[y].b: expected 1, found 2"
    assert told({"~.a": {"b": 1}}, {"a": [{"b": 1}, {"b": 2}]})[4:] == ["     [1]:", "  -    b: 1", "  +    b: 2"]


def pod(name: str, **labels: str) -> dict[str, Any]:
    return {**POD, "metadata": {"name": name, "namespace": "n", "labels": labels}}


def test_where_no_object_has_the_name_the_closest_is_shown() -> None:
    tree = {**TREE, "metadata": {"name": "web-0"}}
    selector, parsed = selector_of(tree, {}), parse_tree(tree)
    others = closest(parsed, selector, [pod("db-0"), pod("wep-0"), pod("x")], {})

    lines = render_verdict(selector, judge(parsed, [], {}), others).splitlines()

    assert lines[:5] == [
        "there is no Pod web-0",
        "of this kind there are db-0, wep-0, x",
        "the nearest is Pod n/wep-0:",
        '* metadata.name: expected "web-0", found "wep-0"',
        '* status.phase: expected "Running", found "Pending"',
    ]


def test_where_no_object_has_the_labels_the_one_with_fewest_mismatches_is_shown() -> None:
    tree = {**TREE, "metadata": {"labels": {"app": "x", "tier": "y"}}, "status": {"phase": "Pending"}}
    selector, parsed = selector_of(tree, {}), parse_tree(tree)

    others = closest(parsed, selector, [pod("a", app="z", tier="z"), pod("b", app="x", tier="z")], {})

    assert others.nearest is not None
    assert others.nearest.object["metadata"]["name"] == "b"
    assert "the nearest is Pod n/b" in render_verdict(selector, judge(parsed, [], {}), others)


def test_what_does_not_compare_is_named_and_no_more() -> None:
    tree = {**TREE, "metadata": {"name": "b"}, "status": {"phase": {"x": 1}}}
    selector, parsed = selector_of(tree, {}), parse_tree(tree)

    others = closest(parsed, selector, [pod("a")], {})

    assert render_verdict(selector, judge(parsed, [], {}), others) == "there is no Pod b\nof this kind there is a"
    assert closest(parsed, selector, [], {}) == Others()


def test_many_others_are_counted() -> None:
    tree = {**TREE, "metadata": {"name": "b"}}
    selector, parsed = selector_of(tree, {}), parse_tree(tree)

    others = closest(parsed, selector, [pod(f"p{number}") for number in range(300)], {})

    assert "p9 and 290 more" in render_verdict(selector, judge(parsed, [], {}), others)


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
