"""Whether the client itself kept up: what it measures is worth nothing where it did not."""

from __future__ import annotations

import os
import time
from typing import Any

import gevent  # type: ignore[import-untyped]

from proving_ground.load.measured.samples import Samples

_EVERY = 0.01


class ClientHealth:
    """Watches this process while it makes load.

    Args:
        stamped: Whether the kernel tells when data arrived.
    """

    def __init__(self, *, stamped: bool) -> None:
        self.stamped = stamped
        self._reads = Samples()
        self._sends = Samples()
        self._loop = Samples()
        self._stale = 0
        self._began = self._cpu = 0.0
        self._watching: Any = None

    def start(self) -> None:
        """Begin to watch."""
        self._began, self._cpu = time.perf_counter(), _cpu()
        self._watching = gevent.spawn(self._watch)

    def _watch(self) -> None:
        while True:
            asked = time.perf_counter()
            gevent.sleep(_EVERY)
            self._loop.add(max(0.0, time.perf_counter() - asked - _EVERY))

    def read(self, lag: float) -> None:
        """Note how many seconds after its arrival data was read."""
        self._reads.add(lag)

    def stale(self) -> None:
        """Note a request that had to be sent again, over a new connection."""
        self._stale += 1

    def sent(self, lag: float) -> None:
        """Note how many seconds after its time a request was sent."""
        self._sends.add(lag)

    def stop(self) -> dict[str, Any]:
        """End to watch, and return what was seen as plain data."""
        if self._watching is not None:
            self._watching.kill()
        return {
            "stamped": self.stamped,
            "wall": time.perf_counter() - self._began,
            "cpu": _cpu() - self._cpu,
            "stale": self._stale,
            "reads": list(self._reads.values),
            "sends": list(self._sends.values),
            "loop": list(self._loop.values),
        }


def _cpu() -> float:
    times = os.times()
    return times.user + times.system
