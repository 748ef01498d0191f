"""Starting and ending a server whose times are known."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import TYPE_CHECKING

from proving_ground.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

MODULE = "proving_ground.load.measured.timed_server"
_SECONDS = 20.0


@contextlib.asynccontextmanager
async def timed_server(
    *, first_token: float = 0.02, token: float = 0.01, faults: Iterable[str] = ()
) -> AsyncIterator[str]:
    """Give the URL of such a server, as long as the context lasts.

    Args:
        first_token: Seconds until the first token of an answer.
        token: Seconds between tokens.
        faults: How it misbehaves, see `proving_ground.load.measured.timed_server.FAULTS`.

    Raises:
        InfrastructureError: It does not start.
    """
    command = [sys.executable, "-m", MODULE, "--first-token", str(first_token), "--token", str(token)]
    command += [f"--fault={fault}" for fault in faults]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        yield await _url(process)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _url(process: asyncio.subprocess.Process) -> str:
    if process.stdout is None:
        raise RuntimeError("it was started without a pipe")
    with contextlib.suppress(TimeoutError, ValueError, KeyError):
        async with asyncio.timeout(_SECONDS):
            return str(json.loads(await process.stdout.readline())["url"])
    raise InfrastructureError("the server whose times are known did not start")
