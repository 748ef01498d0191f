"""HTTP for many replicas: one uvicorn protocol for each connection, one ASGI application for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Scope

    from proving_ground.fleet.replica import Replica

REPLICA = "proving_ground.replica"
"""Key in the ASGI scope's state under which an application finds its replica."""


class AsgiServer:
    """A server factory that answers HTTP with an ASGI application shared by all replicas.

    Args:
        app: The application; it finds its replica in ``scope["state"][REPLICA]``.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._config = asgi_config(app)

    def connect(self, replica: Replica, more: Mapping[str, Any] | None = None) -> asyncio.BaseProtocol:
        """Return the protocol of a connection to ``replica``.

        Args:
            replica: Who answers.
            more: What else the application finds in ``scope["state"]``.
        """
        replica.connections.default_headers = self._config.encoded_headers
        return HttpToolsProtocol(self._config, replica.connections, {REPLICA: replica, **(more or {})})


def asgi_config(app: ASGIApp) -> Config:
    """Return a loaded uvicorn configuration for serving ``app`` on sockets that are ours."""
    config = Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
    config.load()
    return config


class PlainServer:
    """An HTTP server of the fleet itself, such as its control API.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._config = asgi_config(app)
        self._state = ServerState()
        self._state.default_headers = self._config.encoded_headers

    def connect(self) -> asyncio.BaseProtocol:
        """Return the protocol of a new connection."""
        return HttpToolsProtocol(self._config, self._state, {})

    def disconnect(self) -> None:
        """Break every connection."""
        for protocol in tuple(self._state.connections):
            if protocol.transport is not None:
                protocol.transport.abort()


def replica_of(scope: Scope) -> Replica:
    """Return the replica that an ASGI request is for."""
    replica: Replica = scope["state"][REPLICA]
    return replica
