"""One process at a time works on a place of the cache."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING

from proving_ground.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_POLL_SECONDS = 0.1


@contextlib.contextmanager
def held(path: Path, *, say: Callable[[str], None], seconds: float = 1800.0) -> Iterator[None]:
    """Hold the lock of a file, which is made where it is absent; it ends with the process in every case.

    Args:
        path: The file; its content is the id of the process that holds it.
        say: Told, once, which process is waited for.
        seconds: How long that is waited for.

    Raises:
        InfrastructureError: The file cannot be written, or its holder did not end in time.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InfrastructureError(
            f"the cache cannot be written: {error.strerror}",
            where=str(path.parent),
            hint="make it writable, or name another directory in PROVING_GROUND_CACHE",
        ) from error
    try:
        _wait(lock, path, say, time.monotonic() + seconds)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(lock)


def _wait(lock: int, path: Path, say: Callable[[str], None], deadline: float) -> None:
    told = False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
        else:
            return
        if not told:
            say(f"waiting for process {holder}, which works on {path.stem}")
            told = True
        if time.monotonic() > deadline:
            raise InfrastructureError(
                f"another process ({holder}) still works on it", where=str(path), hint="wait for it to end, or end it"
            )
        time.sleep(_POLL_SECONDS)
