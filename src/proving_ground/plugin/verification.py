"""The hooks of a session that verifies a platform: selection, outcomes, the event log."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from _pytest.mark import MarkMatcher
from _pytest.mark.expression import Expression
from _pytest.runner import runtestprotocol

from proving_ground.errors import ConfigurationError, InfrastructureError, ProvingGroundError
from proving_ground.plugin import selection
from proving_ground.plugin.check_run import CheckRun, Settings
from proving_ground.plugin.identity import candidate_of
from proving_ground.plugin.items import ConcurrentItem
from proving_ground.plugin.judgement import Judgement, first_line, judge, message_of

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from _pytest.terminal import TerminalReporter

    from proving_ground.contracts.platform import Platform
    from proving_ground.plugin.recorder import EventRecorder

JUDGEMENT = "proving_ground_judgement"
ASSERTION = "proving_ground_assertion"
DEFAULT_PARALLEL = 4


class Verification:
    """State and hooks of one session."""

    def __init__(self, config: pytest.Config, platform: Platform, settings: Settings, recorder: EventRecorder) -> None:
        self.config = config
        self.platform = platform
        self.settings = settings
        self.recorder = recorder
        self.unfinished_reason = ""
        self.cancelled: list[str] = []
        self.runs: dict[str, CheckRun] = {}
        self.attempts: dict[str, int] = {}
        self.durations: dict[str, float] = {}
        self.overrides = None
        self._judgements: dict[str, list[Judgement]] = {}
        self._deselected: list[pytest.Item] = []
        self._deselecting = False

    # Selection

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Remember what others left out."""
        if not self._deselecting:
            self._deselected += items

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Check ids and stage marks of everything collected, and leave out what the platform does not promise."""
        try:
            candidates = {item: candidate_of(item) for item in [*items, *self._deselected]}
            selection.validate(list(candidates.values()))
        except ConfigurationError as error:
            self.recorder.trouble(str(error), configuration=True)
            raise pytest.UsageError(str(error)) from error
        for item in self._deselected:
            self.recorder.not_selected(selection.Rejection(candidates[item], self._why_deselected(item)))
        rejected = []
        for item in items:
            rejection = selection.reject(candidates[item], self.platform)
            if rejection is not None:
                self.recorder.not_selected(rejection)
                rejected.append(item)
        if rejected:
            gone = set(rejected)
            items[:] = [item for item in items if item not in gone]
            self._deselecting = True
            self.config.hook.pytest_deselected(items=rejected)
            self._deselecting = False
        if not self.settings.parallel:
            declared = {c.declared.name: c.declared.parallel for c in candidates.values() if c.declared is not None}
            self.settings = dataclasses.replace(
                self.settings, parallel=min(declared.values()) if declared else DEFAULT_PARALLEL
            )

    def _why_deselected(self, item: pytest.Item) -> selection.Reason:
        text = self.config.option.markexpr
        if text and not Expression.compile(text).evaluate(MarkMatcher.from_markers(item.iter_markers())):
            return "mark"
        return "option"

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Tell the event log what was selected, before anything runs."""
        for item in session.items:
            self.recorder.collected(candidate_of(item))

    # One check

    def new_run(self, item: pytest.Item) -> CheckRun:
        """Return the surroundings of an attempt at a check."""
        run = CheckRun(
            check_id=candidate_of(item).check, platform=self.platform, settings=self.settings, recorder=self.recorder
        )
        self.runs[item.nodeid] = run
        return run

    def prepare(self, item: pytest.Item) -> None:
        """Refuse to judge a check whose capability was promised but is not there.

        Raises:
            InfrastructureError: Naming the capability.
        """
        missing = selection.absent(candidate_of(item), self.platform)
        if missing:
            raise InfrastructureError(
                f"capability {', '.join(missing)} is promised by inventory {self.platform.inventory!r} but not present",
                where=candidate_of(item).check,
                hint="see what create, provision and deploy said",
            )

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a synchronous check as pytest does, again where an assertion failed and ``--reruns`` says so."""
        if isinstance(item, ConcurrentItem):
            return None
        self.new_run(item)
        self.recorder.started(candidate_of(item).check)
        if not self.settings.reruns or self.config.pluginmanager.hasplugin("rerunfailures"):
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for attempt in range(1, self.settings.reruns + 2):
            self.attempts[item.nodeid] = attempt
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
            bad = [report for report in reports if report.outcome == "failed"]
            assertion_only = len(bad) == 1 and bad[0].when == "call" and _judgement(bad[0]).outcome == "failed"
            if not assertion_only or not getattr(bad[0], ASSERTION, False):
                break
            if attempt <= self.settings.reruns:
                self.new_run(item)
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Refuse a synchronous check whose capability is absent."""
        self.prepare(item)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Judge the report; a skip that is not allowed becomes an error."""
        report = yield
        error = call.excinfo.value if call.excinfo is not None else None
        judgement = judge(report, error, self.settings.allowed_skips)
        if judgement.outcome == "error" and report.outcome == "skipped":
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: {judgement.message}"
            judgement = dataclasses.replace(judgement, detail=report.longreprtext)
            if hasattr(report, "wasxfail"):
                del report.wasxfail
        if isinstance(error, ProvingGroundError) and not isinstance(item, ConcurrentItem):
            report.longrepr = "\n".join([str(error), *getattr(error, "__notes__", [])])
            judgement = dataclasses.replace(judgement, detail=report.longreprtext)
        setattr(report, JUDGEMENT, judgement)
        setattr(report, ASSERTION, isinstance(error, AssertionError | pytest.fail.Exception))
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Show an error of the execution as an error rather than as a failure."""
        if report.when == "call" and report.failed and _judgement(report).outcome == "error":
            return "error", "E", "ERROR"
        return None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what one phase came to."""
        self._judgements.setdefault(report.nodeid, []).append(_judgement(report))
        self.durations[report.nodeid] = self.durations.get(report.nodeid, 0.0) + report.duration

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Tell the event log the check's one outcome."""
        run = self.runs.pop(nodeid, None)
        judgements = self._judgements.pop(nodeid, [])
        if run is not None and judgements:
            self.recorder.ended(
                run.check_id,
                judgements,
                run=run,
                duration=self.durations.pop(nodeid, None),
                attempts=self.attempts.pop(nodeid, 1),
            )

    # The session

    def pytest_exception_interact(self, node: pytest.Item | pytest.Collector, call: pytest.CallInfo[object]) -> None:
        """Remember why collection failed."""
        if isinstance(node, pytest.Collector) and call.excinfo is not None:
            error = call.excinfo.value
            where = "" if isinstance(error, ProvingGroundError) else f"{node.nodeid}: "
            text = message_of(error)
            if isinstance(error, pytest.Collector.CollectError):
                lines = [line[1:].strip() for line in str(error).splitlines() if line.startswith("E ")]
                text = lines[-1] if lines else first_line(str(error))
            configuration = isinstance(error, ConfigurationError | pytest.UsageError)
            self.recorder.trouble(where + text, configuration=configuration)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember why the rest did not run."""
        if not self.unfinished_reason:
            self.unfinished_reason = (
                "interrupted" if isinstance(excinfo.value, KeyboardInterrupt) else first_line(str(excinfo.value))
            )

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember that pytest itself broke."""
        self.recorder.trouble(f"internal error: {message_of(excinfo.value)}", configuration=False)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """End what is open, and the event log."""
        if self.config.option.collectonly:
            self.recorder.open.clear()
        reason = (
            self.unfinished_reason
            or self.recorder.problem
            or str(session.shouldfail or session.shouldstop or "the session ended")
        )
        self.recorder.finish(int(exitstatus), reason)

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Say what did not get its turn."""
        if self.cancelled:
            terminalreporter.write_line(f"cancelled before a verdict: {', '.join(self.cancelled)}")

    def pytest_report_header(self) -> list[str]:
        """Name the platform."""
        fault = f", fault {self.settings.fault}" if self.settings.fault else ""
        return [f"platform: {self.platform.inventory} (run {self.platform.run_id}){fault}"]


def _judgement(report: pytest.TestReport) -> Judgement:
    made = getattr(report, JUDGEMENT, None)
    if made is None:
        made = judge(report, None, ())
    return made if isinstance(made, Judgement) else Judgement("error", "no judgement")
