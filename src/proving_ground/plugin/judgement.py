"""From pytest's reports of a check to its one outcome."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from proving_ground.errors import InfrastructureError, ProvingGroundError
from proving_ground.plugin.skipping import ALWAYS_ALLOWED, CodedSkip

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from proving_ground.contracts.events import Outcome

EXPECTED_FAILURE = "expected-failure"


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What one phase of a check (set-up, call, teardown) came to."""

    outcome: Outcome
    message: str = ""
    detail: str = ""
    reason_code: str = ""
    infrastructure: bool = False


def first_line(text: str) -> str:
    """Return the first line that is not blank, without surrounding space."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def message_of(error: BaseException) -> str:
    """Return one line for people: the message, or the class's name where it says nothing."""
    text = first_line(str(error))
    if isinstance(error, AssertionError | ProvingGroundError | pytest.fail.Exception):
        return text or type(error).__name__
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def skip_problem(error: BaseException, allowed: Collection[str]) -> str:
    """Return why a skip is an error, or nothing if it is allowed."""
    if not isinstance(error, CodedSkip):
        return "skipped without a reason code (use proving_ground.plugin.skip(code, text))"
    if error.code not in ALWAYS_ALLOWED and error.code not in allowed:
        return f"skipped for {error.code!r}, which this stage does not allow: {error.text}"
    return ""


def judge(  # noqa: PLR0911  # one return for each case
    report: pytest.TestReport, error: BaseException | None, allowed: Collection[str]
) -> Judgement:
    """Return what one report says; a skip that is not allowed is an error.

    Args:
        report: As pytest and its plugins made it.
        error: The exception of the phase.
        allowed: Reason codes of skips that are not errors.
    """
    if hasattr(report, "wasxfail"):
        if report.outcome == "skipped":
            reason = report.wasxfail or "expected to fail"
            if EXPECTED_FAILURE in allowed:
                return Judgement("skipped", reason, reason_code=EXPECTED_FAILURE)
            problem = (
                f"failed as expected, which is a skip that this stage does not allow ({EXPECTED_FAILURE}): {reason}"
            )
            return Judgement("error", problem, report.longreprtext)
        return Judgement("passed", report.wasxfail)
    if report.outcome == "passed":
        return Judgement("passed")
    if report.outcome == "skipped":
        problem = skip_problem(error, allowed) if error is not None else "skipped without a reason code"
        if problem or not isinstance(error, CodedSkip):
            return Judgement("error", problem, report.longreprtext)
        return Judgement("skipped", error.text, reason_code=error.code)
    message = message_of(error) if error is not None else first_line(report.longreprtext)
    infrastructure = isinstance(error, InfrastructureError)
    is_failure = isinstance(error, AssertionError | pytest.fail.Exception) or error is None
    if isinstance(error, ProvingGroundError) or (
        report.when != "call" and not (is_failure and report.when == "teardown")
    ):
        return Judgement("error", message, report.longreprtext, infrastructure=infrastructure)
    return Judgement("failed", message, report.longreprtext)


def combine(judgements: Sequence[Judgement]) -> Judgement:
    """Return the check's one judgement: the first failure or error decides, then a skip, else it passed."""
    for wanted in (("failed", "error"), ("skipped",)):
        for judgement in judgements:
            if judgement.outcome in wanted:
                others = [j for j in judgements if j is not judgement and j.outcome in ("failed", "error")]
                if others:
                    detail = "\n".join([judgement.detail, *(f"also: {j.message}\n{j.detail}" for j in others)])
                    return dataclasses.replace(judgement, detail=detail)
                return judgement
    return Judgement("passed")
