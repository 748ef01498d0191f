"""Why a run has to stop early: an interrupt, or a time budget that ran out."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

Reason = Literal["interrupted", "budget"]


class Stopping:
    """Asked by everything that takes time; says whether, and why, to stop.

    Args:
        budget: Seconds from now until the budget has run out.
    """

    def __init__(self, budget: float) -> None:
        self.deadline = time.monotonic() + budget
        self.interrupted = False
        self._shielded = False

    @property
    def reason(self) -> Reason | None:
        """Why to stop now; None to go on."""
        if self._shielded:
            return None
        if self.interrupted:
            return "interrupted"
        return "budget" if time.monotonic() >= self.deadline else None

    @contextlib.contextmanager
    def shielded(self) -> Iterator[None]:
        """Let what is inside finish: report and destroy happen whatever was asked."""
        self._shielded = True
        try:
            yield
        finally:
            self._shielded = False

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Turn SIGINT, SIGTERM and SIGHUP into a request to stop, for the time of the block."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._asked) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _asked(self, _number: int, _frame: FrameType | None) -> None:
        again = self.interrupted
        self.interrupted = True
        line = "still cleaning up, please wait" if again or self._shielded else "interrupted: cleaning up"
        # os.write, because a signal may arrive in the middle of a buffered print.
        with contextlib.suppress(OSError):
            os.write(sys.stderr.fileno(), f"\n{line}\n".encode())
