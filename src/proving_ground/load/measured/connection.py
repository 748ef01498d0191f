"""A connection that takes the time of what it reads where it arrives: in the kernel, if it can.

Linux notes when data arrived at a socket (SO_TIMESTAMPNS, socket(7)). So what is measured does not depend on how soon
this process comes to read it, and how late it came is known for every read. Over TLS, and on other systems, the time
of reading is taken.
"""

from __future__ import annotations

import socket as plain_socket
import struct
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import gevent  # type: ignore[import-untyped]
import gevent.socket  # type: ignore[import-untyped]
import gevent.ssl  # type: ignore[import-untyped]
import httptools
from gevent.hub import Waiter  # type: ignore[import-untyped]
from gevent.monkey import get_original  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from proving_ground.load.measured.answer import Answer

_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@qq")
_READ = 256 * 1024
_ANCILLARY = 64
_CONNECT_SECONDS = 10.0
_STALE = 0.02
"""Seconds within which a connection that was kept open tells that it was closed; later, an answer was lost."""
_FUTURE = 0.0005
"""Seconds by which the two clocks may differ."""
_CLOSE = 0.00005
"""Seconds within which both clocks have to be read: between two reads another process may have run."""
_TRIES = 5
_OriginalSocket = get_original("socket", "socket")


def _clock_offset() -> float:
    """Return how far the time of day is ahead of the clock that this process measures with, in seconds."""
    for _ in range(_TRIES):
        before = time.perf_counter()
        day = time.time()
        after = time.perf_counter()
        if after - before < _CLOSE:
            break
    return day - (before + after) / 2


class ReadLog(Protocol):
    """Is told of every read."""

    def read(self, lag: float) -> None:
        """Note how many seconds after its arrival data was read."""

    def stale(self) -> None:
        """Note a request that had to be sent again, over a new connection."""


class Target:
    """Whom connections go to.

    Args:
        url: Base URL.
        ca: File with certificates of whom to trust, for https.
    """

    def __init__(self, url: str, ca: str | None = None) -> None:
        parts = urlsplit(url)
        self.host = parts.hostname or ""
        self.tls = gevent.ssl.create_default_context(cafile=ca) if parts.scheme == "https" else None
        self.port = parts.port or (443 if self.tls else 80)

    @property
    def stamped(self) -> bool:
        """Whether the kernel tells when data arrived."""
        return self.tls is None and sys.platform == "linux"


