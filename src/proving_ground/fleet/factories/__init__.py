"""Server factories: what the processes in a pod can be, by the name in its annotation ``serve``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from proving_ground.fleet.replica import Replica


class ServerFactory(Protocol):
    """Makes the server side of each connection to a replica; any protocol over TCP can be one."""

    def connect(self, replica: Replica) -> asyncio.BaseProtocol:
        """Return the asyncio protocol that answers one new connection as the replica."""


def default_factories() -> Mapping[str, ServerFactory]:
    """Return the server factories by name."""
    # Imported when asked for: a pod that is a mock starts in half the time without.
    from proving_ground.fleet.factories.openai import openai_app  # noqa: PLC0415
    from proving_ground.fleet.http import AsgiServer  # noqa: PLC0415

    return {"openai": AsgiServer(openai_app())}
