"""The watches of one cluster: one for each kind, joined by everyone who follows objects of it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from proving_ground.kube.watching import Following, Watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from proving_ground.kube.connection import Connection
    from proving_ground.kube.references import Objects, ResourceType, Target

    Read = Callable[[Target], Awaitable[Objects]]

_POLL_SECONDS = 0.5


class SharedWatches:
    """The watches of one cluster."""

    def __init__(self, connection: Connection, *, patience: float) -> None:
        self._connection = connection
        self._patience = patience
        self._watches: dict[tuple[ResourceType, str], Watch] = {}

    async def stop(self) -> None:
        """End all watches."""
        watches, self._watches = list(self._watches.values()), {}
        for watch in watches:
            await watch.stop()

    @contextlib.asynccontextmanager
    async def join(self, resource: ResourceType, target: Target, read: Read) -> AsyncIterator[Following]:
        """Deliver the changes of a target while the context lasts; where its kind cannot be watched, by polling."""
        async with contextlib.AsyncExitStack() as stack:
            if "watch" in resource.verbs:
                yield await self._join(resource, target, stack)
            else:
                following = Following(target)
                task = asyncio.get_running_loop().create_task(_poll(following, read))
                stack.callback(task.cancel)
                yield following

    async def _join(self, resource: ResourceType, target: Target, stack: contextlib.AsyncExitStack) -> Following:
        """Join the watch of the whole cluster, or that of the namespace where only this is allowed."""
        scopes = ["", target.namespace] if resource.namespaced and target.namespace else [""]
        following = Following(target)
        for scope in scopes:
            watch = self._watches.get((resource, scope))
            if watch is None:
                watch = Watch(self._connection, resource, scope, patience=self._patience)
                self._watches[resource, scope] = watch
            if watch.forbidden and scope != scopes[-1]:
                continue
            following = Following(target)
            stack.enter_context(watch.follow(following))
            await watch.ready()
            if not watch.forbidden:
                break
        return following


async def _poll(following: Following, read: Read) -> None:
    while True:
        await asyncio.sleep(_POLL_SECONDS)
        try:
            found = await read(following.target)
        except Exception as error:  # noqa: BLE001  # handed to the waiter, whatever it is
            following.fail(error)
            return
        following.replace(found)
