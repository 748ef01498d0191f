"""YAML documents whose every part knows its line, read as Kubernetes reads them and with bounds.

Scalars mean what they mean to sigs.k8s.io/yaml (which Chainsaw uses): timestamps and ``1:30`` are texts,
``yes`` and ``on`` are booleans. Depth, size and what aliases unfold to are bounded. A key that comes again is
refused, except where Chainsaw lets the last one count: in files of resources.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LARGEST = 8 * 1024 * 1024  # bytes of a file
_MOST_NODES = 500_000  # of a file, aliases unfolded
_DEEPEST = 100  # levels of nesting

_BOOLEANS = {
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_INTEGER = re.compile(r"[-+]?(?:0b[01]+|0o?[0-7]+|0x[0-9a-fA-F]+|[1-9][0-9]*|0)")
_OCTAL = re.compile(r"[-+]?0[0-7]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Where:
    """A line of a file."""

    file: Path
    line: int

    def __str__(self) -> str:
        """Return ``file:line``."""
        return f"{self.file}:{self.line}"


@dataclass(slots=True)
class Scalar:
    """A scalar: text, number, boolean or null."""

    value: Any
    line: int
    size: int = 1


@dataclass(slots=True)
class Items:
    """A list."""

    items: list[Node]
    line: int
    size: int = 1


@dataclass(slots=True)
class Entry:
    """A key of a mapping and its value."""

    key: str
    line: int
    node: Node


@dataclass(slots=True)
class Mapping:
    """A mapping, in the order of the file."""

    entries: dict[str, Entry]
    line: int
    size: int = 1


Node = Scalar | Items | Mapping


def plain(node: Node) -> Any:
    """Return a node as JSON; what aliases share is not shared in the result."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return {entry.key: plain(entry.node) for entry in node.entries.values()}


def scalars(node: Node) -> Iterator[Scalar]:
    """Yield every text that can hold an expression, keys included, with its line."""
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Items):
        for item in node.items:
            yield from scalars(item)
    else:
        for entry in node.entries.values():
            yield from scalars(entry.node)


def keys(node: Node) -> Iterator[Entry]:
    """Yield every entry of every mapping in a node."""
    if isinstance(node, Items):
        for item in node.items:
            yield from keys(item)
    elif isinstance(node, Mapping):
        for entry in node.entries.values():
            yield entry
            yield from keys(entry.node)


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        ConfigurationError: It cannot be read, is too large, or is not text in UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise ConfigurationError("no such file", where=str(path)) from None
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if len(content) > _LARGEST:
        raise ConfigurationError(f"larger than {_LARGEST // 2**20} MiB", where=str(path))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            "not text in UTF-8", where=f"{path}:{line}", hint=f"byte {error.start} is 0x{content[error.start]:02x}"
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ConfigurationError("a binary file, not YAML", where=f"{path}:{line}")
    return text


def read_documents(path: Path) -> list[Node]:
    """Return the documents of a YAML file, empty ones left out.

    Raises:
        ConfigurationError: The file cannot be read or is not YAML within bounds; names the line.
    """
    return parse_documents(read_text(path), path)


@dataclass(frozen=True, slots=True)
class Repeated:
    """A key that comes again in a mapping; the last one counts."""

    key: str
    where: Where
    first: int


def parse_documents(text: str, path: Path, repeated: list[Repeated] | None = None) -> list[Node]:
    """Return the documents of YAML text; otherwise as `read_documents`.

    Args:
        text: The text.
        path: Names it in errors.
        repeated: Where keys that come again are noted; None refuses them.
    """
    loader = _LOADER(text)
    try:
        documents = _Composer(loader, path, repeated).documents()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = ", ".join(part for part in (error.problem, error.context) if part)
        raise ConfigurationError(f"not YAML: {problem}", where=where) from None
    except yaml.YAMLError as error:
        raise ConfigurationError("not YAML: " + " ".join(str(error).split()), where=str(path)) from None
    finally:
        loader.dispose()
    return [document for document in documents if not (isinstance(document, Scalar) and document.value is None)]


