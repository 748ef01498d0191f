r"""JSONPath as ``kubectl wait --for=jsonpath=...`` takes it: one path, its values, and what it compares them with.

Fields (``.a``, ``['a']``, ``\.`` for a dot in a name), items of lists (``[0]``, ``[-1]``, ``[1:]``, ``[*]``), every
value (``.*``) and filters (``[?(@.type=="Ready")]``, with ``==``, ``<``, ``>`` or none). A missing field finds
nothing; an item that a list does not have, and values that cannot be compared, end kubectl's wait with an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

__all__ = ["Path", "PathError", "PathSyntaxError", "parse_path", "parse_value"]

_WHOLE = re.compile(r"\{\.?([^{}]+)\}|\.?([^{}]+)")
_NAME = re.compile(r"(?:\\.|[^\s.,\[\]{}$@*\\])+")
_INTEGER = re.compile(r"-?\d+")
_SLICE = re.compile(r"(-?\d+)?:(-?\d+)?")
_QUOTED = re.compile(r"'([^']*)'")
_FILTER = re.compile(r"\?\(\s*@(?P<path>[^=<>!&|]*?)\s*(?:(?P<test>==|<|>)\s*(?P<value>.+?))?\s*\)")
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
_TEXT = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_LARGEST = 1e21  # from here on Go writes floats with an exponent


class PathSyntaxError(ValueError):
    """It is no path that kubectl takes, or one that this engine does not know."""


class PathError(Exception):
    """The path cannot be followed in an object: kubectl gives up, whatever comes later."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str

    def find(self, value: Any) -> list[Any]:
        return [value[self.name]] if isinstance(value, dict) and self.name in value else []


@dataclass(frozen=True, slots=True)
class _Every:
    def find(self, value: Any) -> list[Any]:
        if isinstance(value, dict):
            return list(value.values())
        return list(value) if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class _Items:
    """Items from ``start`` to before ``end``; None: from the first, to the last."""

    start: int | None
    end: int | None

    def find(self, value: Any) -> list[Any]:
        if value is None:
            return []
        items, length = _listed(value), len(value)
        start = 0 if self.start is None else self.start + (length if self.start < 0 else 0)
        end = length if self.end is None else self.end + (length if self.end < 0 else 0)
        if start == end:
            return []
        for index, inside in ((start, 0 <= start < length), (end - 1, 0 <= end <= length)):
            if not inside:
                raise PathError(f"array index out of bounds: index {index}, length {length}")
        if start > end:
            raise PathError(f"starting index {start} is greater than ending index {end}")
        return items[start:end]


@dataclass(frozen=True, slots=True)
class _Filter:
    """Items for which a path finds something, or one value that compares as wanted."""

    path: Path
    test: str
    literal: Any

    def find(self, value: Any) -> list[Any]:
        return [] if value is None else [item for item in _listed(value) if self._holds(item)]

    def _holds(self, item: Any) -> bool:
        found = self.path.find(item)
        if not self.test or not found:
            return bool(found)
        if len(found) > 1:
            raise PathError("can only compare one element at a time")
        if type(found[0]) is not type(self.literal) or (isinstance(found[0], bool) and self.test != "=="):
            raise PathError("incompatible types for comparison")
        if self.test == "==":
            return bool(found[0] == self.literal)
        return bool(found[0] < self.literal if self.test == "<" else found[0] > self.literal)


_Step = _Field | _Every | _Items | _Filter


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed path.

    Args:
        text: As written.
    """

    text: str
    steps: tuple[_Step, ...]

    def find(self, obj: Any) -> list[Any]:
        """Return the values that the path leads to.

        Raises:
            PathError: It leads to an item that a list does not have, or through what is no list.
        """
        values = [obj]
        for step in self.steps:
            values = [found for value in values for found in step.find(value)]
        return values

    def leads_to(self, obj: Any, wanted: str | None) -> bool:
        """Tell whether the path leads to a value (None: any), as ``kubectl wait`` decides it.

        Raises:
            PathError: It leads to more than one value, or to a list or mapping that was to be compared.
        """
        found = self.find(obj)
        if not found:
            return False
        if len(found) > 1:
            raise PathError("given jsonpath expression matches more than one value")
        if wanted is None:
            return True
        if isinstance(found[0], dict | list):
            raise PathError("jsonpath leads to a nested object or list which is not supported")
        return text_of(found[0]).strip() == wanted.strip()


def text_of(value: Any) -> str:
    """Return a scalar as Go prints it."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST:
        return str(int(value))
    return str(value)


