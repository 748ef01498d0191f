# Copyright: Proving Ground contributors
# Apache-2.0 (see LICENSE)
"""The per-user cache of binaries: complete or absent, and filled by one run at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.proving.ground.plugins.module_utils.tool_catalogue import ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ansible_collections.proving.ground.plugins.module_utils.tool_catalogue import Host, Tool

_POLL_SECONDS = 0.1


class Cache:
    """Binaries at ``<root>/bin/<tool>/<version>-<os>-<arch>/<tool>``.

    A file there is always whole: it is written elsewhere in the cache and renamed. What a killed
    run left is removed by the next one that works on the same group.
    """

    def __init__(self, root: Path, host: Host) -> None:
        self.root = root
        self.host = host

    def path(self, tool: Tool) -> Path:
        """Return where the tool is, or would be."""
        return self.root / "bin" / tool.name / f"{tool.version}-{self.host.os}-{self.host.arch}" / tool.name

    def find(self, tool: Tool) -> Path | None:
        """Return the tool's path if the cache holds it."""
        path = self.path(tool)
        return path if path.is_file() and os.access(path, os.X_OK) and path.stat().st_size else None

    @contextlib.contextmanager
    def work_on(self, group: str, *, deadline: float, waiting: Callable[[str], None]) -> Iterator[Path]:
        """Hold the lock of a group of tools, and yield an empty directory for its work.

        Args:
            group: Name of the lock.
            deadline: ``time.monotonic()`` until which another run is waited for.
            waiting: Called, once, with the process id of the run that is waited for.

        Raises:
            ToolError: The cache cannot be written, or the other run did not end in time.
        """
        with self.writing():
            places = [self.root / "locks", self.root / "work" / group]
            for place in places:
                place.mkdir(parents=True, exist_ok=True)
            lock = os.open(places[0] / f"{group}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._wait_for(lock, group, deadline, waiting)
            with self.writing():
                os.ftruncate(lock, 0)
                os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
                for left in places[1].iterdir():  # nobody else holds the lock: all of it was left by the dead
                    shutil.rmtree(left, ignore_errors=True)
                work = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=places[1]))
            try:
                yield work
            finally:
                shutil.rmtree(work, ignore_errors=True)
        finally:
            os.close(lock)

    def install(self, tool: Tool, file: Path) -> Path:
        """Move a finished binary from the work directory to its place, at once or not at all.

        Raises:
            ToolError: The cache cannot be written.
        """
        target = self.path(tool)
        with self.writing():
            file.chmod(0o755)
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
        return target

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turn a failure to write into the one line that names the cache and says what to do."""
        try:
            yield
        except OSError as error:
            raise ToolError(
                f"cannot write to the cache {self.root}: {error.strerror or error} (make it writable with room for"
                " about 1 GB, or name another directory in PROVING_GROUND_CACHE or tool_binaries_cache_dir)",
            ) from error

    def _wait_for(self, lock: int, group: str, deadline: float, waiting: Callable[[str], None]) -> None:
        told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
                if not told:
                    waiting(holder)
                    told = True
                if time.monotonic() > deadline:
                    raise ToolError(
                        f"another run (process {holder}) still works on {group} in the cache {self.root}"
                        " (wait for it to end, or end it)",
                    ) from None
                time.sleep(_POLL_SECONDS)
            else:
                return
