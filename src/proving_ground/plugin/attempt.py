"""One attempt at one concurrent check: set-up, execution, clean-up."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from typing import TYPE_CHECKING, Literal

import pytest
from _pytest import skipping
from _pytest.tmpdir import tmppath_result_key

from proving_ground.errors import ProvingGroundError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from proving_ground.plugin.check_run import CheckRun
    from proving_ground.plugin.items import ConcurrentItem

When = Literal["setup", "call", "teardown"]


class TooLongError(AssertionError):
    """A check, or its clean-up, was not done in its time."""


@dataclasses.dataclass(frozen=True)
class Phase:
    """What one phase came to; times in seconds since the epoch, the duration on the monotonic clock."""

    when: When
    start: float
    stop: float
    duration: float
    error: BaseException | None


class Attempt:
    """Runs one check once; never raises but for KeyboardInterrupt."""

    def __init__(self, item: ConcurrentItem, run: CheckRun, preparation: Callable[[ConcurrentItem], None]) -> None:
        self.item = item
        self.run = run
        self.phases: list[Phase] = []
        self.cancelled = False
        self._preparation = preparation

    @property
    def call_error(self) -> BaseException | None:
        """What the execution raised."""
        return next((phase.error for phase in self.phases if phase.when == "call"), None)

    @property
    def errors(self) -> list[BaseException]:
        """Everything that was raised."""
        return [phase.error for phase in self.phases if phase.error is not None]

    @property
    def worth_another(self) -> bool:
        """Whether an assertion of the check failed, and nothing else did."""
        errors = self.errors
        return (
            not self.cancelled
            and len(errors) == 1
            and errors[0] is self.call_error
            and isinstance(errors[0], AssertionError | pytest.fail.Exception)
            and not isinstance(errors[0], ProvingGroundError | pytest.xfail.Exception)
        )

    async def go(self) -> None:
        """Run all phases; the slot is free as soon as the verdict is known."""
        # pytest's own tmp_path looks there at its end, before any report is made.
        self.item.stash.setdefault(tmppath_result_key, {})
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.item.timeout if self.item.timeout is not None else None
        limit = f"{self.item.timeout:g} s" if self.item.timeout is not None else ""

        async def set_up() -> None:
            self._preparation(self.item)
            evaluate_marks(self.item)
            await self.item.set_up(self.run)

        if await self._phase("setup", set_up, deadline, f"the check was not done after {limit}"):
            await self._phase(
                "call", lambda: self.item.execute(self.run), deadline, f"the check was not done after {limit}"
            )

    async def clean_up(self) -> None:
        """Run the clean-up, for no longer than its limit."""
        limit = self.run.settings.cleanup_limit
        await self._phase(
            "teardown",
            lambda: self.item.tear_down(self.run),
            asyncio.get_running_loop().time() + limit,
            f"the clean-up was not done after {limit:g} s",
        )

    async def _phase(
        self, when: When, action: Callable[[], Awaitable[None]], deadline: float | None, too_long: str
    ) -> bool:
        __tracebackhide__ = True
        start, began = time.time(), time.perf_counter()
        error: BaseException | None = None
        scope = asyncio.timeout_at(deadline)
        try:
            async with scope:
                await action()
        except KeyboardInterrupt:
            raise
        except BaseException as raised:  # noqa: BLE001  # becomes the report of the phase
            error = raised
            if isinstance(raised, TimeoutError) and scope.expired():
                error = TooLongError(too_long).with_traceback(raised.__traceback__)
            elif isinstance(raised, asyncio.CancelledError) and (task := asyncio.current_task()) is not None:
                while task.cancelling():
                    self.cancelled = True
                    task.uncancel()
        self.phases.append(Phase(when, start, time.time(), time.perf_counter() - began, error))
        return error is None


def evaluate_marks(item: pytest.Item) -> None:
    """Do what pytest's skipping plugin does before a test: skip, skipif and xfail marks.

    Its hook cannot be called itself: the same hook sets up the one current item of the process.

    Raises:
        pytest.skip.Exception: The item is to be skipped.
        pytest.xfail.Exception: The item is expected to fail and not to be run.
    """
    if (skipped := skipping.evaluate_skip_marks(item)) is not None:
        raise pytest.skip.Exception(skipped.reason, _use_item_location=True)
    item.stash[skipping.xfailed_key] = xfailed = skipping.evaluate_xfail_marks(item)
    if xfailed and not item.config.option.runxfail and not xfailed.run:
        raise pytest.xfail.Exception("[NOTRUN] " + xfailed.reason, pytrace=False)
