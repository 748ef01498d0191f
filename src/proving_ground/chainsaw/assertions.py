"""Assertion trees: what a test expects of an object, and how an object differs from it.

A tree is partial: a mapping names the fields that matter, a list has to agree in length and item by item,
a scalar has to be equal. The rules are those of kyverno-json
(https://kyverno.github.io/kyverno-json/latest/policies/asserts/); ``docs/reference/chainsaw.md`` lists them.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from proving_ground.chainsaw.differences import render_mismatches, render_verdict
from proving_ground.chainsaw.errors import ExpressionError, TreeError
from proving_ground.chainsaw.notation import Notation, parse_notation, parse_value
from proving_ground.chainsaw.selectors import Selector, selector_of
from proving_ground.chainsaw.signatures import kind, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from proving_ground.chainsaw.expressions import ClusterCalls

__all__ = [
    "Candidate",
    "ExpressionError",
    "Mismatch",
    "Others",
    "Selector",
    "Tree",
    "TreeError",
    "Verdict",
    "check",
    "closest",
    "judge",
    "parse_tree",
    "render_mismatches",
    "render_verdict",
    "selector_of",
]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One place where an object is not as expected.

    Args:
        path: Where, as keys of the tree: ``status.(conditions[?type == 'Ready'])[0].status``.
        expected: What the tree says there.
        found: What the object has there.
        reason: What is wrong, in words.
        keys: Where, key by key; empty for the value as a whole.
        absent: Whether there is no such field at all.
    """

    path: str
    expected: Any
    found: Any
    reason: str
    keys: tuple[Any, ...] = field(default=(), compare=False)
    absent: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class _Fields:
    """A mapping of a tree."""

    raw: dict[Any, Any]
    entries: tuple[tuple[Any, Notation | None, _Node], ...]


@dataclass(frozen=True, slots=True)
class _Items:
    """A list of a tree."""

    raw: list[Any]
    nodes: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Scalar:
    """A leaf of a tree."""

    notation: Notation | None  # None where it is not a text
    literal: Any


_Node = _Fields | _Items | _Scalar
_Path = tuple[Any, ...]  # keys of the tree, and indices


class Tree:
    """A parsed assertion tree; made by `parse_tree`.

    Attributes:
        raw: The tree before parsing.
        needs_cluster: Whether one of its expressions asks the cluster.
    """

    __slots__ = ("needs_cluster", "raw", "root")

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        try:
            self.root = _parse(raw)
        except RecursionError:
            raise ExpressionError("", None, "nested too deeply") from None
        self.needs_cluster = any(
            notation.expression is not None and notation.expression.needs_cluster for notation in _notations(self.root)
        )


def parse_tree(raw: Any) -> Tree:
    """Parse an assertion tree.

    Raises:
        ExpressionError: An expression in it is none.
    """
    return Tree(raw)


def _parse(raw: Any) -> _Node:
    if isinstance(raw, dict):
        return _Fields(
            raw,
            tuple(
                (key, parse_notation(key) if isinstance(key, str) else None, _parse(item)) for key, item in raw.items()
            ),
        )
    if isinstance(raw, list):
        return _Items(raw, tuple(_parse(item) for item in raw))
    if isinstance(raw, str):
        notation = parse_value(raw)
        return _Scalar(notation, notation.text)
    return _Scalar(None, raw)


def _notations(node: _Node) -> Iterator[Notation]:
    if isinstance(node, _Fields):
        for _, notation, child in node.entries:
            if notation is not None:
                yield notation
            yield from _notations(child)
    elif isinstance(node, _Items):
        for child in node.nodes:
            yield from _notations(child)
    elif node.notation is not None:
        yield node.notation


def check(
    tree: Tree,
    value: Any,
    bindings: Mapping[str, Any],
    calls: ClusterCalls | None = None,
) -> list[Mismatch]:
    """Compare a value with a tree.

    Args:
        tree: What is expected.
        value: What was found.
        bindings: What ``$name`` means.
        calls: Known answers of the cluster.

    Returns:
        Every mismatch, in the order of the tree; empty where the value is as expected.

    Raises:
        ExpressionError: An expression failed, which may be because something it needs is not there yet.
        TreeError: Expected and found are of kinds that never compare.
        ClusterNeeded: An expression asks the cluster something that ``calls`` does not know.
    """
    mismatches: list[Mismatch] = []
    try:
        _Check(mismatches, calls).node(tree.root, (), value, bindings)
    except RecursionError:
        raise ExpressionError("", None, "nested too deeply") from None
    return mismatches


