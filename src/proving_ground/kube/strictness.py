"""Writes that refuse what the API server does not know, and what it warns of."""

from __future__ import annotations

import contextlib
import re
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_WARNINGS: ContextVar[list[dict[str, Any]] | None] = ContextVar("warnings", default=None)
_WRITES = frozenset({"POST", "PUT", "PATCH"})
#: ``299 - "text"``, see RFC 7234, section 5.5, and Kubernetes enhancement 1693.
_WARNING = re.compile(r'(?P<code>\d{3}) (?P<agent>\S+) "(?P<text>(?:[^"\\]|\\.)*)"')


@contextlib.contextmanager
def strictly() -> Iterator[list[dict[str, Any]]]:
    """Let the API server refuse objects with unknown or repeated fields, and give what it warns of.

    Gives:
        The warnings of the last request of this task, each with ``code``, ``agent`` and ``text``.
    """
    found: list[dict[str, Any]] = []
    token = _WARNINGS.set(found)
    try:
        yield found
    finally:
        _WARNINGS.reset(token)


def parameters(method: str) -> dict[str, str]:
    """Return the query parameters that a request has because of it."""
    return {"fieldValidation": "Strict"} if method in _WRITES and _WARNINGS.get() is not None else {}


def take(headers: Iterable[str]) -> None:
    """Note the warnings of an answer, in place of those of the request before.

    Args:
        headers: Its ``Warning`` headers.
    """
    found = _WARNINGS.get()
    if found is not None:
        found[:] = [
            {"code": int(match["code"]), "agent": match["agent"], "text": re.sub(r"\\(.)", r"\1", match["text"])}
            for header in headers
            for match in _WARNING.finditer(header)
        ]
