"""What `proving-ground chainsaw test` shows: a line for each test as it ends, failures at the end, a summary."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from proving_ground.errors import ExitCode
from proving_ground.plugin.guest import ERROR, guest_of
from proving_ground.plugin.skipping import NOT_STARTED

if TYPE_CHECKING:
    import pytest

_COLOURS = {"passed": "32", "failed": "31", "error": "31", "skipped": "33"}
_WIDTH = 7  # of the longest outcome


@dataclass(frozen=True)
class Ended:
    """How a test ended.

    Attributes:
        nodeid: Which.
        outcome: ``passed``, ``failed``, ``error`` or ``skipped``.
        cause: ``infrastructure`` or ``configuration`` where it could not be judged.
        seconds: All of it.
        started: Seconds since the epoch.
        message: Why it did not pass.
    """

    nodeid: str
    outcome: str
    cause: str
    seconds: float
    started: float
    message: str


class Screen:
    """A pytest plugin in the place of pytest's own terminal reporter.

    Args:
        out: Where it writes.
        colour: Whether with colours.
        quiet: Whether only failures and the summary.
    """

    def __init__(self, out: TextIO, *, colour: bool, quiet: bool = False) -> None:
        self._out = out
        self._colour = colour
        self._quiet = quiet
        self._began = time.monotonic()
        self._reports: dict[str, list[pytest.TestReport]] = {}
        self.ended: list[Ended] = []
        self.refused: list[str] = []
        self.problems: list[str] = []
        self.selected = 0
        self.interrupted = False

    def line(self, text: str = "") -> None:
        """Write a line."""
        self._out.write(text + "\n")
        self._out.flush()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep why a file cannot be run."""
        if report.failed:
            self.refused.append(str(report.longrepr))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Say what is going to run."""
        self.selected = len(session.items)
        guest = guest_of(session.config)
        if self.selected and guest is not None and not self.refused and not self._quiet:
            where = "without a cluster"
            if not guest.chainsaw.choices.no_cluster:
                cluster = guest.platform.clusters.get("default")
                where = f"on the cluster of {cluster.kubeconfig}" if cluster is not None else "on no cluster"
            self.line(f"{_plural(self.selected, 'test')}, {guest.settings.parallel} at once, {where}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a phase came to."""
        self._reports.setdefault(report.nodeid, []).append(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Say how a test ended."""
        ended = _judged(nodeid, self._reports.pop(nodeid, []))
        self.ended.append(ended)
        if not self._quiet and NOT_STARTED not in ended.message:
            outcome = self._coloured(f"{ended.outcome:<{_WIDTH}}", ended.outcome)
            file, _, name = nodeid.partition("::")
            folder = file.rpartition("/")[0] or "."
            why = f": {_first_line(ended.message)}" if ended.outcome == "skipped" else ""
            self.line(f"{outcome} {ended.seconds:6.1f} s  {name}  ({folder}){why}")

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember that somebody ended the run."""
        # pytest ends a session that it does not begin (a file cannot be run, -x) in the same way.
        self.interrupted = type(excinfo.value) is KeyboardInterrupt

    def pytest_internalerror(self, excrepr: object) -> bool:
        """Keep what broke."""
        self.problems.append(f"internal error: {excrepr}")
        return True

    def summary(self, cancelled: list[str], hint: str) -> None:
        """Write the failures and the summary.

        Args:
            cancelled: Tests that were cancelled before their verdict.
            hint: What to do where nothing was selected.
        """
        for text in self.refused:
            self.line(self._coloured("refused ", "error") + text)
        for ended in self.ended:
            if ended.outcome in {"failed", "error"}:
                self.line()
                self.line(self._coloured(f"{ended.outcome} {ended.nodeid}", ended.outcome))
                self.line(ended.message.rstrip())
        for text in self.problems:
            self.line(self._coloured("problem ", "error") + text)
        if cancelled:
            self.line(f"cancelled, and cleaned up: {', '.join(cancelled)}")
        if self.refused:
            self.line(f"nothing was run: {_plural(len(self.refused), 'file')} cannot be")
            return
        if not self.selected:
            self.line("no test was selected" + (f" ({hint})" if hint else ""))
            return
        counts = Counter(ended.outcome for ended in self.ended)
        words = [f"{counts[outcome]} {outcome}" for outcome in _COLOURS if counts[outcome]]
        missing = self.selected - len(self.ended) - len(cancelled)
        words += [f"{missing} not started"] * bool(missing) + ["interrupted"] * self.interrupted
        worst = next((o for o in ("error", "failed", "passed", "skipped") if counts[o]), "passed")
        took = time.monotonic() - self._began
        self.line()
        self.line(self._coloured(f"{', '.join(words) or 'nothing ran'} in {took:.1f} s", worst))

    def exit_code(self) -> ExitCode:
        """Return the exit code of the run: the first cause decides."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        if self.refused or (not self.selected and not self.problems):
            return ExitCode.CONFIGURATION
        for ended in self.ended:
            if ended.outcome == "failed":
                return ExitCode.FAILED
            if ended.outcome == "error":
                return ExitCode.CONFIGURATION if ended.cause == "configuration" else ExitCode.INFRASTRUCTURE
        return ExitCode.INFRASTRUCTURE if self.problems else ExitCode.PASSED

    def _coloured(self, text: str, outcome: str) -> str:
        return f"\033[{_COLOURS[outcome]}m{text}\033[0m" if self._colour else text


def _judged(nodeid: str, reports: list[pytest.TestReport]) -> Ended:
    """Return how a test ended: what went wrong first decides, the rest is told, too."""
    bad = [report for report in reports if report.failed]
    outcome, cause = "passed", ""
    if bad:
        cause = str(getattr(bad[0], ERROR, "" if _is_failure(bad[0]) else "infrastructure"))
        outcome = "error" if cause else "failed"
    elif any(report.skipped for report in reports):
        outcome = "skipped"
    texts = [_text(report) for report in bad or reports if report.failed or report.skipped]
    return Ended(
        nodeid=nodeid,
        outcome=outcome,
        cause=cause,
        seconds=sum(report.duration for report in reports),
        started=min((report.start for report in reports), default=0.0),
        message="\n\n".join(filter(None, texts)),
    )


def _is_failure(report: pytest.TestReport) -> bool:
    """Return whether the test failed: its verdict, or something that it left behind."""
    return report.when == "call" or (report.when == "teardown" and "left behind" in str(report.longrepr))


def _text(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):  # a skip: file, line, reason
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(report.longrepr or "")


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else ""


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
