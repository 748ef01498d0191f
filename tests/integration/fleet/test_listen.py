"""Connections that nobody answers, on each event loop that the fleet may run on."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from proving_ground.fleet.listen import Refusal, listen

if TYPE_CHECKING:
    from collections.abc import Callable

ADDRESS, PORT = f"127.252.{os.getpid() % 256}.2", 8000


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_connection_that_nobody_answers_breaks_at_once(run: Callable[[Any], None]) -> None:
    async def scenario() -> None:
        listener = await listen(ADDRESS, PORT, Refusal)
        reader, writer = await asyncio.open_connection(ADDRESS, PORT)
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        listener.close()

    run(scenario())
