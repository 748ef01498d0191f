"""testinfra's backends with an end: a command that runs too long is ended, and so is one that nobody waits for."""

from __future__ import annotations

import contextlib
import contextvars
import os
import signal
import subprocess
import threading
import time
from typing import Any

import testinfra.backend.base  # type: ignore[import-untyped]
import testinfra.backend.local  # type: ignore[import-untyped]
import testinfra.backend.ssh  # type: ignore[import-untyped]
import testinfra.host  # type: ignore[import-untyped]

TIMEOUT = 20.0
"""Seconds that a command may take where nothing else is said."""
CONNECT_SECONDS = 10
_SLICE = 0.25
"""Seconds after which a command that nobody waits for any more is noticed."""


class TooLongError(Exception):
    """A command did not end in time; its text is how it was run."""


class Call:
    """One command under way, which may be ended from another thread.

    Args:
        timeout: Seconds that it may take.
    """

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self.timeout = timeout
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def run(self, command: bytes) -> tuple[int, bytes, bytes]:
        """Run a command with a shell of this machine, and return its status, output and error output.

        Raises:
            TooLongError: It did not end in time, or was stopped; its processes are gone.
        """
        with self._lock:
            if self._stopped:
                raise TooLongError
            process = subprocess.Popen(  # noqa: S602  # testinfra quotes what it runs
                command,
                shell=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # A group of its own: what the shell started ends with it.
                start_new_session=True,
            )
            self._process = process
        until = time.monotonic() + self.timeout
        while not self._stopped:
            try:
                stdout, stderr = process.communicate(timeout=_SLICE)
            except subprocess.TimeoutExpired:
                if time.monotonic() > until:
                    self.stop()
            else:
                if not self._stopped:
                    return process.returncode, stdout, stderr
        # Not read to their end: a connection that is shared holds them for as long as the other side goes on.
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        process.wait()
        raise TooLongError

    def stop(self) -> None:
        """End the command and what it started."""
        with self._lock:
            self._stopped = True
            process = self._process
            # One that was waited for is gone, and its number may be somebody else's.
            if process is not None and process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


CALL: contextvars.ContextVar[Call | None] = contextvars.ContextVar("proving_ground_host_call", default=None)


class _Bounded(testinfra.backend.base.BaseBackend):  # type: ignore[misc]  # testinfra has no types
    """Runs local processes with an end, and reads what they print as UTF-8 whatever the host's locale is."""

    def run_local(self, command: str, *args: str) -> Any:
        """Run a command of this machine: ssh, or what is asked for itself."""
        encoded = self.encode(self.quote(command, *args))
        call = CALL.get() or Call()
        status, stdout, stderr = call.run(encoded)
        return self.result(status, encoded, stdout, stderr)

    def decode(self, data: bytes) -> str:
        """Return text; what is no UTF-8 is replaced."""
        return data.decode("utf-8", errors="replace")

    def encode(self, data: str) -> bytes:
        """Return bytes."""
        return data.encode("utf-8", errors="surrogateescape")


class BoundedSsh(_Bounded, testinfra.backend.ssh.SshBackend):  # type: ignore[misc]
    """Over ssh; how to connect is what the ssh_config file says."""


class BoundedLocal(_Bounded, testinfra.backend.local.LocalBackend):  # type: ignore[misc]
    """On this machine."""


def connect(name: str, ssh_config: str | None, *, sudo: bool = False) -> Any:
    """Return testinfra's host; nothing is sent yet.

    Args:
        name: The host, as the ssh_config file knows it.
        ssh_config: That file; None: this machine itself.
        sudo: Whether commands are run by ``sudo``, as root.
    """
    if ssh_config is None:
        backend = BoundedLocal(sudo=sudo)
    else:
        backend = BoundedSsh(
            name,
            ssh_config=ssh_config,
            timeout=CONNECT_SECONDS,
            # Whether connections are shared, and where, is up to the file.
            controlpersist=0,
            # Nobody is there to type a password, and a link that is dead has to be noticed.
            ssh_extra_args="-o BatchMode=yes -o ServerAliveInterval=5 -o ServerAliveCountMax=3",
            sudo=sudo,
        )
    host = testinfra.host.Host(backend)
    backend.set_host(host)
    return host
