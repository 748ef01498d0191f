"""What a person sees while a run goes on: phases with elapsed time, the current step, checks as they end."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_COLOURS = {
    "passed": "green",
    "ok": "green",
    "failed": "bold red",
    "error": "bold red",
    "skipped": "yellow",
    "interrupted": "yellow",
    "timed_out": "bold red",
}
_TAIL_INTERVAL = 0.1


def duration(seconds: float) -> str:
    """Return a duration for people: 0.4s, 12s, 3m07s."""
    if seconds < 10:  # noqa: PLR2004 - where a tenth stops mattering
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


class Terminal(Console):
    """A console whose reader may go away (`... | head`): the run goes on, and destroys at its end."""

    def on_broken_pipe(self) -> None:
        """Write nothing any more, where rich would end the process."""
        self.quiet = True
        # As Python's documentation of SIGPIPE has it, so that no later flush fails.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Progress:
    """Lines on standard output; on a terminal with a status line below them.

    Args:
        console: Where to write; standard output if absent.
        verbose: Also write steps as lines where there is no terminal.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Terminal(highlight=False, soft_wrap=True)
        self._status = self.console.status("") if self.console.is_terminal else None
        self._phase = ""
        self._since = time.monotonic()

    def line(self, text: str) -> None:
        """Write one line."""
        with contextlib.suppress(OSError):
            self.console.print(escape(text))

    def ended(self, what: str, outcome: str, seconds: float, detail: str = "") -> None:
        """Write the line of something that ended."""
        colour = _COLOURS.get(outcome, "default")
        tail = f"  {escape(detail)}" if detail else ""
        with contextlib.suppress(OSError):
            self.console.print(f"  [{colour}]{outcome:<11}[/]  {duration(seconds):>7}  {escape(what)}{tail}")

    def step(self, text: str, *, lasting: bool = False) -> None:
        """Show what is being done now; a lasting step is a line of its own where there is no terminal.

        Args:
            text: What is being done.
            lasting: Whether it is worth a line in a log, as a build of minutes is.
        """
        if self._status is not None:
            elapsed = duration(time.monotonic() - self._since)
            self._status.update(escape(f"{self._phase} {elapsed}  {text}"[: self.console.width - 4]))
        if lasting:
            self.line(f"    {text}")

    @contextlib.contextmanager
    def phase(self, name: str, progress_file: Path | None = None) -> Iterator[None]:
        """Show a phase while the block runs, with the lines that a file gains meanwhile."""
        self._phase, self._since = name, time.monotonic()
        done = threading.Event()
        tail = threading.Thread(target=self._tail, args=(progress_file, done), daemon=True)
        if self._status is not None:
            self._status.update(name)
            self._status.start()
        tail.start()
        try:
            yield
        finally:
            done.set()
            tail.join()
            if self._status is not None:
                self._status.stop()

    def _tail(self, path: Path | None, done: threading.Event) -> None:
        position = path.stat().st_size if path is not None and path.exists() else 0
        finished = False
        while not finished:
            finished = done.wait(_TAIL_INTERVAL)
            if path is None or not path.exists():
                continue
            with path.open("r", encoding="utf-8", errors="replace") as stream:
                stream.seek(position)
                for text in stream:
                    self.step(text.strip(), lasting=True)
                position = stream.tell()