def parse_path(text: str) -> Path:
    """Return a path: ``{.status.phase}``, ``.status.phase`` or ``status.phase``.

    Raises:
        PathSyntaxError: It is none; says why.
    """
    if re.search(r"(?<!=)=(?!=)", text):
        raise PathSyntaxError(f"{text!r}: kubectl takes a single = for the end of the path; filters have ==, < and >")
    whole = _WHOLE.fullmatch(text)
    if whole is None:
        raise PathSyntaxError(f"{text!r} has to be one path: {{.status.phase}} or .status.phase")
    return Path(text, _Parser(text, "." + (whole[1] or whole[2])).steps())


def parse_value(text: str) -> str:
    """Return the value that a path has to lead to, without its quotes.

    Raises:
        PathSyntaxError: kubectl does not take it.
    """
    value = text.strip("'\"")
    if not value:
        raise PathSyntaxError("the value is empty: leave it out where any will do")
    if re.search(r"(?<!=)=(?!=)", text):
        raise PathSyntaxError(f"kubectl takes no = in a value, found {text!r}")
    return value


class _Parser:
    """Takes a path apart, from its first character to its last."""

    def __init__(self, whole: str, text: str) -> None:
        self._whole = whole
        self._text = text
        self._at = 0

    def steps(self) -> tuple[_Step, ...]:
        found: list[_Step] = []
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                found += self._bracket()
            elif self._text.startswith("..", self._at):
                raise self._error("descending (..) is not supported: name the fields")
            elif self._text.startswith(".[", self._at) and self._at == 0:
                raise self._error("it begins with [, and an object is no list")
            elif self._text.startswith(".*", self._at):
                found.append(_Every())
                self._at += 2
            elif self._text[self._at] == "." and (name := _NAME.match(self._text, self._at + 1)):
                found.append(_Field(_plain(name[0])))
                self._at = name.end()
            else:
                raise self._error('expected a field (.name), an item ([0]) or a filter ([?(@.type=="Ready")])')
        return tuple(found)

    def _bracket(self) -> list[_Step]:
        end = self._end_of_bracket()
        inner = self._text[self._at + 1 : end]
        step = self._inside(inner)
        self._at = end + 1
        return step

    def _end_of_bracket(self) -> int:
        """Return where the bracket closes, skipping those in quotes and in filters."""
        depth, quote = 0, ""
        for index in range(self._at, len(self._text)):
            character = self._text[index]
            if quote:
                quote = "" if character == quote else quote
            elif character in "'\"":
                quote = character
            elif character in "[]":
                depth += 1 if character == "[" else -1
                if depth == 0:
                    return index
        raise self._error("[ is not closed")

    def _inside(self, inner: str) -> list[_Step]:
        if inner == "*":
            return [_Items(None, None)]
        if _INTEGER.fullmatch(inner):
            start = int(inner)
            return [_Items(start, None if start == -1 else start + 1)]
        if (cut := _SLICE.fullmatch(inner)) is not None:
            return [_Items(*(None if part is None else int(part) for part in cut.groups()))]
        if (quoted := _QUOTED.fullmatch(inner)) is not None and quoted[1]:
            return list(_Parser(self._whole, "." + quoted[1]).steps())  # kubectl reads dots in it as outside of it
        if inner.startswith("?") and (filtered := _FILTER.fullmatch(inner)) is not None:
            path = Path(filtered["path"], _Parser(self._whole, filtered["path"]).steps())
            return [_Filter(path, filtered["test"] or "", self._literal(filtered["value"]))]
        raise self._error(f"[{inner}] is not supported")

    def _literal(self, text: str | None) -> Any:
        if text is None or text in {"true", "false"}:
            return None if text is None else text == "true"
        if (quoted := _TEXT.fullmatch(text)) is not None:
            return quoted[1] if quoted[1] is not None else quoted[2]
        if (number := _NUMBER.fullmatch(text)) is not None:
            return float(text) if number[1] else int(text)
        raise self._error(f"a filter compares a path with a text, a number, true or false, found {text}")

    def _error(self, what: str) -> PathSyntaxError:
        return PathSyntaxError(f"{self._whole!r}: {what}")


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        kind = "a mapping" if isinstance(value, dict) else f"{text_of(value)!r}"
        raise PathError(f"{kind} is not array or slice")
    return value


def _plain(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name)
