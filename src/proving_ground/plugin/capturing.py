"""Output of checks that run beside each other, kept apart."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING, TextIO, cast

from proving_ground.plugin.check_run import CURRENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

SECTIONS = {"log": "Captured log call", "stdout": "Captured stdout call", "stderr": "Captured stderr call"}


class CheckStream:
    """A text stream that gives each check its own output, and everything else to the stream it replaces."""

    def __init__(self, inner: TextIO, kind: str) -> None:
        self._inner = inner
        self._kind = kind

    def write(self, text: str) -> int:
        """Write to the check whose task this is."""
        run = CURRENT.get()
        if run is None:
            return self._inner.write(text)
        run.output.setdefault(self._kind, []).append(text)
        return len(text)

    def __getattr__(self, name: str) -> object:
        """Be the replaced stream in everything else."""
        return getattr(self._inner, name)


class CheckLogHandler(logging.Handler):
    """Keeps the log records of each check with it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record."""
        run = CURRENT.get()
        if run is not None:
            run.output.setdefault("log", []).append(self.format(record) + "\n")


@contextlib.contextmanager
def captured_by_check(config: pytest.Config) -> Iterator[None]:
    """Keep logs of each check apart while this lasts, and, unless ``-s`` is given, its standard streams."""
    handler = CheckLogHandler()
    handler.setFormatter(logging.Formatter("%(levelname)-8s %(name)s:%(filename)s:%(lineno)d %(message)s"))
    root = logging.getLogger()
    level = _level(config)
    before = root.level
    root.addHandler(handler)
    if level is not None:
        handler.setLevel(level)
        root.setLevel(min(before, level))
    streams = (sys.stdout, sys.stderr)
    if config.getoption("capture", "fd") != "no":
        sys.stdout = cast("TextIO", CheckStream(streams[0], "stdout"))
        sys.stderr = cast("TextIO", CheckStream(streams[1], "stderr"))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        root.removeHandler(handler)
        if level is not None:
            root.setLevel(before)


def _level(config: pytest.Config) -> int | None:
    name = config.getoption("log_level", None) or config.getini("log_level")
    if not name:
        return None
    level = logging.getLevelName(str(name).upper())
    return level if isinstance(level, int) else None
