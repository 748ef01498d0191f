"""The server of the mocks: one application for all of them, closed until its pod is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proving_ground.fleet.http import AsgiServer, replica_of
from proving_ground.mocks import MOCK

if TYPE_CHECKING:
    import asyncio

    from starlette.types import ASGIApp, Receive, Scope, Send

    from proving_ground.fleet.replica import Replica
    from proving_ground.mocks import Mock

_PROBES = frozenset({"/health", "/ready"})


class _Gate:
    """Answers the probes of a pod that is not ready with 503."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in _PROBES and not replica_of(scope).ready:
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"10")]
            await send({"type": "http.response.start", "status": 503, "headers": headers})
            await send({"type": "http.response.body", "body": b"not ready\n"})
            return
        await self._app(scope, receive, send)


class MockServer:
    """Makes the server side of each connection to a mock.

    Args:
        app: The application of all mocks; it finds its mock in the scope's state.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._server = AsgiServer(_Gate(app))

    def connect(self, replica: Replica, mock: Mock) -> asyncio.BaseProtocol:
        """Return the protocol of a connection to a mock of a replica."""
        return self._server.connect(replica, {MOCK: mock})
