"""Mistakes of the engine in assertion trees and expressions: conformance cases notice each of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proving_ground.chainsaw import assertions, scope
from proving_ground.chainsaw.assertions import _Check
from proving_ground.chainsaw.expressions import Interpreter

noticed_by = pytest.mark.noticed_by


@noticed_by("trees/partial-mapping", "operations/assert-differs")
def an_assert_ignores_a_field(wrong: Any) -> None:
    def instead(right: Any, self: Any, node: Any, *rest: Any) -> None:
        right(self, replace(node, entries=node.entries[:-1] or node.entries), *rest)

    wrong.around(_Check, "_fields", instead)


@noticed_by("trees/partial-mapping")
def a_mapping_has_to_be_complete(wrong: Any) -> None:
    def instead(right: Any, self: Any, node: Any, path: str, value: Any, bindings: Any) -> None:
        right(self, node, path, value, bindings)
        if isinstance(value, dict) and all(key in value for key in node.raw) and len(value) != len(node.raw):
            self._miss(path, node.raw, value, "more fields than expected")

    wrong.around(_Check, "_fields", instead)


@noticed_by("trees/partial-mapping")
def an_empty_mapping_matches_nothing_at_all(wrong: Any) -> None:
    def instead(right: Any, self: Any, node: Any, *rest: Any) -> None:
        if node.entries:
            right(self, node, *rest)

    wrong.around(_Check, "_fields", instead)


@noticed_by("trees/exact-list")
def a_list_is_compared_by_prefix(wrong: Any) -> None:
    def instead(right: Any, self: Any, node: Any, path: str, value: Any, bindings: Any) -> None:
        right(self, node, path, value[: len(node.nodes)] if isinstance(value, list) else value, bindings)

    wrong.around(_Check, "_items", instead)


@noticed_by("trees/exact-list")
def a_list_is_compared_in_any_order(wrong: Any) -> None:
    def instead(right: Any, self: Any, node: Any, path: str, value: Any, bindings: Any) -> None:
        if isinstance(value, list):
            value = sorted(value, key=repr)
            node = replace(node, nodes=tuple(sorted(node.nodes, key=lambda one: repr(getattr(one, "raw", one)))))
        right(self, node, path, value, bindings)

    wrong.around(_Check, "_items", instead)


@noticed_by("trees/scalars", "operations/error-differs", "operations/assert-differs")
def scalars_are_equal_if_of_one_kind(wrong: Any) -> None:
    wrong.be(assertions, "_same", lambda expected, found, _path: type(expected) is type(found))


@noticed_by("trees/kinds-never-compare")
def numbers_equal_their_texts(wrong: Any) -> None:
    wrong.around(assertions, "_same", lambda right, *rest: str(rest[0]) == str(rest[1]) or right(*rest))


@noticed_by("trees/scalars")
def texts_are_compared_without_case(wrong: Any) -> None:
    def instead(right: Any, expected: Any, found: Any, path: str) -> bool:
        if isinstance(expected, str) and isinstance(found, str):
            expected, found = expected.lower(), found.lower()
        return bool(right(expected, found, path))

    wrong.around(assertions, "_same", instead)


@noticed_by("trees/null-and-absent")
def absent_fields_are_null(wrong: Any) -> None:
    def instead(right: Any, *arguments: Any) -> tuple[bool, Any]:
        return True, right(*arguments)[1]

    wrong.around(_Check, "_project", instead)


@noticed_by("trees/each")
def each_is_only_the_first(wrong: Any) -> None:
    def instead(right: Any, self: Any, note: Any, child: Any, path: str, item: Any, bindings: Any) -> None:
        first = item[:1] if isinstance(item, list) else dict(list(item.items())[:1])
        right(self, note, child, path, first, bindings)

    wrong.around(_Check, "_each", instead)


@noticed_by("trees/each")
def each_is_any_one(wrong: Any) -> None:
    def instead(right: Any, self: Any, note: Any, child: Any, path: str, item: Any, bindings: Any) -> None:
        parts = [[one] for one in item] if isinstance(item, list) else [{key: one} for key, one in item.items()]
        found = []
        for part in parts:
            attempt = _Check([], self.calls)
            right(attempt, note, child, path, part, bindings)
            found.append(attempt.mismatches)
        if found and all(found):
            self.mismatches.extend(found[0])

    wrong.around(_Check, "_each", instead)


@noticed_by("trees/each-with-a-name")
def the_index_begins_at_one(wrong: Any) -> None:
    def instead(right: Any, self: Any, note: Any, child: Any, path: str, item: Any, bindings: Any) -> None:
        if not isinstance(item, list) or not note.index:
            right(self, note, child, path, item, bindings)
            return
        for index, part in enumerate(item, start=1):
            self.node(child, path, part, {**bindings, note.index: index})

    wrong.around(_Check, "_each", instead)


@noticed_by("trees/bound-value")
def a_bound_value_is_forgotten(wrong: Any) -> None:
    wrong.around(
        assertions,
        "parse_notation",
        lambda right, text: replace(right(text), binding="other") if right(text).binding else right(text),
    )


@noticed_by("trees/escapes", "structure/templating-off-for-a-test")
def escapes_are_taken_literally(wrong: Any) -> None:
    def instead(right: Any, text: str) -> Any:
        found = right(text)
        return replace(found, text=text) if text.startswith("\\") else found

    wrong.around(assertions, "parse_value", instead)


@noticed_by("trees/expression-as-a-value")
def values_are_never_expressions(wrong: Any) -> None:
    wrong.around(assertions, "parse_value", lambda right, text: replace(right(text), expression=None))


@noticed_by("trees/let", "trees/arithmetic")
def keys_give_the_whole_value(wrong: Any) -> None:
    def instead(right: Any, self: Any, key: Any, note: Any, path: str, value: Any, bindings: Any) -> Any:
        if note is not None and note.expression is not None:
            return True, value
        return right(self, key, note, path, value, bindings)

    wrong.around(_Check, "_project", instead)


@noticed_by("trees/expression-as-a-value")
def the_compared_value_is_not_known(wrong: Any) -> None:
    def instead(right: Any, self: Any, node: Any, path: str, value: Any, bindings: Any) -> None:
        if node.notation is None or node.notation.expression is None:
            right(self, node, path, value, bindings)
        elif node.notation.expression.evaluate(None, bindings, self.calls) != value:
            self._miss(path, node.literal, value, "differs")

    wrong.around(_Check, "_scalar", instead)


@noticed_by("trees/filter-as-a-key", "trees/projection-as-a-key")
def filters_keep_everything(wrong: Any) -> None:
    wrong.be(Interpreter, "visit_filter_projection", lambda self, node, value: self.visit(node["children"][0], value))


@noticed_by("structure/bindings-order")
def templates_are_texts(wrong: Any) -> None:
    wrong.be(scope, "render", lambda template, *_rest: getattr(template, "raw", template))


@noticed_by("functions/of-the-cluster", "operations/delete-by-name", "structure/cleanup-of-objects")
def everything_exists(wrong: Any) -> None:
    async def there(*_arguments: Any) -> dict[str, Any]:
        return {"data": {"a": "one"}}

    wrong.be(scope.Lookups, "get", there)


@noticed_by("functions/of-the-cluster")
def every_kind_is_served(wrong: Any) -> None:
    async def served(*_arguments: Any) -> bool:
        return True

    wrong.be(scope.Lookups, "resource_exists", served)


def test_a_mistake_is_noticed(
    mistake: Any, cases: tuple[str, ...], limit: float, wrong: Any, run_in_memory: Any
) -> None:
    mistake(wrong)

    assert [name for name, problems in run_in_memory(*cases, limit=limit).items() if not problems] == []


def test_the_engine_as_it_is_makes_none_of_them(all_cases: set[str], run_in_memory: Any) -> None:
    assert {name: problems for name, problems in run_in_memory(*all_cases).items() if problems} == {}
