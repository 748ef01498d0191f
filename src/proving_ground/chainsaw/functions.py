"""The functions of expressions: all of them by name, and JMESPath's own.

JMESPath's are those of https://jmespath.site/main/#functions; kyverno's, kyverno-json's and Chainsaw's
(https://kyverno.github.io/chainsaw/latest/reference/jp/functions/) are in the modules beside this one.
"""

from __future__ import annotations

import difflib
import math
from typing import Any

from proving_ground.chainsaw import (
    functions_certificate,
    functions_kyverno,
    functions_metrics,
    functions_quantity,
    functions_time,
)
from proving_ground.chainsaw.json_text import json_text
from proving_ground.chainsaw.lookups import CLUSTER_FUNCTIONS
from proving_ground.chainsaw.signatures import Registry, failed, lower, plain, shown, upper

_jmespath = Registry()


@_jmespath.register("abs", "number")
def _abs(value: float) -> float:
    return abs(value)


@_jmespath.register("avg", "array[number]")
def _avg(values: list[float]) -> float | None:
    return plain(sum(values) / len(values)) if values else None


@_jmespath.register("ceil", "number")
def _ceil(value: float) -> int:
    return math.ceil(value)


@_jmespath.register("floor", "number")
def _floor(value: float) -> int:
    return math.floor(value)


@_jmespath.register("contains", "array|string", "any")
def _contains(subject: Any, search: Any) -> bool:
    if isinstance(subject, str):
        return isinstance(search, str) and search in subject
    return any(type(item) is type(search) and item == search for item in subject)


@_jmespath.register("ends_with", "string", "string")
def _ends_with(text: str, suffix: str) -> bool:
    return text.endswith(suffix)


@_jmespath.register("starts_with", "string", "string")
def _starts_with(text: str, prefix: str) -> bool:
    return text.startswith(prefix)


@_jmespath.register("find_first", "string", "string", "number?", "number?")
def _find_first(text: str, part: str, start: int = 0, end: int | None = None) -> int | None:
    return _found(text, text.find(part, *_bounds(text, start, end)), part)


@_jmespath.register("find_last", "string", "string", "number?", "number?")
def _find_last(text: str, part: str, start: int = 0, end: int | None = None) -> int | None:
    return _found(text, text.rfind(part, *_bounds(text, start, end)), part)


def _bounds(text: str, start: int, end: int | None) -> tuple[int, int]:
    return max(0, int(start)), len(text) if end is None else min(int(end), len(text))


def _found(text: str, index: int, part: str) -> int | None:
    return index if text and part and index >= 0 else None


@_jmespath.register("from_items", "array[array]")
def _from_items(pairs: list[list[Any]]) -> dict[str, Any]:
    result = {}
    for pair in pairs:
        if len(pair) != 2 or not isinstance(pair[0], str):  # noqa: PLR2004  # a pair
            raise failed(f"from_items() takes pairs of a string and a value, got {shown(pair)}")
        result[pair[0]] = pair[1]
    return result


@_jmespath.register("group_by", "array", "expref")
def _group_by(items: list[Any], key: Any) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for item in items:
        name = key(item)
        if not isinstance(name, str):
            raise failed(f"group_by() needs a string for each item, got {shown(name)}")
        groups.setdefault(name, []).append(item)
    return groups


@_jmespath.register("join", "string", "array[string]")
def _join(glue: str, parts: list[str]) -> str:
    return glue.join(parts)


@_jmespath.register("keys", "object")
def _keys(value: dict[str, Any]) -> list[str]:
    return list(value)


@_jmespath.register("values", "object")
def _values(value: dict[str, Any]) -> list[Any]:
    return list(value.values())


@_jmespath.register("length", "string|array|object")
def _length(value: Any) -> int:
    return len(value)


@_jmespath.register("lower", "string")
def _lower(text: str) -> str:
    return "".join(map(lower, text))


@_jmespath.register("upper", "string")
def _upper(text: str) -> str:
    return "".join(map(upper, text))


@_jmespath.register("map", "expref", "array")
def _map(expression: Any, items: list[Any]) -> list[Any]:
    return [expression(item) for item in items]


@_jmespath.register("max", "array[number]|array[string]")
def _max(values: list[Any]) -> Any:
    return max(values, default=None)


@_jmespath.register("min", "array[number]|array[string]")
def _min(values: list[Any]) -> Any:
    return min(values, default=None)


@_jmespath.register("max_by", "array", "expref")
def _max_by(items: list[Any], key: Any) -> Any:
    return max(zip(_sort_keys("max_by", items, key), items, strict=True), key=_first, default=(None, None))[1]


