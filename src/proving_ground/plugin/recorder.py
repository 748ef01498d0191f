"""What happened to each check, told to the event log: every collected check ends exactly once."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from proving_ground.contracts import events
from proving_ground.plugin.judgement import Judgement, combine
from proving_ground.plugin.skipping import NOT_STARTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proving_ground.plugin.check_run import CheckRun
    from proving_ground.plugin.event_log import EventLog
    from proving_ground.plugin.selection import Candidate, Rejection


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class EventRecorder:
    """Turns what happens into events, and knows which checks are still open."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.started_at: dict[str, dt.datetime] = {}
        self.open: dict[str, None] = {}
        self.problem = ""
        self.problem_is_configuration = False

    def collected(self, candidate: Candidate) -> None:
        """A check was selected."""
        self.open[candidate.check] = None
        self.log.write(
            events.Collected(
                time=_now(),
                check=candidate.check,
                suite=candidate.suite,
                nodeid=candidate.nodeid,
                marks=list(candidate.marks),
                description=candidate.description,
                parameters=dict(candidate.parameters),
            )
        )

    def not_selected(self, rejection: Rejection) -> None:
        """A check exists and was not selected."""
        self.log.write(
            events.NotSelected(
                time=_now(),
                check=rejection.candidate.check,
                suite=rejection.candidate.suite,
                reason=rejection.reason,
                detail=rejection.detail,
            )
        )

    def started(self, check: str) -> None:
        """A check began; a second attempt does not begin it again."""
        if check in self.open and check not in self.started_at:
            self.started_at[check] = _now()
            self.log.write(events.Started(time=self.started_at[check], check=check))

    def ended(
        self,
        check: str,
        judgements: Sequence[Judgement],
        *,
        run: CheckRun | None = None,
        duration: float | None = None,
        attempts: int = 1,
    ) -> None:
        """A check ended; a check that is not open is ignored, so that none ends twice."""
        if check not in self.open:
            return
        del self.open[check]
        now = _now()
        if duration is None:
            began = self.started_at.get(check)
            duration = (now - began).total_seconds() if began is not None else 0.0
        whole = combine(judgements)
        self.log.write(
            events.Ended(
                time=now,
                check=check,
                outcome=whole.outcome,
                duration=max(duration, 0.0),
                message=whole.message,
                detail=whole.detail,
                reason_code=whole.reason_code,
                infrastructure=whole.infrastructure,
                metrics=dict(run.metrics) if run else {},
                properties=dict(run.properties) if run else {},
                attachments=list(run.attachments) if run else [],
                plots=list(run.plots) if run else [],
                attempts=attempts,
            )
        )

    def note(self, kind: str, subject: str, detail: str, check: str) -> None:
        """Something happened that belongs on the timeline."""
        self.log.write(events.Noted(time=_now(), kind=kind, subject=subject, detail=detail, check=check))

    def mask(self, value: str) -> None:
        """Never write this value again."""
        self.log.masking.add(value)

    def trouble(self, problem: str, *, configuration: bool) -> None:
        """Remember why the process could not do its work; the first one counts."""
        if not self.problem:
            self.problem = problem
            self.problem_is_configuration = configuration

    def finish(self, exit_status: int, reason: str) -> None:
        """End what is still open (started: error; not started: skipped), and the log."""
        for check in list(self.open):
            if check in self.started_at:
                self.ended(check, [Judgement("error", f"cancelled: {reason}")])
            else:
                self.ended(check, [Judgement("skipped", f"not started: {reason}", reason_code=NOT_STARTED)])
        self.log.write(
            events.Finished(
                time=_now(),
                exit_status=exit_status,
                problem=self.problem,
                configuration=self.problem_is_configuration,
            )
        )
        self.log.close()
