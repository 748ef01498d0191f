"""Runs the concurrent checks of a process in one event loop.

Checks that want to be alone run first, in their order. Then the others are started in their order,
as many at once as there are slots; a check frees its slot when its verdict is known, and is
reported when its clean-up is done too. To stop (``-x``, an interruption) means: start no more,
cancel those without a verdict, and wait for every clean-up.
"""

from __future__ import annotations

import asyncio
import collections
import logging
from typing import TYPE_CHECKING, Protocol

import pytest

from proving_ground.plugin.attempt import Attempt
from proving_ground.plugin.check_run import CURRENT, CheckRun
from proving_ground.plugin.reporting import report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from proving_ground.plugin.items import ConcurrentItem

LOG = logging.getLogger(__name__)
GRACE = 5.0
"""Seconds that a check gets after its clean-up was cancelled, too."""


class Host(Protocol):
    """What the scheduler asks of the session that it works for."""

    def new_run(self, item: ConcurrentItem, on_verdict: Callable[[], None]) -> CheckRun:
        """Return the surroundings of one attempt."""

    def prepare(self, item: ConcurrentItem) -> None:
        """Raise if the check cannot be judged here."""

    def started(self, item: ConcurrentItem) -> None:
        """A check begins."""

    def ending(self, attempt: Attempt, attempts: int) -> None:
        """A check is about to be reported."""

    def cancelled(self, attempt: Attempt, reason: str) -> None:
        """A check was cancelled before its verdict; its clean-up is done."""

    def reason_to_stop(self) -> str:
        """Return why no more checks are to be started; empty: go on."""


class Scheduler:
    """One pass over the checks."""

    def __init__(
        self, items: Iterable[ConcurrentItem], host: Host, *, parallel: int, reruns: int, limit: float
    ) -> None:
        items = list(items)
        self._alone = collections.deque(item for item in items if not item.concurrent)
        self._beside = collections.deque(item for item in items if item.concurrent)
        self._host = host
        self._parallel = parallel
        self._reruns = reruns
        self._limit = limit
        self._busy = 0
        self._attempts: collections.Counter[str] = collections.Counter()
        self._running: dict[asyncio.Task[None], Attempt] = {}
        self._wake = asyncio.Event()
        self._reason = ""
        self.exit_request: BaseException | None = None

    async def run(self) -> None:
        """Run all checks, or as many as there is reason to.

        Raises:
            pytest.exit.Exception: A check asked to end the session; everything is cleaned up.
        """
        for queue, slots in ((self._alone, 1), (self._beside, self._parallel)):
            while (queue or self._running) and not self._reason:
                if queue and self._busy < slots and not (queue is self._alone and self._running):
                    self._start(queue.popleft())
                    continue
                self._wake.clear()
                await self._wake.wait()
        await self._drain()
        if self.exit_request is not None:
            raise self.exit_request

    def stop(self, reason: str) -> None:
        """Start no more checks and cancel those whose verdict is not known."""
        if self._reason:
            return
        self._reason = reason
        for task, attempt in self._running.items():
            if not attempt.run.verdict_is_known:
                task.cancel(reason)
        self._wake.set()

    def _start(self, item: ConcurrentItem) -> None:
        self._busy += 1
        freed = False

        def free() -> None:
            nonlocal freed
            if not freed:
                freed = True
                self._busy -= 1
                self._wake.set()

        self._attempts[item.nodeid] += 1
        strict = item.strict_turns and self._parallel == 1
        attempt = Attempt(item, self._host.new_run(item, _nothing if strict else free), self._host.prepare)
        self._host.started(item)
        task = asyncio.get_running_loop().create_task(self._go(attempt), name=item.check_id or item.nodeid)
        self._running[task] = attempt
        task.add_done_callback(lambda _task: free())
        task.add_done_callback(self._done)

    async def _go(self, attempt: Attempt) -> None:
        CURRENT.set(attempt.run)
        await attempt.go()
        again = attempt.worth_another and self._attempts[attempt.item.nodeid] <= self._reruns
        if not again:
            attempt.run.verdict_known()
        await attempt.clean_up()
        CURRENT.set(None)
        if again and attempt.worth_another and not self._reason:
            (self._beside if attempt.item.concurrent else self._alone).appendleft(attempt.item)
            return
        self._settle(attempt)

    def _settle(self, attempt: Attempt) -> None:
        if self._reason and attempt.cancelled and (attempt.errors and _is_cancellation(attempt.errors[0])):
            self._host.cancelled(attempt, self._reason)
            return
        self._host.ending(attempt, self._attempts[attempt.item.nodeid])
        report(attempt)
        for error in attempt.errors:
            if isinstance(error, pytest.exit.Exception):
                self.exit_request = error
                self.stop(f"pytest.exit: {error}")
        if reason := self._host.reason_to_stop():
            self.stop(reason)

    def _done(self, task: asyncio.Task[None]) -> None:
        attempt = self._running.pop(task)
        attempt.run.verdict_known()
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # A hook of pytest or of a plugin failed: that is pytest's internal error.
            self.exit_request = self.exit_request or error
            self.stop(f"internal error: {error}")
        elif task.cancelled():
            self._host.cancelled(attempt, self._reason or "cancelled from outside")

    async def _drain(self) -> None:
        """Wait for every clean-up; cancel those that take too long."""
        if not self._running:
            return
        _, late = await asyncio.wait(list(self._running), timeout=self._limit + GRACE)
        for task in late:
            LOG.warning("the clean-up of %s takes too long and is cancelled", task.get_name())
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=GRACE)


def _is_cancellation(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_cancellation(inner) for inner in error.exceptions)
    return isinstance(error, asyncio.CancelledError)


def _nothing() -> None:
    """Do nothing where a verdict is known and the slot is not free yet."""
