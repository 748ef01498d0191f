"""Logs of containers: kept in memory for the API's log requests, and on disk for what comes after."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

LINES_KEPT = 2000
LINE_BYTES = 16 * 1024
"""The kubelet splits longer lines as well."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that a container wrote."""

    number: int
    when: dt.datetime
    text: str

    def render(self, *, timestamps: bool) -> bytes:
        """Return the line as the API gives it, with its newline."""
        if timestamps:
            stamp = self.when.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
            return f"{stamp} {self.text}\n".encode()
        return f"{self.text}\n".encode()


@dataclass(frozen=True, slots=True)
class LogRequest:
    """What a reader wants of a log (the API's PodLogOptions)."""

    follow: bool = False
    tail: int | None = None
    timestamps: bool = False
    since: dt.datetime | None = None
    limit_bytes: int | None = None


class ContainerLog:
    """The log of one run of a container.

    Args:
        path: File that gets the lines too; None keeps them in memory only.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._lines: deque[Line] = deque(maxlen=LINES_KEPT)
        self._written = 0
        self._closed = False
        self._path = path
        self._more: asyncio.Event | None = None

    def write(self, text: str) -> None:
        """Append text, one or more lines of it."""
        now = dt.datetime.now(tz=dt.UTC)
        new = [Line(self._written + i, now, part[:LINE_BYTES]) for i, part in enumerate(text.splitlines() or [""])]
        self._written += len(new)
        self._lines.extend(new)
        if self._path is not None:
            # A log that cannot be written must not stop the pod: the lines are still in memory.
            with contextlib.suppress(OSError), self._path.open("ab") as file:
                file.write(b"".join(line.render(timestamps=True) for line in new))
        self._wake()

    def close(self) -> None:
        """End the log: those who follow it are told."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._more is not None:
            self._more.set()
            self._more = None

    def _after(self, number: int) -> list[Line]:
        return [line for line in self._lines if line.number >= number]

    def select(self, request: LogRequest) -> Iterator[Line]:
        """Give the lines that are there and that a request wants."""
        lines = [line for line in self._lines if request.since is None or line.when >= request.since]
        if request.tail is not None:
            lines = lines[len(lines) - min(request.tail, len(lines)) :]
        yield from lines

    async def read(self, request: LogRequest) -> AsyncIterator[bytes]:
        """Give what a request wants, chunk by chunk; ends when the log does where it follows."""
        left = request.limit_bytes
        next_number = self._written
        chunk = b"".join(line.render(timestamps=request.timestamps) for line in self.select(request))
        while True:
            if left is not None:
                chunk, left = chunk[:left], left - len(chunk[:left])
            if chunk:
                yield chunk
            if not request.follow or left == 0:
                return
            if self._written == next_number:
                if self._closed:
                    return
                if self._more is None:
                    self._more = asyncio.Event()
                await self._more.wait()
            lines = self._after(next_number)
            next_number = self._written
            chunk = b"".join(line.render(timestamps=request.timestamps) for line in lines)


class PodLog:
    """The logs of a pod's containers, with the last run before the present one.

    Args:
        directory: Folder for the files; None keeps all in memory.
        prefix: What the names of this pod's files begin with.
        containers: Names of the containers.
    """

    def __init__(self, directory: Path | None, prefix: str, containers: tuple[str, ...]) -> None:
        self._prefix = prefix
        self._directory = directory
        self._names = containers
        self._now: dict[str, ContainerLog] = {}
        self._before: dict[str, ContainerLog] = {}

    @property
    def containers(self) -> tuple[str, ...]:
        """Names of the containers."""
        return self._names

    def start(self, run: int) -> None:
        """Begin the logs of a run."""
        self.close()
        self._before, self._now = self._now, {}
        for name in self._names:
            path = None
            if self._directory is not None:
                path = self._directory / f"{self._prefix}_{name}.{run}.log"
            self._now[name] = ContainerLog(path)

    def write(self, text: str) -> None:
        """Append to the first container's log."""
        if self._names and self._names[0] in self._now:
            self._now[self._names[0]].write(text)

    def close(self) -> None:
        """End the logs of the present run."""
        for log in self._now.values():
            log.close()

    def of(self, container: str, *, previous: bool = False) -> ContainerLog | None:
        """Return the log of a container's present or previous run, or None if there is none."""
        return (self._before if previous else self._now).get(container)
