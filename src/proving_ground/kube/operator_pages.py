"""The pages that an operator serves about itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

import aiohttp.web

if TYPE_CHECKING:
    import asyncio

Address = tuple[str, int]
"""An address to listen on, and a port."""

Pages = Mapping[str, Callable[[aiohttp.web.Request], Awaitable[aiohttp.web.Response]]]
"""What answers, by path."""


def health(ready: asyncio.Event) -> Pages:
    """Return ``/healthz`` (200 while it lives) and ``/readyz`` (503 until it watches)."""

    async def alive(_: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.Response(text="ok\n")

    async def watching(_: aiohttp.web.Request) -> aiohttp.web.Response:
        if ready.is_set():
            return aiohttp.web.Response(text="ok\n")
        return aiohttp.web.Response(text="starting\n", status=503)

    return {"/healthz": alive, "/readyz": watching}


async def listen(address: Address, pages: Pages) -> aiohttp.web.AppRunner:
    """Serve pages until the runner that is returned is cleaned up.

    Raises:
        OSError: The address cannot be listened on.
    """
    app = aiohttp.web.Application()
    app.add_routes([aiohttp.web.get(path, page) for path, page in pages.items()])
    runner = aiohttp.web.AppRunner(app, handle_signals=False, shutdown_timeout=0.5, access_log=None)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, *address).start()
    return runner
