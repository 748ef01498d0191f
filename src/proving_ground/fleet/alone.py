"""One server of the fleet by itself, without Kubernetes: on loopback, in the event loop of whoever wants it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from proving_ground.fleet.behaviour import Behaviour
from proving_ground.fleet.factories import default_factories
from proving_ground.fleet.factories.misbehaviour import FAULTS
from proving_ground.fleet.inference import Speed
from proving_ground.fleet.listen import require_loopback
from proving_ground.fleet.replica import Replica

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from proving_ground.fleet.factories import ServerFactory

ANY_PORT = 0


class _NoLog:
    """Where nobody reads what a server writes."""

    def write(self, text: str) -> None:
        """Forget it."""


@functools.cache
def _factory() -> ServerFactory:
    return default_factories()["openai"]


@asynccontextmanager
async def server_alone(
    model: str,
    *,
    faults: Collection[str] = (),
    speed: Speed | None = None,
    address: str = "127.0.0.1",
    port: int = ANY_PORT,
) -> AsyncIterator[str]:
    """Serve the mock of an inference server for as long as the context lasts.

    Args:
        model: Model id that it serves.
        faults: What it does wrong, by the names of the fleet's faults; names that it does not know are ignored.
        speed: How fast it generates; at once if absent.
        address: Loopback address to listen on.
        port: Port; 0: a free one.

    Yields:
        Its URL, without ``/v1``.

    Raises:
        ConfigurationError: The address is not a loopback address.
    """
    require_loopback(address, where=address)
    behaviour = Behaviour(
        server="openai", model=model, misbehaviours=FAULTS.intersection(faults), speed=speed or Speed()
    )
    replica = Replica(
        "alone", "alone", uuid.uuid4().hex, address, behaviour, _NoLog(), crash=lambda _: None, ready=True
    )
    server = await asyncio.get_running_loop().create_server(lambda: _factory().connect(replica), address, port)
    try:
        yield f"http://{address}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        replica.disconnect()
        tasks = list(replica.connections.tasks)
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
