"""What an endpoint of metrics answered: a value by its name, out of JSON or Prometheus text."""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# Unrolled, so that each character can be matched in one way only and no page takes long.
_LABELS = r'\{[^"{}\n]*(?:"[^"\\\n]*(?:\\.[^"\\\n]*)*"[^"{}\n]*)*\}'
_REST = rf"(?:[ \t]*({_LABELS})[ \t]*|[ \t]+)([^ \t\r\n{{}}]+)(?:[ \t]+-?[0-9]+)?[ \t\r]*"
_PAGE = re.compile(rf"(?:(?:#[^\n]*|[ \t\r]*|[a-zA-Z_:][a-zA-Z0-9_:]*{_REST})(?:\n|\Z))*")
_SHOWN = 60
_DEEPEST = 32
NO_VALUE = ("value", "metric", "result", "data")
"""Keys that are looked for, in this order, where an external answer does not name the metric."""


class PageError(ValueError):
    """A page has no usable value; the message says why, and is for people."""


def read_value(page: str, metric: str) -> float:
    """Return the value of a metric: the number under that key of JSON, or the mean over its Prometheus lines.

    Raises:
        PageError: There is no such value, or the page cannot be read.
    """
    document = _json(page)
    if document is not None:
        for found in _under(document, metric):
            return _number(found, metric)
        raise PageError(f"{metric} is not in the JSON answer")
    lines = series(page, metric)
    if not lines:
        raise PageError(f"{metric} is not on the page")
    return sum(value for _, value in lines) / len(lines)


def read_external(page: str, metric: str) -> float:
    """Return the value that an external endpoint gives: a bare number, or JSON with the metric or a known key.

    Raises:
        PageError: There is no such value, or the answer tells of an error.
    """
    text = page.strip()
    if not text:
        raise PageError("the answer is empty")
    document = _json(text)
    if document is None:
        return _number(text, metric)
    if isinstance(document, dict) and (told := document.get("error")):
        raise PageError(f"the answer tells of an error: {str(told)[:_SHOWN]}")
    for key in (metric, *NO_VALUE):
        for found in _under(document, key):
            if _is_number(found):
                return _number(found, key)
    raise PageError(f"the JSON answer has neither {metric} nor a value")


def read_query(page: str) -> float:
    """Return the first sample of a Prometheus query's answer (vector or scalar).

    Raises:
        PageError: The query failed or found nothing.
    """
    document = _json(page)
    if not isinstance(document, dict):
        raise PageError("the answer is not that of a Prometheus query")
    if document.get("status") != "success":
        raise PageError(f"the query failed: {str(document.get('error') or document.get('status'))[:_SHOWN]}")
    data = document.get("data")
    result = data.get("result") if isinstance(data, dict) else None
    if not isinstance(result, list):
        raise PageError("the answer is not that of a Prometheus query")
    if not result:
        raise PageError("the query found nothing")
    sample = result if isinstance(data, dict) and data.get("resultType") == "scalar" else result[0]
    pair = sample.get("value") if isinstance(sample, dict) else sample
    if not isinstance(pair, list) or len(pair) != 2:  # noqa: PLR2004 - time and value
        raise PageError("the answer is neither a vector nor a scalar")
    return _number(pair[1], "the query")


def series(page: str, metric: str) -> list[tuple[str, float]]:
    """Return labels (as written, with braces) and value of each Prometheus line of a metric.

    Raises:
        PageError: The page is not in the text format, or a value is not a number.
    """
    if not page.strip():
        raise PageError("the answer is empty")
    if _PAGE.fullmatch(page) is None:
        raise PageError(_first_wrong(page))
    return [(match[1] or "", _number(match[2], metric)) for match in _lines_of(metric).finditer(page)]


def label(labels: str, name: str) -> str:
    """Return the value of a label in labels as `series` gives them, or an empty text."""
    match = re.search(rf'[{{,]\s*{re.escape(name)}="((?:[^"\\]|\\.)*)"', labels)
    return match[1] if match else ""


@lru_cache(maxsize=1024)
def _lines_of(metric: str) -> re.Pattern[str]:
    return re.compile(rf"^{re.escape(metric)}{_REST}$", re.MULTILINE)


def _first_wrong(page: str) -> str:
    for number, line in enumerate(page.split("\n"), start=1):
        if _PAGE.fullmatch(line) is None:
            return f"line {number} is not a metric: {line[:_SHOWN]!r}"
    return "the answer is not in the Prometheus text format"


def _json(page: str) -> Any:
    text = page.lstrip()
    if text[:1] not in {"{", "["}:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise PageError("the answer is broken JSON") from None


def _under(document: Any, key: str, depth: int = 0) -> Iterator[Any]:
    if depth > _DEEPEST:
        return
    if isinstance(document, dict):
        if key in document:
            yield document[key]
        for value in document.values():
            yield from _under(value, key, depth + 1)
    elif isinstance(document, list):
        for value in document:
            yield from _under(value, key, depth + 1)


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any, what: str) -> float:
    if not _is_number(value):
        raise PageError(f"{what} is {str(value)[:_SHOWN]!r}, which is not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise PageError(f"{what} is {number}")
    return number
