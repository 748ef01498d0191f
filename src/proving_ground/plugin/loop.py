"""The run-test loop: concurrent checks first, in one event loop; then the others, one by one."""

from __future__ import annotations

import asyncio
import itertools
import traceback
from typing import TYPE_CHECKING, Protocol

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

    from proving_ground.contracts.platform import Platform
    from proving_ground.kube import Overrides
    from proving_ground.plugin.attempt import Attempt
    from proving_ground.plugin.check_run import CheckRun, Settings
    from proving_ground.plugin.interruption import Interruption
    from proving_ground.plugin.recorder import EventRecorder


class Session(Protocol):
    """Whom the loop works for: a `Verification`, or a `Guest` of somebody else's project."""

    config: pytest.Config
    recorder: EventRecorder
    unfinished_reason: str
    cancelled: list[str]
    runs: dict[str, CheckRun]
    attempts: dict[str, int]

    @property
    def platform(self) -> Platform:
        """What checks run on."""

    @property
    def settings(self) -> Settings:
        """What holds for every check."""

    @property
    def overrides(self) -> Overrides | None:
        """What goes before the kubeconfigs of the platform."""

    def new_run(self, item: pytest.Item) -> CheckRun:
        """Return the surroundings of an attempt at a check."""

    def prepare(self, item: pytest.Item) -> None:
        """Raise if the check cannot be judged here."""


class ConcurrentLoop:
    """The hooks, and what the scheduler asks of the session.

    Args:
        session: Whom it works for.
        alone: Whether the run-test loop is ours whatever other plugins want; else theirs goes first, and each check
            is run when its turn comes.
    """

    def __init__(self, session: Session, *, alone: bool) -> None:
        self._verification = session
        self._alone = alone
        self._session: pytest.Session | None = None
        self._world: World | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

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
        if not self._alone and _is_led_by_another(session):
            return None
        try:
            self._run(session, checks)
        finally:
            self._close()
        _raise_if_asked(session)
        others = [item for item in session.items if not isinstance(item, ConcurrentItem)]
        for item, following in itertools.zip_longest(others, others[1:]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            _raise_if_asked(session)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run one check where another plugin leads: alone, in the order in which that plugin asks for it."""
        if self._alone or not isinstance(item, ConcurrentItem):
            return None
        try:
            self._run(item.session, [item])
        finally:
            # As after every test: what was set up for others and does not hold for the next one is torn down.
            item.session._setupstate.teardown_exact(nextitem)  # noqa: SLF001  # what pytest's own runner does
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Close what the checks shared."""
        self._close()

    def _run(self, session: pytest.Session, checks: list[ConcurrentItem]) -> None:
        verification = self._verification
        settings = verification.settings
        self._session = session
        if self._loop is None:
            self._world = World(verification.platform, verification.overrides)
            self._loop = asyncio.new_event_loop()
        try:
            with (
                captured_by_check(session.config),
                catch_warnings_for_item(session.config, session.config.hook, "runtest", None),
            ):
                # Made inside the loop's life, before signals may ask it to stop.
                scheduler = Scheduler(
                    checks, self, parallel=settings.parallel, reruns=settings.reruns, limit=settings.cleanup_limit
                )
                with interruptible(self._loop, scheduler.stop) as interruption:
                    self._loop.run_until_complete(scheduler.run())
                    if interruption.signal is not None:
                        # While the second one still ends at once.
                        self._loop.run_until_complete(self._finish())
                _raise_if_interrupted(verification, interruption)
        except KeyboardInterrupt:
            if not verification.unfinished_reason:
                verification.unfinished_reason = "interrupted twice, nothing was cleaned up"
                self._loop.set_exception_handler(lambda _loop, _context: None)
                self._loop = self._world = None
            raise

    def _close(self) -> None:
        """Tear down what the checks shared, and end the event loop."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        try:
            loop.run_until_complete(self._finish())
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    async def _finish(self) -> None:
        world, self._world = self._world, None
        if world is None:
            return
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


def _raise_if_interrupted(session: Session, interruption: Interruption) -> None:
    if interruption.signal is not None:
        session.unfinished_reason = interruption.reason
        raise KeyboardInterrupt(interruption.reason)


def _is_led_by_another(session: pytest.Session) -> bool:
    """Return whether another plugin runs the tests of this session (pytest-xdist's workers, for example)."""
    own = ("_pytest.main", ConcurrentLoop.__module__)
    return any(
        not (impl.hookwrapper or impl.wrapper) and impl.function.__module__ not in own
        for impl in session.config.hook.pytest_runtestloop.get_hookimpls()
    )


def _raise_if_asked(session: pytest.Session) -> None:
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)
