"""What a run of a test needs to know, and whom it tells what happens."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from proving_ground.chainsaw.documents import Where
    from proving_ground.chainsaw.shared import Shared

_HIDDEN = "***"
_SECRET_KEY = re.compile(r"token|secret|passw|credential|auth|api.?key|private.?key", re.IGNORECASE)
_SHORTEST_SECRET = 6


@dataclass(frozen=True)
class Performed:
    """An operation that ended.

    Attributes:
        step: Name of the step, with the block of it where that is not ``try``.
        kind: ``apply``, ``assert``, ...
        where: Its line.
        started: When, in seconds since the epoch.
        seconds: How long it took.
        failure: Why it failed; empty where it did not.
    """

    step: str
    kind: str
    where: Where
    started: float
    seconds: float
    failure: str = ""


class Report(Protocol):
    """Where a test tells what happens; the plugin's ``CheckRun`` is one."""

    def note(self, kind: str, subject: str, detail: str = "") -> None:
        """Put something on the timeline."""

    def metric(self, name: str, value: float) -> None:
        """Record a measurement."""

    def property(self, name: str, value: object) -> None:
        """Record a property."""

    def attach(self, name: str, text: str) -> None:
        """Add diagnostics."""

    def mask(self, value: str) -> None:
        """Never write this value anywhere."""

    def performed(self, operation: Performed) -> None:
        """Take note of an operation that ended."""


@dataclass
class Recording:
    """A report that is kept in memory, for runs without pytest."""

    notes: list[tuple[str, str, str]] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    attachments: list[tuple[str, str]] = field(default_factory=list)
    operations: list[Performed] = field(default_factory=list)

    def note(self, kind: str, subject: str, detail: str = "") -> None:
        """Keep what goes on the timeline."""
        self.notes.append((kind, subject, detail))

    def metric(self, name: str, value: float) -> None:
        """Keep a measurement."""
        self.metrics[name] = value

    def property(self, name: str, value: object) -> None:
        """Keep a property."""
        self.properties[name] = str(value)

    def attach(self, name: str, text: str) -> None:
        """Keep diagnostics."""
        self.attachments.append((name, text))

    def mask(self, value: str) -> None:
        """Do nothing: texts reach this report masked already."""

    def performed(self, operation: Performed) -> None:
        """Keep an operation that ended."""
        self.operations.append(operation)


@dataclass(frozen=True)
class Surroundings:
    """What holds for every test of a run.

    Attributes:
        run_id: Run that owns what tests make.
        fault: Fault that stand-ins show in the namespaces of the tests; empty for none.
        wait_limit: Seconds that every wait of an operation is cut to; None: not cut.
        cleanup_limit: Seconds that the clean-up of one test may take; None: as the files say.
        values: What ``$values`` is bound to.
        shared: What the tests of the run share; None: each test has its own.
        remote_files: Whether operations may name files at an ``http`` or ``https`` address.
    """

    run_id: str = ""
    fault: str = ""
    wait_limit: float | None = None
    cleanup_limit: float | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    shared: Shared | None = None
    remote_files: bool = False

    def cut(self, seconds: float) -> float:
        """Return the length of an operation's wait."""
        return seconds if self.wait_limit is None else min(seconds, self.wait_limit)


class Secrecy:
    """Values that must never be shown: hides them in every text that leaves a test."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def learn_values(self, values: Mapping[str, Any]) -> None:
        """Learn the values whose key says that they are secret."""
        for key, value in _strings(values):
            if _SECRET_KEY.search(key):
                self._learn(value)

    def learn_object(self, obj: Mapping[str, Any]) -> None:
        """Learn everything that a Secret holds."""
        if obj.get("kind") == "Secret" and obj.get("apiVersion") == "v1":
            for _, value in _strings(obj.get("stringData") or {}):
                self._learn(value)
            for _, value in _strings(obj.get("data") or {}):
                self._learn(value)
                with contextlib.suppress(ValueError):  # what is no base64 is refused by the API server
                    self._learn(base64.b64decode(value, validate=True).decode())

    def hide(self, text: str) -> str:
        """Return a text without any of them."""
        if not self._values:
            return text
        if self._pattern is None:
            longest_first = sorted(self._values, key=len, reverse=True)
            self._pattern = re.compile("|".join(re.escape(value) for value in longest_first))
        return self._pattern.sub(_HIDDEN, text)

    def _learn(self, value: str) -> None:
        found = {value, value.strip()}
        try:
            inner = json.loads(value)
        except ValueError:
            pass
        else:  # the document of an image pull secret: its parts are as secret as the whole
            found |= {part for key, part in _strings(inner) if _SECRET_KEY.search(key)}
        new = {text for text in found if len(text) >= _SHORTEST_SECRET} - self._values
        for text in new:
            self._values.add(text)
            self._report.mask(text)
        if new:
            self._pattern = None


def _strings(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield each string in a JSON value with the nearest key above it."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _strings(inner, str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, key)
