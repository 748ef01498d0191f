"""The fields of one YAML mapping: taken one by one with their type, and none left over."""

from __future__ import annotations

import difflib
from collections.abc import Mapping as Reasons
from typing import TYPE_CHECKING, Any

from proving_ground.chainsaw.assertions import Tree, parse_tree
from proving_ground.chainsaw.documents import Items, Mapping, Node, Scalar, Where, keys, plain, scalars
from proving_ground.chainsaw.errors import ExpressionError
from proving_ground.chainsaw.notation import parse_marked, parse_notation, parse_value
from proving_ground.chainsaw.templates import Template, parse_template
from proving_ground.durations import parse_duration
from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


class Fields:
    """A mapping whose fields are known by name.

    Args:
        node: The mapping.
        path: The file that it is in.
        what: What the mapping is, for messages: ``a step``.
        known: Fields that are taken.
        refused: Fields that Chainsaw has and this engine has not; with the reason where it is a mapping.

    Raises:
        ConfigurationError: It is no mapping, or has a field that is not known.
    """

    def __init__(self, node: Node, path: Path, what: str, known: Iterable[str], refused: Iterable[str] = ()) -> None:
        self.path = path
        self.what = what
        self.where = Where(path, node.line)
        if not isinstance(node, Mapping):
            raise self.error(f"{what} has to be a mapping, found {_kind(node)}", node.line)
        self.entries = node.entries
        names = frozenset(known)
        if not node.entries.keys() <= names:
            self._refuse(names, refused if isinstance(refused, Reasons) else dict.fromkeys(refused, ""))

    def _refuse(self, known: frozenset[str], refused: Reasons[str, str]) -> None:
        for name, entry in self.entries.items():
            if name in known:
                continue
            if refused.get(name):
                raise self.error(f"{name} of {self.what} is not supported: {refused[name]}", entry.line)
            if name in refused:
                hint = "the chainsaw binary runs it: --engine chainsaw"
                raise self.error(f"{name} of {self.what} is not supported yet", entry.line, hint)
            close = difflib.get_close_matches(name, [*known, *refused], n=1)
            hint = f"did you mean {close[0]}?" if close else "fields: " + ", ".join(sorted(known))
            raise self.error(f"unknown field {name!r} of {self.what}", entry.line, hint)

    def error(self, what: str, line: int, hint: str = "") -> ConfigurationError:
        """Return an error that names a line."""
        return ConfigurationError(what, where=f"{self.path}:{line}", hint=hint)

    def given(self, name: str) -> bool:
        """Return whether a field is there and not null."""
        entry = self.entries.get(name)
        return entry is not None and not (isinstance(entry.node, Scalar) and entry.node.value is None)

    def require(self, *names: str) -> None:
        """Refuse the mapping if a field is missing."""
        for name in names:
            if not self.given(name):
                raise self.error(f"{self.what} has no {name}", self.where.line)

    def require_one(self, *names: str) -> str:
        """Return the one field of several that is given; refuse none and more than one."""
        given = [name for name in names if self.given(name)]
        if len(given) != 1:
            found = " and ".join(given) if given else "none"
            raise self.error(f"{self.what} needs exactly one of {', '.join(names)}, has {found}", self.where.line)
        return given[0]

    def node(self, name: str) -> Node:
        """Return a field as it is; it has to be given."""
        return self.entries[name].node

    def line(self, name: str) -> int:
        """Return the line of a field; the mapping's where it is not given."""
        return self.entries[name].line if name in self.entries else self.where.line

    def _scalar(self, name: str, wanted: type, words: str) -> Any:
        if not self.given(name):
            return None
        node = self.node(name)
        if not isinstance(node, Scalar) or type(node.value) is not wanted:
            hint = "quote it" if wanted is str and isinstance(node, Scalar) else ""
            raise self.error(f"{name} of {self.what} has to be {words}, found {_kind(node)}", node.line, hint)
        return node.value

    def string(self, name: str) -> str:
        """Return a text; empty where not given."""
        return self._scalar(name, str, "a text") or ""

    def optional_string(self, name: str) -> str | None:
        """Return a text; None where not given."""
        value: str | None = self._scalar(name, str, "a text")
        return value

    def expression_string(self, name: str) -> str:
        """Return a text that may be ``(expr)``, with its syntax checked; empty where not given."""
        text = self.string(name)
        self._checked(parse_marked, text, self.line(name))
        return text

    def boolean(self, name: str) -> bool | None:
        """Return true or false; None where not given."""
        value: bool | None = self._scalar(name, bool, "true or false")
        return value

    def integer(self, name: str, least: int) -> int | None:
        """Return an integer that is not below ``least``; None where not given."""
        value: int | None = self._scalar(name, int, "an integer")
        if value is not None and value < least:
            raise self.error(f"{name} of {self.what} has to be at least {least}, found {value}", self.line(name))
        return value

    def one_of(self, name: str, *values: str) -> str | None:
        """Return one of several texts; None where not given."""
        value = self.optional_string(name)
        if value is not None and value not in values:
            wanted = ", ".join(values)
            raise self.error(f"{name} of {self.what} has to be one of {wanted}, found {value!r}", self.line(name))
        return value

    def duration(self, name: str, *, zero: bool = False) -> float | None:
        """Return the seconds of a duration; None where not given."""
        text = self.optional_string(name)
        if text is None:
            return None
        try:
            seconds = parse_duration(text)
        except ValueError as error:
            raise self.error(f"{name} of {self.what}: {error}", self.line(name)) from None
        if seconds < 0 or (seconds == 0 and not zero):
            raise self.error(f"{name} of {self.what} has to be longer than 0, found {text!r}", self.line(name))
        return seconds

    def items(self, name: str) -> list[Node]:
        """Return the items of a list; empty where not given."""
        if not self.given(name):
            return []
        node = self.node(name)
        if not isinstance(node, Items):
            raise self.error(f"{name} of {self.what} has to be a list, found {_kind(node)}", node.line)
        return node.items

    def strings(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; empty where not given."""
        texts = []
        for item in self.items(name):
            if not isinstance(item, Scalar) or not isinstance(item.value, str):
                found = _kind(item)
                raise self.error(
                    f"{name} of {self.what} has to be a list of texts, found {found}", item.line, "quote it"
                )
            texts.append(item.value)
        return tuple(texts)

    def string_map(self, name: str, *, expressions: bool = False) -> dict[str, str]:
        """Return texts by name; empty where not given; ``key:`` alone is an empty text, as in Kubernetes."""
        if not self.given(name):
            return {}
        node = self.node(name)
        if not isinstance(node, Mapping):
            raise self.error(f"{name} of {self.what} has to be a mapping, found {_kind(node)}", node.line)
        texts = {}
        for key, entry in node.entries.items():
            value = entry.node.value if isinstance(entry.node, Scalar) else entry.node
            if not isinstance(value, str | None):
                found = _kind(entry.node)
                raise self.error(f"{name} of {self.what} has to hold texts, {key} is {found}", entry.line, "quote it")
            texts[key] = value or ""
            if expressions:
                self._checked(parse_marked, texts[key], entry.line)
        return texts

    def template(self, name: str) -> Template:
        """Return a value that may hold expressions."""
        return template_of(self.node(name), self.path)

    def tree(self, name: str) -> Tree | None:
        """Return an assertion tree; None where not given."""
        return tree_of(self.node(name), self.path) if self.given(name) else None

    def _checked(self, parse: Callable[[str], object], text: str, line: int) -> None:
        try:
            parse(text)
        except ExpressionError as error:
            raise self.error(str(error), line) from None


def template_of(node: Node, path: Path) -> Template:
    """Return a node as a template.

    Raises:
        ConfigurationError: An expression in it is none; names the line.
    """
    try:
        return parse_template(plain(node))
    except ExpressionError as error:
        raise _blamed(error, path, node, in_tree=False) from None


def tree_of(node: Node, path: Path) -> Tree:
    """Return a node as an assertion tree; errors as in `template_of`."""
    try:
        return parse_tree(plain(node))
    except ExpressionError as error:
        raise _blamed(error, path, node, in_tree=True) from None


def _blamed(error: ExpressionError, path: Path, node: Node, *, in_tree: bool) -> ConfigurationError:
    """Return an error with the line of the first scalar or key that is wrong."""
    parse = parse_value if in_tree else parse_marked
    parts = [(scalar.value, scalar.line, parse) for scalar in scalars(node) if isinstance(scalar.value, str)]
    if in_tree:
        parts += [(entry.key, entry.line, parse_notation) for entry in keys(node)]
    for text, line, parse_part in sorted(parts, key=lambda part: part[1]):
        try:
            parse_part(text)
        except ExpressionError as found:
            return ConfigurationError(str(found), where=f"{path}:{line}")
    return ConfigurationError(str(error), where=f"{path}:{node.line}")


def _kind(node: Node) -> str:
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Items):
        return "a list"
    value = node.value
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if value is None:
        return "nothing"
    if isinstance(value, int | float):
        return f"the number {value}"
    shown = value if len(value) <= _SHOWN else value[:_SHOWN] + "..."
    return f"the text {shown!r}"


_SHOWN = 40  # characters of a value that a message shows
