"""Ctrl-C while an event loop runs: the first asks to clean up, the second ends at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator
    from types import FrameType


class Interruption:
    """Whether, and by which signal, the loop was asked to end."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    @property
    def reason(self) -> str:
        """One line for people; empty if there was none."""
        return f"interrupted by {self.signal.name}" if self.signal is not None else ""


@contextlib.contextmanager
def interruptible(loop: asyncio.AbstractEventLoop, stop: Callable[[str], None]) -> Iterator[Interruption]:
    """Let the first SIGINT or SIGTERM call ``stop`` in the loop, and raise KeyboardInterrupt at the second."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        if interruption.signal is not None:
            raise KeyboardInterrupt
        interruption.signal = signal.Signals(number)
        loop.call_soon_threadsafe(stop, interruption.reason)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
