"""Which objects a tree is about."""

from __future__ import annotations

from typing import Any

import pytest

from proving_ground.chainsaw.errors import TreeError
from proving_ground.chainsaw.selectors import selector_of


def pod(name: str = "a", namespace: str = "n", **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}


@pytest.mark.parametrize(
    ("metadata", "obj", "selected"),
    [
        ({}, pod(), True),
        ({"name": "a"}, pod("a"), True),
        ({"name": "a"}, pod("b"), False),
        ({"namespace": "n"}, pod(namespace="n"), True),
        ({"namespace": "n"}, pod(namespace="m"), False),
        ({"labels": {"app": "x"}}, pod(app="x", tier="y"), True),
        ({"labels": {"app": "x"}}, pod(app="y"), False),
        ({"labels": {"app": "x"}}, pod(), False),
        ({"labels": {"app": "x", "tier": "y"}}, pod(app="x"), False),
        ({"name": "a", "labels": {"app": "x"}}, pod("a", app="y"), True),
        ({"name": "($name)"}, pod("from-binding"), True),
        ({"labels": {"app": "($name)"}}, pod(app="from-binding"), True),
        ({"labels": {"app": "x", "tier": {"(starts_with(@, 'a'))": True}}}, pod(), True),
        ({"labels": {"app": True}}, pod(), True),
    ],
)
def test_a_name_selects_or_else_labels_do(metadata: dict[str, Any], obj: dict[str, Any], *, selected: bool) -> None:
    selector = selector_of({"apiVersion": "v1", "kind": "Pod", "metadata": metadata}, {"name": "from-binding"})

    assert selector.selects(obj) is selected


@pytest.mark.parametrize(("api_version", "kind"), [("v2", "Pod"), ("v1", "Service"), ("", "Pod")])
def test_another_kind_is_never_selected(api_version: str, kind: str) -> None:
    assert not selector_of({"apiVersion": api_version, "kind": kind}, {}).selects(pod())


def test_a_tree_without_a_kind_selects_nothing() -> None:
    assert selector_of({"(1 == 1)": True}, {}).selects_nothing
    assert not selector_of({"apiVersion": "v1", "kind": "Pod"}, {}).selects_nothing


def test_expressions_are_texts_where_templates_are_off() -> None:
    assert selector_of({"metadata": {"name": "(x)"}}, {}, template=False).name == "(x)"


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({"metadata": ["x"]}, "metadata"),
        ({"metadata": {"name": 5}}, "metadata.name"),
        ({"metadata": {"labels": ["a"]}}, "metadata.labels"),
        ({"kind": {"x": 1}}, "kind"),
    ],
)
def test_what_is_no_text_is_refused(raw: dict[str, Any], path: str) -> None:
    with pytest.raises(TreeError) as caught:
        selector_of(raw, {})

    assert caught.value.path == path


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"name": "a", "namespace": "n"}, "Pod a in namespace n"),
        ({"labels": {"app": "x"}}, "Pod with app=x"),
        ({}, "Pod of any name"),
    ],
)
def test_a_selector_reads_like_a_sentence(metadata: dict[str, Any], words: str) -> None:
    assert str(selector_of({"apiVersion": "v1", "kind": "Pod", "metadata": metadata}, {})) == words
