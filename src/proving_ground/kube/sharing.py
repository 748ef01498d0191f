"""The watches of one cluster: one for each kind, joined by everyone who follows objects of it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from proving_ground.kube.discovery import UnknownKindError
from proving_ground.kube.following import Following
from proving_ground.kube.watching import Watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from proving_ground.kube.connection import Connection
    from proving_ground.kube.references import Objects, ResourceType, Target

    Read = Callable[[Target], Awaitable[Objects]]

_POLL_SECONDS = 0.5
_LINGER_SECONDS = 5.0
"""How long the watch of a namespace outlives its last waiter: a test often waits for one thing after another."""


class SharedWatches:
    """The watches of one cluster.

    Attributes:
        by_namespace: Whether single namespaces are watched rather than the whole cluster.
    """

    def __init__(self, connection: Connection, *, patience: float) -> None:
        self._connection = connection
        self._patience = patience
        self.by_namespace = False
        self._watches: dict[tuple[ResourceType, str], Watch] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Return how many watches are kept."""
        return len(self._watches)

    async def stop(self) -> None:
        """End all watches."""
        watches, self._watches = list(self._watches.values()), {}
        for watch in watches:
            await watch.stop()
        for task in list(self._ending):
            await task

    @contextlib.asynccontextmanager
    async def join(self, resource: ResourceType, target: Target, read: Read) -> AsyncIterator[Following]:
        """Deliver the changes of a target while the context lasts.

        The watch is that of the whole cluster, or of the target's namespace where only this is allowed or it was
        asked for. Where there is none to be had, the target is polled.
        """
        async with contextlib.AsyncExitStack() as stack:
            if "watch" in resource.verbs:
                for scope in self._scopes(resource, target):
                    if following := await self._watched(resource, scope, target, stack):
                        yield following
                        return
            following = Following(target)
            task = asyncio.get_running_loop().create_task(_poll(following, read))
            stack.callback(task.cancel)
            yield following

    def _scopes(self, resource: ResourceType, target: Target) -> list[str]:
        """Return the namespaces whose watches may serve, empty for the whole cluster; the best one first."""
        if not (resource.namespaced and target.namespace):
            return [""]
        return [target.namespace, ""] if self.by_namespace else ["", target.namespace]

    async def _watched(
        self, resource: ResourceType, scope: str, target: Target, stack: contextlib.AsyncExitStack
    ) -> Following | None:
        """Join the watch of the cluster or of a namespace; None: it is not allowed."""
        watch = self._watches.get((resource, scope))
        if watch is None:
            watch = Watch(self._connection, resource, scope, patience=self._patience)
            self._watches[resource, scope] = watch
        if watch.forbidden:
            return None
        following = Following(target)
        async with contextlib.AsyncExitStack() as joined:
            if scope:
                joined.callback(self._left, resource, scope)
            joined.enter_context(watch.follow(following))
            await watch.ready()
            if watch.forbidden:
                return None
            following.joined_at = watch.version
            stack.push_async_exit(joined.pop_all())
        return following

    def _left(self, resource: ResourceType, scope: str) -> None:
        """Drop the watch of a namespace some time after its last waiter went: namespaces come and go."""
        asyncio.get_running_loop().call_later(_LINGER_SECONDS, self._drop, resource, scope)

    def _drop(self, resource: ResourceType, scope: str) -> None:
        watch = self._watches.get((resource, scope))
        if watch is not None and not watch.followed:
            del self._watches[resource, scope]
            task = asyncio.get_running_loop().create_task(watch.stop())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


async def _poll(following: Following, read: Read) -> None:
    while True:
        await asyncio.sleep(_POLL_SECONDS)
        try:
            found = await read(following.target)
        except UnknownKindError:
            found = []  # it may come again
        except Exception as error:  # noqa: BLE001  # handed to the waiter, whatever it is
            following.fail(error)
            return
        following.replace(found)