@dataclass(frozen=True, slots=True)
class _Check:
    """One comparison under way."""

    mismatches: list[Mismatch]
    calls: ClusterCalls | None

    def node(self, node: _Node, path: _Path, value: Any, bindings: Mapping[str, Any]) -> None:
        if isinstance(node, _Fields):
            self._fields(node, path, value, bindings)
        elif isinstance(node, _Items):
            self._items(node, path, value, bindings)
        else:
            self._scalar(node, path, value, bindings)

    def _miss(self, path: _Path, expected: Any, found: Any, reason: str, *, absent: bool = False) -> None:
        self.mismatches.append(Mismatch(_text(path), expected, found, reason, path, absent))

    def _scalar(self, node: _Scalar, path: _Path, value: Any, bindings: Mapping[str, Any]) -> None:
        expected = node.literal
        if node.notation is not None and node.notation.expression is not None:
            expected = node.notation.expression.evaluate(value, bindings, self.calls)
        if not _same(expected, value, path):
            self._miss(path, expected, value, f"expected {shown(expected)}, found {shown(value)}")

    def _items(self, node: _Items, path: _Path, value: Any, bindings: Mapping[str, Any]) -> None:
        if value is None:
            self._miss(path, node.raw, None, "expected a list, found null")
            return
        if not isinstance(value, list):
            raise TreeError(_text(path), f"expected a list, found {kind(value)} {shown(value)}")
        if len(value) != len(node.nodes):
            self._miss(path, node.raw, value, _lengths(node.raw, value))
            return
        for index, (child, item) in enumerate(zip(node.nodes, value, strict=True)):
            self.node(child, (*path, index), item, bindings)

    def _fields(self, node: _Fields, path: _Path, value: Any, bindings: Mapping[str, Any]) -> None:
        if not node.entries and value is None:
            self._miss(path, {}, None, "expected something, found null")
        for key, notation, child in node.entries:
            inner = (*path, key)
            found, item = self._project(key, notation, inner, value, bindings)
            if not found:
                expected = child.literal if isinstance(child, _Scalar) else child.raw
                hint = "" if expected is not None else f"; write ({key}): null to expect that it is absent"
                self._miss(inner, expected, None, f"no such field{hint}", absent=True)
                continue
            if notation is not None and notation.binding:
                bindings = {**bindings, notation.binding: item}
            if notation is not None and notation.foreach:
                self._each(notation, child, inner, item, bindings)
            else:
                self.node(child, inner, item, bindings)

    def _project(
        self,
        key: Any,
        notation: Notation | None,
        path: _Path,
        value: Any,
        bindings: Mapping[str, Any],
    ) -> tuple[bool, Any]:
        """Return whether there is something to compare, and what it is."""
        if notation is not None and notation.expression is not None:
            return True, notation.expression.evaluate(value, bindings, self.calls)
        if value is None:
            return False, None
        if not isinstance(value, dict):
            raise TreeError(_text(path), f"expected an object with this field, found {kind(value)} {shown(value)}")
        name = key if notation is None else notation.text
        return name in value, value.get(name)

    def _each(self, notation: Notation, child: _Node, path: _Path, item: Any, bindings: Mapping[str, Any]) -> None:
        if isinstance(item, list):
            parts: Iterable[tuple[Any, Any]] = enumerate(item)
        elif isinstance(item, dict):
            parts = item.items()
        else:
            what = f"expected a list or an object to iterate over, found {kind(item)} {shown(item)}"
            raise TreeError(_text(path), what)
        for index, part in parts:
            inner = {**bindings, notation.index: index} if notation.index else bindings
            self.node(child, (*path, index if isinstance(index, int) else f"[{index}]"), part, inner)


