"""Manifests, bindings and names with expressions in them."""

from __future__ import annotations

from typing import Any

import pytest

from proving_ground.chainsaw.errors import ExpressionError
from proving_ground.chainsaw.templates import parse_template, render, render_resource, render_string

SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "hf-token", "labels": {"(x)": "y"}},
    "stringData": {"token": "($values.hfToken)"},
}


def test_a_manifest_gets_its_values() -> None:
    rendered = render_resource(SECRET, {"values": {"hfToken": "hf_1"}})

    assert rendered["stringData"] == {"token": "hf_1"}
    assert rendered["metadata"] == SECRET["metadata"]


def test_keys_and_texts_that_only_contain_parentheses_stay() -> None:
    manifest = {"(a)": "echo (b) and (c) done", "text": "f(x)", "list": ["(no", "(a\n)"]}

    assert render_resource(manifest, {}) == manifest


@pytest.mark.parametrize(
    ("text", "expected"),
    [("(`[1, 2]`)", [1, 2]), ("($n)", 3), ("($n == `3`)", True), ("(nothing)", None), ("($o)", {"a": {"b": 1}})],
)
def test_a_value_becomes_whatever_its_expression_gives(text: str, expected: Any) -> None:
    assert render({"x": [text]}, None, {"n": 3, "o": {"a": {"b": 1}}}) == {"x": [expected]}


def test_a_rendered_manifest_shares_nothing_with_its_template() -> None:
    manifest = {"a": {"b": [1]}}

    render_resource(manifest, {})["a"]["b"].append(2)

    assert manifest == {"a": {"b": [1]}}


def test_an_expression_sees_the_value_at_its_own_place() -> None:
    assert render({"a": {"b": ["(@)", "(@)", "(@)"]}}, {"a": {"b": [1, 2]}}, {}) == {"a": {"b": [1, 2, None]}}
    assert render("(spec.x)", {"spec": {"x": 1}}, {}) == 1


def test_a_template_says_whether_it_is_constant() -> None:
    assert parse_template({"a": ["b"]}).constant
    assert not parse_template({"a": ["(b)"]}).constant
    assert not parse_template({"a": "(b)"}).needs_cluster
    assert parse_template({"a": "(x_k8s_server_version($client))"}).needs_cluster


@pytest.mark.parametrize("raw", [{"a": "(b"}, {"a": "b)"}, {"a": ""}, {"a": None}, {"a": True}, {"a": 1.5}])
def test_what_is_no_expression_is_kept(raw: Any) -> None:
    assert render(raw, None, {}) == raw


def test_a_broken_expression_is_refused_when_parsed() -> None:
    with pytest.raises(ExpressionError, match="ends too early"):
        parse_template({"a": ["(b ==)"]})


def test_a_name_has_to_be_a_text() -> None:
    assert render_string("(join('-', ['a', $n]))", {"n": "b"}) == "a-b"
    assert render_string("plain", {}) == "plain"
    with pytest.raises(ExpressionError, match="must give a string here, gives 3"):
        render_string("($n)", {"n": 3})


def test_a_deep_template_is_refused_not_crashed_on() -> None:
    deep: Any = "x"
    for _ in range(10_000):
        deep = [deep]

    with pytest.raises(ExpressionError, match="nested too deeply"):
        parse_template(deep)
