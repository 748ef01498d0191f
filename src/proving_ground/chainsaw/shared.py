"""What the tests of one run share: connections to further clusters, and one namespace for all of them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from proving_ground.errors import ConfigurationError
from proving_ground.kube import Cluster, remove_namespace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

_Key = tuple[str, tuple[int, int], str]


class Shared:
    """Opened and made as tests ask for it; everything is closed and removed by `close`."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._stack = contextlib.AsyncExitStack()
        self._clusters: dict[_Key, Cluster] = {}
        self._namespaces: dict[tuple[int, str], Cluster | None] = {}
        self.cleanup_seconds = 0.0

    async def cluster(self, kubeconfig: Path, context: str, where: str) -> Cluster:
        """Return the cluster that a kubeconfig names; one that was written anew is another cluster.

        Args:
            kubeconfig: The file.
            context: Context in it; empty: its current one.
            where: What asks for it, for the message.

        Raises:
            ConfigurationError: The file is not there or cannot be used.
        """
        key = (*_identity(kubeconfig, where), context)
        async with self._lock:
            if key not in self._clusters:
                opened = Cluster.connect(kubeconfig, context or None)
                self._clusters[key] = await self._stack.enter_async_context(opened)
            return self._clusters[key]

    async def namespace(self, cluster: Cluster, name: str, make: Callable[[], Awaitable[bool]], seconds: float) -> None:
        """Make sure that a namespace of many tests is there; it is removed at the end if a test's call made it.

        Args:
            cluster: Where.
            name: The namespace.
            make: Creates it where it is missing; tells whether it is to be removed again.
            seconds: How long its removal may take.
        """
        async with self._lock:
            key = (id(cluster), name)
            if key not in self._namespaces:
                self._namespaces[key] = cluster if await make() else None
                self.cleanup_seconds = max(self.cleanup_seconds, seconds)

    async def close(self) -> None:
        """Remove the namespaces that were made, verify that they are gone, and close the connections.

        Raises:
            WaitTimeoutError: A namespace is left behind; the message tells what holds it.
        """
        made = [(cluster, name) for (_, name), cluster in self._namespaces.items() if cluster is not None]
        self._namespaces.clear()
        try:
            for cluster, name in made:
                await remove_namespace(cluster, name, timeout=self.cleanup_seconds)
        finally:
            self._clusters.clear()
            await self._stack.aclose()


def _identity(kubeconfig: Path, where: str) -> tuple[str, tuple[int, int]]:
    try:
        status = kubeconfig.stat()
    except OSError as error:
        raise ConfigurationError(
            f"the kubeconfig {str(kubeconfig)!r} cannot be read: {error.strerror}", where=where
        ) from None
    return str(kubeconfig.resolve()), (status.st_mtime_ns, status.st_size)
