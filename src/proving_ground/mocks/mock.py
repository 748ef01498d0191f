"""What all mock servers of metrics have in common."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from proving_ground.mocks.failure import DEFAULT_DELAY, MAX_DELAY, Failure, FailureMode
from proving_ground.mocks.given import Given, MockError
from proving_ground.mocks.history import History

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proving_ground.mocks.answer import Answer

MOCK = "proving_ground.mock"
"""Key in an ASGI scope's state under which the application finds the mock that it answers as."""

DEFAULT_CPU = 100.0
"""Millicores."""
DEFAULT_MEMORY = 256.0 * 1024**2
"""Bytes."""
MAX_CPU = 1e9
MAX_MEMORY = 2.0**60


class Mock(ABC):
    """The state of one mock server; the application is shared.

    A change is all or nothing: it is read as a whole before any of it holds.

    Args:
        clock: Returns unix seconds.
    """

    __slots__ = ("_cpu", "_memory", "clock", "failure", "history")

    name: ClassVar[str]
    """Its name in the arguments of a container."""
    scraped: ClassVar[frozenset[str]]
    """Paths of its metric endpoints."""
    scraped_by: ClassVar[tuple[str, ...]] = ("GET", "HEAD")
    """Methods of requests that its metric endpoints answer."""
    changes: ClassVar[frozenset[str]] = frozenset({"/set", "/set_failure"})
    """Paths that change it."""
    settable: ClassVar[tuple[str, ...]]
    """Parameters of ``/set``, besides ``cpu`` and ``memory``."""
    columns: ClassVar[tuple[str, ...]]
    """Names of the values in its history."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.failure = Failure()
        self.history = History(self.columns)
        self._cpu = DEFAULT_CPU
        self._memory = DEFAULT_MEMORY

    def change(self, path: str, query: Mapping[str, str]) -> str:
        """Change what the mock shows.

        Args:
            path: One of ``changes``; the slash may be left out.
            query: The parameters.

        Returns:
            A line that says what holds now.

        Raises:
            MockError: There is no such path, or a parameter is missing, unknown or wrong. Nothing has changed.
        """
        return self.prepare(path, query)()

    def prepare(self, path: str, query: Mapping[str, str]) -> Callable[[], str]:
        """Read a change without making it, so that several mocks can change together or not at all.

        Returns:
            The change, which cannot fail; it returns what :meth:`change` does.

        Raises:
            MockError: As for :meth:`change`.
        """
        path = "/" + path.removeprefix("/")
        if path not in self.changes:
            raise MockError(
                f"expected one of {', '.join(sorted(self.changes))} for the mock {self.name}, found {path[:80]!r}",
                status=404,
            )
        given = Given(query)
        if path == "/set":
            return self._prepare_set(given)
        if path == "/set_failure":
            return self._prepare_failure(given)
        return self._prepare_more(path, given)

    @abstractmethod
    def answer(self, path: str, query: Mapping[str, str], now: float) -> Answer:
        """Answer a request of a metric endpoint.

        Args:
            path: One of ``scraped``.
            query: Its parameters.
            now: Unix seconds.
        """

    @abstractmethod
    def seen(self, now: float) -> tuple[float, ...]:
        """Return what an answer shows at ``now``, one value for each of ``columns``."""

    @abstractmethod
    def values(self) -> dict[str, float]:
        """Return the current values by Prometheus name; the mean where a name has several series."""

    def resources(self) -> tuple[float, float]:
        """Return what the server is said to use: CPU in millicores, memory in bytes."""
        return self._cpu, self._memory

    def page(self, path: str) -> Answer | None:
        """Answer a request of a further path, or return None where there is none."""
        del path
        return None

    @abstractmethod
    def _prepare_values(self, given: Given) -> Callable[[], None]:
        """Read the parameters of ``/set`` that are the mock's own."""

    def _prepare_more(self, path: str, given: Given) -> Callable[[], str]:
        """Read a change that only this kind of mock has."""
        del given
        raise NotImplementedError(path)

    def _prepare_set(self, given: Given) -> Callable[[], str]:
        given.only((*self.settable, "cpu", "memory"))
        cpu = given.number("cpu", 0, MAX_CPU)
        memory = given.number("memory", 0, MAX_MEMORY)
        change = self._prepare_values(given)

        def commit() -> str:
            change()
            self._cpu = self._cpu if cpu is None else cpu
            self._memory = self._memory if memory is None else memory
            own = zip(self.columns, self.seen(self.clock()), strict=True)
            told = (*own, ("cpu", self._cpu), ("memory", self._memory))
            return " ".join(f"{name}={int(value) if value.is_integer() else value!r}" for name, value in told)

        return commit

    def _prepare_failure(self, given: Given) -> Callable[[], str]:
        given.only(("mode", "delay"))
        mode = given.word("mode", FailureMode)
        if mode is None:
            raise given.error("mode", f"one of {', '.join(FailureMode)}")
        delay = given.number("delay", 0, MAX_DELAY)
        failure = Failure(FailureMode(mode), DEFAULT_DELAY if delay is None else delay)

        def commit() -> str:
            self.failure = failure
            return f"mode={failure.mode}" + (f" delay={failure.delay:g}" if mode == FailureMode.SLOW else "")

        return commit
