"""The mock ``prometheus``: the query API of a Prometheus server, with answers that are given to it.

Paths and documents are those of Prometheus' HTTP API, version 1.
"""

from __future__ import annotations

import math
import time
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from proving_ground.mocks.answer import Answer
from proving_ground.mocks.given import Given, MockError
from proving_ground.mocks.mock import Mock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_VALUE = 1e300
QUERY_LIMIT = 4096
"""Characters of a query."""
STORED_LIMIT = 256
"""Queries with an answer."""
VERSION = "3.5.0"
"""The version of Prometheus that it says it is."""


def normalised(query: str) -> str:
    """Return a query with single blanks for any white space, which is how answers are found again."""
    return " ".join(query.split())


def written(value: float) -> str:
    """Write a sample's value as Prometheus does: the shortest text that reads back to it, without an exponent."""
    return format(Decimal(repr(value)), "f").removesuffix(".0")


def read_time(text: str) -> float:
    """Read the parameter ``time``: unix seconds, or an RFC 3339 time.

    Raises:
        ValueError: It is neither.
    """
    try:
        value = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("expected a zone") from None
        value = moment.timestamp()
    if not math.isfinite(value):
        raise ValueError("expected a finite number")
    return value


def _bad_data(parameter: str, what: str) -> Answer:
    error = f'invalid parameter "{parameter}": {what}'
    return Answer.json({"status": "error", "errorType": "bad_data", "error": error}, 400)


class PrometheusMock(Mock):
    """Answers each query that was set with its value, and all others with nothing."""

    __slots__ = ("_results",)

    name: ClassVar[str] = "prometheus"
    scraped: ClassVar[frozenset[str]] = frozenset({"/api/v1/query"})
    scraped_by: ClassVar[tuple[str, ...]] = ("GET", "HEAD", "POST")
    settable: ClassVar[tuple[str, ...]] = ("query", "value")
    columns: ClassVar[tuple[str, ...]] = ()

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self._results: dict[str, float] = {}

    @classmethod
    def from_env(cls, env: Mapping[str, str], clock: Callable[[], float] = time.time) -> PrometheusMock:
        """Make one; it reads no variable."""
        del env
        return cls(clock)

    def answer(self, path: str, query: Mapping[str, str], now: float) -> Answer:
        """Answer an instant query."""
        del path
        moment = now
        if query.get("time"):
            try:
                moment = read_time(query["time"])
            except (ValueError, OverflowError):
                return _bad_data("time", f"cannot read {query['time'][:80]!r} as a time")
        text = normalised(query.get("query", ""))
        if not text:
            return _bad_data("query", "there is no expression in it")
        value = self._results.get(text)
        found = [] if value is None else [{"metric": {}, "value": [round(moment, 3), written(value)]}]
        return Answer.json({"status": "success", "data": {"resultType": "vector", "result": found}})

    def seen(self, now: float) -> tuple[float, ...]:
        """Return nothing: an answer depends on its query."""
        del now
        return ()

    def values(self) -> dict[str, float]:
        """Return nothing: the server has no metrics of its own."""
        return {}

    def page(self, path: str) -> Answer | None:
        """Answer the build information and the two questions about the server's health."""
        if path == "/api/v1/status/buildinfo":
            build = {
                "version": VERSION,
                "revision": "",
                "branch": "",
                "buildUser": "",
                "buildDate": "",
                "goVersion": "",
            }
            return Answer.json({"status": "success", "data": build})
        state = {"/-/healthy": "Healthy", "/-/ready": "Ready"}.get(path)
        return None if state is None else Answer.text(f"Prometheus Server is {state}.\n")

    def _prepare_values(self, given: Given) -> Callable[[], None]:
        if "query" not in given and "value" not in given:
            return lambda: None
        text = given.text("query")
        query = normalised(text or "")
        if text is None or not query or len(text) > QUERY_LIMIT:
            raise given.error("query", f"an expression of at most {QUERY_LIMIT} characters")
        value = given.number("value", -MAX_VALUE, MAX_VALUE)
        if value is None:
            raise given.error("value", "a number")
        if query not in self._results and len(self._results) >= STORED_LIMIT:
            raise MockError(f"expected at most {STORED_LIMIT} queries with an answer", where="parameter query")

        def commit() -> None:
            self._results[query] = value

        return commit
