"""Until when a caller wants an answer: requests are not repeated beyond that."""

from __future__ import annotations

import contextlib
import math
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNTIL: ContextVar[float] = ContextVar("until", default=math.inf)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let no request of this task be sent again later than that many seconds from now; inside another, the sooner.

    A request that is under way is not cut: ``asyncio.timeout`` does that.
    """
    token = _UNTIL.set(min(_UNTIL.get(), time.monotonic() + max(seconds, 0.0)))
    try:
        yield
    finally:
        _UNTIL.reset(token)


def until() -> float:
    """Return the time (``time.monotonic``) after which nothing is sent again; infinite if nobody said."""
    return _UNTIL.get()