def _text(path: _Path) -> str:
    """Return a path as people write it: ``status.conditions[0].type``."""
    text = ""
    for key in path:
        if isinstance(key, int) and not isinstance(key, bool):
            text += f"[{key}]"
        else:
            name = str(key)
            text += name if not text or name.startswith("[") else f".{name}"
    return text


def _lengths(expected: list[Any], found: list[Any]) -> str:
    """Return how two lists differ in length, with what tells their items apart."""
    there = f"one of {len(found)}{_labels(found)}" if found else "an empty one"
    return f"expected a list of {len(expected)}{_labels(expected)}, found {there}"


def _labels(items: list[Any]) -> str:
    labels = []
    for item in items[:_MOST_LABELS]:
        label = item
        if isinstance(item, dict):
            label = next((item[name] for name in ("name", "type", "key", "kind", "id") if name in item), None)
        if not isinstance(label, str | int | float):
            return ""
        labels.append(shown(label))
    more = ", ..." if len(items) > _MOST_LABELS else ""
    return f" ({', '.join(labels)}{more})" if labels else ""


_MOST_LABELS = 8


def _same(expected: Any, found: Any, path: _Path) -> bool:
    """Compare as kyverno-json does: lists exactly, mappings partially, numbers by amount, nothing loosely."""
    if expected is None or found is None:
        return expected is None and found is None
    if kind(expected) != kind(found):
        raise TreeError(_text(path), f"expected {kind(expected)} {shown(expected)}, found {kind(found)} {shown(found)}")
    if isinstance(expected, list):
        return len(expected) == len(found) and all(
            _same(item, other, (*path, index)) for index, (item, other) in enumerate(zip(expected, found, strict=True))
        )
    if isinstance(expected, dict):
        return all(key in found and _same(item, found[key], (*path, key)) for key, item in expected.items())
    return bool(expected == found)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An object that a tree was compared with."""

    object: dict[str, Any]
    mismatches: tuple[Mismatch, ...]

    @property
    def matches(self) -> bool:
        """Whether the object is as expected."""
        return not self.mismatches


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of comparing a tree with every object that it selects."""

    candidates: tuple[Candidate, ...]

    @property
    def matching(self) -> tuple[Candidate, ...]:
        """Those that are as expected: an assert needs one, an error none."""
        return tuple(candidate for candidate in self.candidates if candidate.matches)

    @property
    def nearest(self) -> Candidate | None:
        """The one with the fewest mismatches, the first of several; None where there is no object."""
        return min(self.candidates, key=lambda candidate: len(candidate.mismatches), default=None)


def judge(
    tree: Tree,
    objects: Iterable[dict[str, Any]],
    bindings: Mapping[str, Any],
    calls: ClusterCalls | None = None,
) -> Verdict:
    """Compare a tree with objects that were selected for it; errors as in `check`."""
    return Verdict(tuple(Candidate(obj, tuple(check(tree, obj, bindings, calls))) for obj in objects))


@dataclass(frozen=True, slots=True)
class Others:
    """Objects of the kind and place that a tree is about, where it selects none of them.

    Args:
        names: Of all of them.
        nearest: The one that may have been meant; None where there is none, or it does not compare.
    """

    names: tuple[str, ...] = ()
    nearest: Candidate | None = None


def closest(
    tree: Tree,
    selector: Selector,
    objects: Sequence[dict[str, Any]],
    bindings: Mapping[str, Any],
    calls: ClusterCalls | None = None,
) -> Others:
    """Return what may have been meant: the closest name, or the fewest mismatches where labels select.

    Raises:
        ClusterNeeded: An expression asks the cluster something that ``calls`` does not know.
    """
    names = tuple(str((obj.get("metadata") or {}).get("name", "")) for obj in objects)
    compared = list(objects[:_MOST_COMPARED])
    if selector.name and objects:
        ratios = [difflib.SequenceMatcher(None, selector.name, name).ratio() for name in names]
        compared = [objects[ratios.index(max(ratios))]]
    try:
        return Others(names, judge(tree, compared, bindings, calls).nearest)
    except (ExpressionError, TreeError):
        return Others(names)


_MOST_COMPARED = 200
