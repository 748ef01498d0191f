"""A tool of an isolated environment, run in a session of its own of which nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
    from pathlib import Path

OUTPUT = "output"
"""The file in a tool's folder that gets what it says."""


def inherited(without: Iterable[str] = ()) -> dict[str, str]:
    """Return the variables that a tool gets from this process.

    Nothing goes by way of a proxy: the server that it asks is here, or one that was named.

    Args:
        without: Names of further ones that it does not get.
    """
    left_out = {"PYTHONPATH", *without}
    return {
        name: value
        for name, value in os.environ.items()
        if name not in left_out and not name.lower().endswith("_proxy")
    }


@asynccontextmanager
async def running(
    command: Sequence[str], work: Path, environment: Mapping[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a tool in a folder; with the context ends what is left of it and of all that it started.

    Args:
        command: The program and its arguments.
        work: The folder, whose file `OUTPUT` gets what it says.
        environment: All of its variables.
    """
    with (work / OUTPUT).open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=work,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            # Ctrl-C goes to who asked, who tells it.
            start_new_session=True,
        )
    try:
        yield process
    finally:
        # What it started is of its session.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.returncode is None:
            await process.wait()