class Connection:
    """One connection, kept open from request to request; connected when it is first used.

    Args:
        target: Whom it goes to.
        log: Told of reads.
    """

    def __init__(self, target: Target, log: ReadLog) -> None:
        self._target = target
        self._log = log
        self._socket: Any = None
        self._raw: Any = None
        self._watcher: Any = None
        self._parser: Any = None
        self._answer: Answer | None = None
        self._waiter: Waiter | None = None
        self._problem: BaseException | None = None
        self._at = 0.0
        self._offset = 0.0
        self._texts = 0
        self._keep_alive = False
        self._until_close = True

    def close(self) -> None:
        """Close it; the next exchange opens a new one."""
        for thing in (self._watcher, self._raw, self._socket):
            if thing is not None:
                thing.close()
        self._watcher = self._raw = self._socket = self._parser = None

    def exchange(self, request: bytes, answer: Answer, timeout: float) -> None:
        """Send a request and read its answer.

        Args:
            request: All of it.
            answer: Where what arrives goes; also when an exception is raised.
            timeout: Seconds for all of it.

        Raises:
            OSError: Nobody answers, or the connection broke.
            TimeoutError: It took too long.
            ValueError: What came is no HTTP.
        """
        if self._raw is not None and self._is_over():
            self.close()
        reused = self._parser is not None
        try:
            with gevent.Timeout(timeout, TimeoutError(f"no whole answer within {timeout:g} s")):
                try:
                    self._exchange(request, answer)
                except ConnectionError:
                    # Servers close connections between requests, and one may have been sent meanwhile.
                    soon = answer.begin and time.perf_counter() - answer.begin < _STALE
                    if not reused or answer.status or not soon:
                        raise
                    self.close()
                    self._log.stale()
                    self._exchange(request, answer)
        except httptools.HttpParserError as error:
            self.close()
            raise ValueError("an answer that is no HTTP") from error
        except BaseException:
            self.close()
            raise
        if not answer.complete or not self._keep_alive:
            self.close()

    def _is_over(self) -> bool:
        """Tell whether the other side closed it while it waited, which servers do."""
        try:
            return not self._raw.recv(1, plain_socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _exchange(self, request: bytes, answer: Answer) -> None:
        answer.begin = answer.begin or time.perf_counter()
        if self._parser is None:
            self._connect()
        self._answer, self._problem = answer, None
        self._keep_alive, self._until_close = False, True
        # The kernel stamps with the time of day; this process measures with a clock that is never set.
        self._offset = _clock_offset()
        if self._raw is None:
            self._socket.sendall(request)
            self._read_tls(answer)
        else:
            self._send(request)
            self._read_plain()
        if self._problem is not None:
            raise self._problem
        if not answer.status:
            raise ConnectionError("the connection ended without an answer")

    def _connect(self) -> None:
        target = self._target
        made = gevent.socket.create_connection((target.host, target.port), _CONNECT_SECONDS)
        made.setsockopt(plain_socket.IPPROTO_TCP, plain_socket.TCP_NODELAY, 1)
        self._parser = httptools.HttpResponseParser(self)
        if target.tls is not None:
            made.settimeout(None)
            self._socket = target.tls.wrap_socket(made, server_hostname=target.host)
            return
        self._raw = _OriginalSocket(fileno=made.detach())
        self._raw.setblocking(False)
        if target.stamped:
            self._raw.setsockopt(plain_socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._watcher = gevent.get_hub().loop.io(self._raw.fileno(), 1)

    def _send(self, request: bytes) -> None:
        sent = 0
        while sent < len(request):
            try:
                sent += self._raw.send(request[sent:] if sent else request)
            except BlockingIOError:
                gevent.socket.wait_write(self._raw.fileno())

    def _read_plain(self) -> None:
        self._waiter = Waiter()
        self._watcher.start(self._readable)
        try:
            self._waiter.get()
        finally:
            self._watcher.stop()
            self._waiter = None

    def _readable(self) -> None:
        """Read once; called by the loop itself, which no event has to switch away from."""
        try:
            data, ancillary, _, _ = self._raw.recvmsg(_READ, _ANCILLARY)
        except BlockingIOError:
            return
        except OSError as error:
            self._stop(error)
            return
        now = time.perf_counter()
        if ancillary:
            seconds, nanoseconds = _TIMESPEC.unpack_from(ancillary[0][2])
            at = seconds - self._offset + nanoseconds * 1e-9
            # A clock that was set meanwhile: then the time of reading is what is known.
            answer = self._answer
            at = at if answer is not None and answer.begin <= at < now + _FUTURE else now
            self._log.read(now - at)
        else:
            at = now
        self._feed(data, at)

    def _feed(self, data: bytes, at: float) -> None:
        answer = self._answer
        if answer is None:
            return
        if not data:
            # An answer without a length ends with its connection.
            answer.complete = answer.complete or bool(answer.status and self._until_close)
            self._stop(None)
            return
        self._at, self._texts = at, 0
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, ValueError) as error:
            self._stop(error if not isinstance(error.__context__, ValueError) else error.__context__)
            return
        if self._texts > 1:
            answer.merged += self._texts - 1
        answer.end = at
        if answer.complete:
            # Last of all: whoever waits goes on within this call.
            self._stop(None)

    def _stop(self, problem: BaseException | None) -> None:
        self._problem = problem
        if self._waiter is not None:
            self._watcher.stop()
            self._waiter.switch(None)

    def _read_tls(self, answer: Answer) -> None:
        while not answer.complete and self._problem is None:
            data = self._socket.recv(_READ)
            self._feed(data, time.perf_counter())
            if not data:
                return

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note whether the length is told; called by the parser."""
        del value
        if name.lower() in {b"content-length", b"transfer-encoding"}:
            self._until_close = False

    def on_headers_complete(self) -> None:
        """Note the status; called by the parser."""
        if self._answer is not None:
            self._answer.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        """Hand a part of the body on; called by the parser."""
        if self._answer is not None:
            self._texts += self._answer.feed(body, self._at)

    def on_message_complete(self) -> None:
        """Note that the answer is whole; called by the parser."""
        if self._answer is not None:
            self._answer.complete = True
            self._keep_alive = self._parser.should_keep_alive()
