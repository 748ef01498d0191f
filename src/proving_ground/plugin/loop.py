"""The run-test loop: concurrent checks first, in one event loop; then the others, one by one."""

from __future__ import annotations

import asyncio
import itertools
import traceback
from typing import TYPE_CHECKING

import pytest
from _pytest.warnings import catch_warnings_for_item

from proving_ground.plugin.capturing import captured_by_check
from proving_ground.plugin.interruption import interruptible
from proving_ground.plugin.items import ConcurrentItem
from proving_ground.plugin.judgement import Judgement, message_of
from proving_ground.plugin.scheduler import GRACE, Scheduler
from proving_ground.plugin.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from proving_ground.plugin.attempt import Attempt
    from proving_ground.plugin.check_run import CheckRun
    from proving_ground.plugin.verification import Verification


class ConcurrentLoop:
    """The hook, and what the scheduler asks of the session."""

    def __init__(self, verification: Verification) -> None:
        self._verification = verification
        self._session: pytest.Session | None = None
        self._world: World | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run the session where it has concurrent checks; else leave it to pytest.

        Raises:
            KeyboardInterrupt: A signal asked to end; everything is cleaned up.
        """
        checks = [item for item in session.items if isinstance(item, ConcurrentItem)]
        collection_failed = session.testsfailed and not session.config.option.continue_on_collection_errors
        if not checks or collection_failed or session.config.option.collectonly:
            return None
        self._session = session
        self._run(session, checks)
        _raise_if_asked(session)
        others = [item for item in session.items if not isinstance(item, ConcurrentItem)]
        for item, following in itertools.zip_longest(others, others[1:]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            _raise_if_asked(session)
        return True

    def _run(self, session: pytest.Session, checks: list[ConcurrentItem]) -> None:
        verification = self._verification
        settings = verification.settings
        self._world = World(verification.platform)
        loop = asyncio.new_event_loop()
        at_once = False
        try:
            with (
                captured_by_check(session.config),
                catch_warnings_for_item(session.config, session.config.hook, "runtest", None),
            ):
                # Made inside the loop's life, before signals may ask it to stop.
                scheduler = Scheduler(
                    checks, self, parallel=settings.parallel, reruns=settings.reruns, limit=settings.cleanup_limit
                )
                with interruptible(loop, scheduler.stop) as interruption:
                    try:
                        loop.run_until_complete(self._all(scheduler, self._world))
                    except KeyboardInterrupt:
                        at_once = True
                        raise
                if interruption.signal is not None:
                    verification.unfinished_reason = interruption.reason
                    raise KeyboardInterrupt(interruption.reason)
        finally:
            if at_once:
                verification.unfinished_reason = "interrupted twice, nothing was cleaned up"
                loop.set_exception_handler(lambda _loop, _context: None)
            else:
                loop.run_until_complete(loop.shutdown_asyncgens())
                loop.close()

    async def _all(self, scheduler: Scheduler, world: World) -> None:
        try:
            await scheduler.run()
        finally:
            try:
                async with asyncio.timeout(self._verification.settings.cleanup_limit + GRACE):
                    await world.finish()
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001  # fails the session below, the checks have their verdicts
                self._shared_tear_down_failed(error)

    def _shared_tear_down_failed(self, error: BaseException) -> None:
        problem = f"what the checks shared could not be torn down: {message_of(error)}"
        self._verification.recorder.trouble(problem, configuration=False)
        reporter = self._verification.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.section(problem, red=True)
            reporter.write_line("".join(traceback.format_exception(error)))
        if self._session is not None:
            self._session.testsfailed += 1

    # What the scheduler asks

    def new_run(self, item: ConcurrentItem, on_verdict: Callable[[], None]) -> CheckRun:
        """Return the surroundings of one attempt."""
        run = self._verification.new_run(item)
        run.shared = self._world
        run.on_verdict = on_verdict
        return run

    def prepare(self, item: ConcurrentItem) -> None:
        """Raise if the check cannot be judged here."""
        self._verification.prepare(item)

    def started(self, item: ConcurrentItem) -> None:
        """A check begins."""
        self._verification.recorder.started(item.check_id)

    def ending(self, attempt: Attempt, attempts: int) -> None:
        """A check is about to be reported."""
        self._verification.attempts[attempt.item.nodeid] = attempts

    def cancelled(self, attempt: Attempt, reason: str) -> None:
        """Tell the event log only: pytest, too, reports nothing for a test that it breaks off."""
        judgements = [Judgement("error", f"cancelled: {reason}")]
        judgements += [
            Judgement("error", message_of(error), "".join(traceback.format_exception(error)))
            for error in attempt.errors[1:]
        ]
        self._verification.runs.pop(attempt.item.nodeid, None)
        self._verification.recorder.ended(attempt.run.check_id, judgements, run=attempt.run)
        self._verification.cancelled.append(attempt.run.check_id)

    def reason_to_stop(self) -> str:
        """Return why no more checks are to be started; empty: go on."""
        session = self._session
        return str(session.shouldfail or session.shouldstop or "") if session is not None else ""


def _raise_if_asked(session: pytest.Session) -> None:
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)
