"""Tells pytest and its other plugins about a concurrent check that ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from _pytest._code.code import ExceptionInfo
from _pytest.runner import CallInfo, check_interactive_exception

from proving_ground.plugin.capturing import SECTIONS

if TYPE_CHECKING:
    from proving_ground.plugin.attempt import Attempt


def report(attempt: Attempt) -> None:
    """Fire the hooks of pytest's run-test protocol for one check, in their order, at its end."""
    item, run = attempt.item, attempt.run
    hook = item.ihook
    item.user_properties += [*run.properties.items(), *run.metrics.items()]
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for phase in attempt.phases:
        call: CallInfo[None] = CallInfo(
            result=None,
            excinfo=ExceptionInfo.from_exception(phase.error) if phase.error is not None else None,
            start=phase.start,
            stop=phase.stop,
            duration=phase.duration,
            when=phase.when,
            _ispytest=True,
        )
        made = hook.pytest_runtest_makereport(item=item, call=call)
        if call.excinfo is not None and made.failed and phase.when != "call":
            # pytest asks the item only about the call; an error for people has no use for a traceback elsewhere either
            told = item.repr_failure(call.excinfo)
            made.longrepr = told if isinstance(told, str) else made.longrepr
        made.sections += [
            (title, "".join(run.output[kind])) for kind, title in SECTIONS.items() if run.output.get(kind)
        ]
        hook.pytest_runtest_logreport(report=made)
        if check_interactive_exception(call, made):
            hook.pytest_exception_interact(node=item, call=call, report=made)
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