@_jmespath.register("min_by", "array", "expref")
def _min_by(items: list[Any], key: Any) -> Any:
    return min(zip(_sort_keys("min_by", items, key), items, strict=True), key=_first, default=(None, None))[1]


@_jmespath.register("sort", "array[number]|array[string]")
def _sort(values: list[Any]) -> list[Any]:
    return sorted(values)


@_jmespath.register("sort_by", "array", "expref")
def _sort_by(items: list[Any], key: Any) -> list[Any]:
    pairs = zip(_sort_keys("sort_by", items, key), items, strict=True)
    return [item for _, item in sorted(pairs, key=_first)]


def _first(pair: tuple[Any, Any]) -> Any:
    return pair[0]


def _sort_keys(name: str, items: list[Any], key: Any) -> list[Any]:
    keys = [key(item) for item in items]
    strings = all(isinstance(value, str) for value in keys)
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in keys)
    if not strings and not numbers:
        raise failed(f"{name}() needs all numbers or all strings, got {shown(keys)}")
    return keys


@_jmespath.register("merge", "object*")
def _merge(*values: dict[str, Any]) -> dict[str, Any]:
    return {key: item for value in values for key, item in value.items()}


@_jmespath.register("not_null", "any*")
def _not_null(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


@_jmespath.register("pad_left", "string", "number", "string?")
def _pad_left(text: str, width: int, fill: str = " ") -> str:
    return _fill("pad_left", fill) * (_width("pad_left", width) - len(text)) + text


@_jmespath.register("pad_right", "string", "number", "string?")
def _pad_right(text: str, width: int, fill: str = " ") -> str:
    return text + _fill("pad_right", fill) * (_width("pad_right", width) - len(text))


def _width(name: str, width: float) -> int:
    if width < 0 or width != int(width) or width > _WIDEST:
        raise failed(f"the width of {name}() must be an integer from 0 to {_WIDEST}, got {width}")
    return int(width)


def _fill(name: str, fill: str) -> str:
    if len(fill) > 1:
        raise failed(f"{name}() fills with one character, got {shown(fill)}")
    return fill


@_jmespath.register("reverse", "array|string")
def _reverse(value: Any) -> Any:
    return value[::-1]


@_jmespath.register("to_array", "any")
def _to_array(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@_jmespath.register("to_number", "any")
def _to_number(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            number = float(value) if value.strip() == value else math.nan
        except ValueError:
            return None
        return plain(number) if math.isfinite(number) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


@_jmespath.register("to_string", "any")
def _to_string(value: Any) -> str:
    return value if isinstance(value, str) else json_text(value)


@_jmespath.register("trim_left", "string", "string?")
def _trim_left(text: str, characters: str = "") -> str:
    return text.lstrip(characters or None)


@_jmespath.register("trim_right", "string", "string?")
def _trim_right(text: str, characters: str = "") -> str:
    return text.rstrip(characters or None)


@_jmespath.register("type", "any")
def _type(value: Any) -> str:
    names = {bool: "boolean", str: "string", int: "number", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "null")


@_jmespath.register("zip", "array", "array*")
def _zip(*arrays: list[Any]) -> list[list[Any]]:
    return [list(row) for row in zip(*arrays, strict=False)]


_WIDEST = 100_000  # characters that a text may be padded to

#: Every function that an expression may call, except those that ask the cluster.
FUNCTIONS = Registry(
    {
        **_jmespath,
        **functions_kyverno.REGISTRY,
        **functions_quantity.REGISTRY,
        **functions_time.REGISTRY,
        **functions_metrics.REGISTRY,
        **functions_certificate.REGISTRY,
    },
)


def check_call(name: str, count: int) -> str:
    """Return what is wrong with a call of ``count`` arguments as far as its text shows; empty where nothing is."""
    if name in FUNCTIONS:
        return FUNCTIONS[name].wrong_count(count)
    if name in CLUSTER_FUNCTIONS:
        least, most = CLUSTER_FUNCTIONS[name]
        wanted = str(most) if least == most else f"{least} to {most}"
        return "" if least <= count <= most else f"{name}() takes {wanted} arguments, got {count}"
    close = difflib.get_close_matches(name, [*FUNCTIONS, *CLUSTER_FUNCTIONS], n=1)
    return f"unknown function {name}()" + (f"; did you mean {close[0]}()?" if close else "")


def call_function(name: str, arguments: list[Any]) -> Any:
    """Call a function of `FUNCTIONS`.

    Raises:
        ExpressionError: Wrong arguments, or the function failed.
    """
    function = FUNCTIONS[name]
    reason = function.wrong_count(len(arguments)) or function.wrong_type(arguments)
    if reason:
        raise failed(reason)
    return function.call(*arguments)
