"""Functions that kyverno, kyverno-json and Chainsaw add to JMESPath: text, data, encodings, versions."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import posixpath
import re
from pathlib import Path
from typing import Any

from proving_ground.chainsaw import versions
from proving_ground.chainsaw.documents import parse_documents, plain
from proving_ground.chainsaw.json_text import number_text
from proving_ground.chainsaw.patterns import compile_pattern
from proving_ground.chainsaw.random_text import random_text
from proving_ground.chainsaw.signatures import Registry, failed, lower, shown, upper
from proving_ground.errors import ConfigurationError

REGISTRY = Registry()
_register = REGISTRY.register


@_register("env", "string")
def _env(name: str) -> str:
    return os.environ.get(name, "")


@_register("trim_space", "string")
def _trim_space(text: str) -> str:
    return text.strip()


@_register("as_string", "any")
def _as_string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


@_register("at", "array", "number")
def _at(items: list[Any], index: float) -> Any:
    if index != int(index) or not -len(items) <= index < len(items):
        raise failed(f"at(): no item {index} in a list of {len(items)}")
    return items[int(index)]


@_register("concat", "string", "string")
def _concat(left: str, right: str) -> str:
    return left + right


@_register("json_parse", "string")
@_register("parse_json", "string")
def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise failed(f"not JSON: {error}") from None


@_register("parse_yaml", "string")
def _parse_yaml(text: str) -> Any:
    try:
        documents = parse_documents(text, Path("text"))
    except ConfigurationError as error:
        raise failed(f"not YAML: {error.what} ({error.where})") from None
    return plain(documents[0]) if documents else None


@_register("wildcard", "string", "string")
@_register("pattern_match", "string", "string|number")
def _pattern_match(pattern: str, text: Any) -> bool:
    parts = ["." if part == "?" else ".*" if part == "*" else re.escape(part) for part in re.split(r"([*?])", pattern)]
    return re.fullmatch("".join(parts), _text(text), re.DOTALL) is not None


@_register("compare", "string", "string")
def _compare(left: str, right: str) -> int:
    return (left > right) - (left < right)


@_register("equal_fold", "string", "string")
def _equal_fold(left: str, right: str) -> bool:
    return len(left) == len(right) and all(
        one == other or one.lower() == other.lower() or one.upper() == other.upper()
        for one, other in zip(left, right, strict=True)
    )


@_register("replace", "string", "string", "string", "number?")
def _replace(text: str, old: str, new: str, count: float = -1) -> str:
    return text.replace(old, new, int(count))


@_register("replace_all", "string", "string", "string")
def _replace_all(text: str, old: str, new: str) -> str:
    return text.replace(old, new)


@_register("to_upper", "string")
def _to_upper(text: str) -> str:
    return "".join(map(upper, text))


@_register("to_lower", "string")
def _to_lower(text: str) -> str:
    return "".join(map(lower, text))


@_register("trim", "string", "string?")
def _trim(text: str, characters: str | None = None) -> str:
    return text.strip(characters)


@_register("trim_prefix", "string", "string")
def _trim_prefix(text: str, prefix: str) -> str:
    return text.removeprefix(prefix)


@_register("split", "string", "string", "number?")
def _split(text: str, separator: str, count: float = -1) -> list[str]:
    return text.split(separator, int(count)) if separator else list(text)


@_register("truncate", "string", "number")
def _truncate(text: str, length: float) -> str:
    return text[: max(0, int(length))]


def _pattern(pattern: str) -> re.Pattern[str]:
    try:
        return compile_pattern(pattern)
    except ValueError as error:
        raise failed(f"not a regular expression: {shown(pattern)}: {error}") from None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else number_text(value)


@_register("regex_match", "string", "string|number")
def _regex_match(pattern: str, text: Any) -> bool:
    return _pattern(pattern).search(_text(text)) is not None


@_register("regex_replace_all", "string", "string|number", "string|number")
def _regex_replace_all(pattern: str, text: Any, new: Any) -> str:
    compiled = _pattern(pattern)

    def expand(match: re.Match[str]) -> str:
        return re.sub(r"\$(?:\{(\w+)\}|(\w+)|(\$))", lambda found: _group(match, found), _text(new))

    return compiled.sub(expand, _text(text))


def _group(match: re.Match[str], reference: re.Match[str]) -> str:
    if reference.group(3):
        return "$"
    name = reference.group(1) or reference.group(2)
    try:
        return match.group(int(name) if name.isdecimal() else name) or ""
    except (IndexError, ValueError):
        return ""  # as Go does


@_register("regex_replace_all_literal", "string", "string|number", "string|number")
def _regex_replace_all_literal(pattern: str, text: Any, new: Any) -> str:
    return _pattern(pattern).sub(lambda _: _text(new), _text(text))


@_register("label_match", "object", "object")
def _label_match(wanted: dict[str, Any], labels: dict[str, Any]) -> bool:
    return all(key in labels and labels[key] == value for key, value in wanted.items())


@_register("to_boolean", "string")
def _to_boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise failed(f"to_boolean() takes 'true' or 'false', got {shown(text)}")
    return text.lower() == "true"


@_register("base64_encode", "string")
def _base64_encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@_register("base64_decode", "string")
def _base64_decode(text: str) -> str:
    try:
        return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True).decode(errors="replace")
    except (binascii.Error, ValueError) as error:
        raise failed(f"not base64: {error}") from None


@_register("sha256", "string")
def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@_register("path_canonicalize", "string")
def _path_canonicalize(path: str) -> str:
    return re.sub("^//", "/", posixpath.normpath(path)) if path else ""


@_register("semver_compare", "string", "string")
def _semver_compare(version: str, wanted: str) -> bool:
    try:
        return versions.matches(version, wanted)
    except ValueError as error:
        raise failed(f"semver_compare(): {error}") from None


@_register("lookup", "object|array", "string|number")
def _lookup(collection: Any, key: Any) -> Any:
    if isinstance(collection, dict):
        if not isinstance(key, str):
            raise failed(f"lookup() in an object takes a string, got {shown(key)}")
        return collection.get(key)
    if isinstance(key, str) or key != int(key):
        raise failed(f"lookup() in a list takes an integer, got {shown(key)}")
    return collection[int(key)] if 0 <= key < len(collection) else None


@_register("items", "object|array", "string?", "string?")
def _items(collection: Any, key_name: str | None = None, value_name: str | None = None) -> list[Any]:
    pairs = sorted(collection.items()) if isinstance(collection, dict) else list(enumerate(collection))
    if key_name is None:
        return [list(pair) for pair in pairs]
    if value_name is None:
        raise failed("items() takes 1 or 3 arguments, got 2")
    return [{key_name: key, value_name: value} for key, value in pairs]


@_register("object_from_lists", "array", "array")
def _object_from_lists(keys: list[Any], values: list[Any]) -> dict[str, Any]:
    padded = [*values, *[None] * (len(keys) - len(values))]
    result = {}
    for key, value in zip(keys, padded, strict=False):
        if isinstance(key, bool | list | dict) or key is None:
            raise failed(f"object_from_lists() needs strings as keys, got {shown(key)}")
        result[_text(key)] = value
    return result


@_register("random", "string")
def _random(pattern: str) -> str:
    try:
        return random_text(pattern)
    except ValueError as error:
        raise failed(f"random(): {error}") from None