class _Composer:
    """Builds nodes from the parser's events, without recursion."""

    def __init__(self, loader: Any, path: Path, repeated: list[Repeated] | None) -> None:
        self._loader = loader
        self._path = path
        self._repeated = repeated
        self._anchors: dict[str, Node | None] = {}
        self._nodes = 0

    def _error(self, what: str, line: int, hint: str = "") -> ConfigurationError:
        return ConfigurationError(what, where=f"{self._path}:{line}", hint=hint)

    def documents(self) -> list[Node]:
        result: list[Node] = []
        while True:
            event = self._loader.get_event()
            if isinstance(event, yaml.StreamEndEvent):
                return result
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors = {}
                result.append(self._document())

    def _document(self) -> Node:
        """Compose one document; open collections are kept in a list, innermost last."""
        open_nodes: list[_Open] = []
        while True:
            event = self._loader.get_event()
            line = event.start_mark.line + 1
            node = self._next(event, line, open_nodes)
            if node is None:
                continue
            if not open_nodes:
                self._loader.get_event()  # the end of the document
                return node
            self._add(open_nodes[-1], node, line)

    def _next(self, event: Any, line: int, open_nodes: list[_Open]) -> Node | None:
        """Return the node that an event completes; None where it completes none."""
        wants_key = bool(open_nodes) and open_nodes[-1].wants_key
        if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            closed = open_nodes.pop()
            self._keep(closed.event, closed.node)
            return closed.node
        if isinstance(event, yaml.ScalarEvent):
            node = Scalar(self._scalar(event, line), line)
            self._count(1, line)
            self._keep(event, node)
            if not wants_key:
                return node
            open_nodes[-1].key = (_key_text(node.value, event.value), line, event.implicit[0])
            return None
        if wants_key:
            raise self._error("a key has to be a text", line)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), line)
        open_nodes.append(self._opened(event, line, len(open_nodes)))
        return None

    def _opened(self, event: Any, line: int, depth: int) -> _Open:
        if depth >= _DEEPEST:
            raise self._error(f"nested deeper than {_DEEPEST} levels", line)
        if event.tag and event.tag not in ("!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            raise self._error(f"tag {event.tag!r} is not supported", line)
        if event.anchor:
            self._anchors[event.anchor] = None  # open: an alias inside would never end
        self._count(1, line)
        return _Open(Items([], line) if isinstance(event, yaml.SequenceStartEvent) else Mapping({}, line), event)

    def _keep(self, event: Any, node: Node) -> None:
        if event.anchor:
            self._anchors[event.anchor] = node

    def _count(self, nodes: int, line: int) -> None:
        self._nodes += nodes
        if self._nodes > _MOST_NODES:
            raise self._error(f"more than {_MOST_NODES} values once aliases are unfolded", line)

    def _alias(self, anchor: str, line: int) -> Node:
        if anchor not in self._anchors:
            raise self._error(f"no anchor &{anchor} before this alias", line)
        node = self._anchors[anchor]
        if node is None:
            raise self._error(f"&{anchor} contains itself", line)
        self._count(node.size, line)
        return node

    def _add(self, parent: _Open, node: Node, line: int) -> None:
        parent.node.size += node.size
        if isinstance(parent.node, Items):
            parent.node.items.append(node)
            return
        if parent.key is None:
            raise self._error("a key has to be a text", line)
        (name, key_line, is_plain), parent.key = parent.key, None
        if name == "<<" and is_plain:
            self._merge(parent, parent.node, node, key_line)
            return
        entries = parent.node.entries
        if name in entries and name not in parent.merged_keys:
            if self._repeated is None:
                raise self._error(f"key {name!r} again", key_line, f"first in line {entries[name].line}")
            self._repeated.append(Repeated(name, Where(self._path, key_line), entries[name].line))
        parent.merged_keys.discard(name)
        entries[name] = Entry(name, key_line, node)

    def _merge(self, parent: _Open, target: Mapping, node: Node, line: int) -> None:
        sources = node.items if isinstance(node, Items) else [node]
        for source in sources:
            if not isinstance(source, Mapping):
                raise self._error("<< merges mappings only", line)
            for name, entry in source.entries.items():
                if name not in target.entries:
                    target.entries[name] = entry
                    parent.merged_keys.add(name)

    def _scalar(self, event: Any, line: int) -> Any:
        tag = (event.tag or "").removeprefix("tag:yaml.org,2002:")
        if tag in ("", "!"):
            return resolve(event.value) if event.implicit[0] else event.value
        if tag == "str":
            return event.value
        value = resolve(event.value)
        wanted = {"int": int, "float": float, "bool": bool, "null": type(None)}.get(tag)
        if wanted is None:
            raise self._error(f"tag {event.tag!r} is not supported", line)
        if wanted is float and type(value) is int:
            return float(value)
        if type(value) is not wanted:
            raise self._error(f"{event.value!r} is not of its tag !!{tag}", line)
        return value


class _Open:
    """A collection that has not ended."""

    __slots__ = ("event", "key", "merged_keys", "node")

    def __init__(self, node: Items | Mapping, event: Any) -> None:
        self.node = node
        self.event = event
        self.key: tuple[str, int, bool] | None = None
        self.merged_keys: set[str] = set()

    @property
    def wants_key(self) -> bool:
        """Whether what comes next is a key."""
        return isinstance(self.node, Mapping) and self.key is None


def _key_text(value: Any, text: str) -> str:
    """Return a key as JSON has it: a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else text


def resolve(text: str) -> Any:
    """Return what a plain scalar means: null, boolean, integer, float or text."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] not in "+-.0123456789" or len(text) > _LONGEST_NUMBER:
        return text
    digits = text.replace("_", "")
    if _INTEGER.fullmatch(digits):
        return int(digits, 8 if _OCTAL.fullmatch(digits) else 0)
    if not _FLOAT.fullmatch(text) or not math.isfinite(float(text)):
        return text
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < _LARGEST_WHOLE else number  # 1e3 is 1000 in JSON


_LARGEST_WHOLE = 1e15
_LONGEST_NUMBER = 40  # characters; longer digits, such as ids, are texts
