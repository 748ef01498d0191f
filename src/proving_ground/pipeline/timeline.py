"""timeline.jsonl of a run, written as things happen."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from typing import TYPE_CHECKING

from proving_ground.contracts.timeline import Entry

if TYPE_CHECKING:
    from pathlib import Path


class Timeline:
    """Appends entries; a full disk loses the entry, never the run.

    Args:
        path: File to append to.
        started: Start of the run, the zero of ``elapsed``.
    """

    def __init__(self, path: Path, started: dt.datetime) -> None:
        self._path = path
        self._started = started
        self._lock = threading.Lock()

    def add(
        self,
        kind: str,
        subject: str,
        event: str,
        *,
        outcome: str = "",
        detail: str = "",
        at: dt.datetime | None = None,
    ) -> None:
        """Append one entry, at the given time or now."""
        time = at or dt.datetime.now(dt.UTC)
        entry = Entry(
            time=time,
            elapsed=round((time - self._started).total_seconds(), 3),
            kind=kind,
            subject=subject,
            event=event,
            outcome=outcome,
            detail=detail,
        )
        with self._lock, contextlib.suppress(OSError), self._path.open("a", encoding="utf-8") as stream:
            stream.write(entry.model_dump_json() + "\n")
