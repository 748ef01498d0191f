"""What the concurrent checks of one process share: connections to clusters, and fixtures of wider scopes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from proving_ground.errors import InfrastructureError
from proving_ground.plugin.resolution import Fixtures, Instance, SharedFixtures

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from proving_ground.chainsaw.shared import Shared
    from proving_ground.contracts.platform import Platform
    from proving_ground.kube import Cluster, Overrides


class World:
    """Opened lazily, closed once.

    Args:
        platform: Its clusters.
        overrides: What goes before their kubeconfigs.
    """

    def __init__(self, platform: Platform, overrides: Overrides | None = None) -> None:
        self._platform = platform
        self._overrides = overrides
        self._shared = SharedFixtures()

    async def cluster(self, name: str) -> Cluster:
        """Return a cluster, opened by whoever asks first.

        Raises:
            InfrastructureError: The platform has no such cluster, or it cannot be reached.
        """
        if name not in self._platform.clusters:
            known = ", ".join(sorted(self._platform.clusters)) or "none"
            raise InfrastructureError(f"the platform has no cluster {name!r}", hint=f"it has {known}")
        value = await self._shared.value(("cluster", name), Instance(), self._connected, {"name": name})
        return cast("Cluster", value)

    async def _connected(self, name: str) -> AsyncIterator[Cluster]:
        from proving_ground.kube import Cluster, Overrides  # noqa: PLC0415  # only where a check uses Kubernetes

        declared = self._platform.clusters[name]
        overrides = self._overrides or Overrides()
        async with Cluster.connect(declared.kubeconfig, declared.context, overrides=overrides) as cluster:
            yield cluster

    async def chainsaw(self) -> Shared:
        """Return what Chainsaw tests share: further clusters, and a namespace for all of them."""
        return cast("Shared", await self._shared.value("chainsaw", Instance(), self._opened, {}))

    @staticmethod
    async def _opened() -> AsyncIterator[Shared]:
        from proving_ground.chainsaw.shared import Shared  # noqa: PLC0415  # only where there is such a test

        shared = Shared()
        yield shared
        await shared.close()

    def fixtures_for(self, item: pytest.Function) -> Fixtures:
        """Return the fixtures of one check."""
        return Fixtures(item, self._shared)

    async def finish(self) -> None:
        """Tear down the shared fixtures and close the clusters, last made first.

        Raises:
            BaseException: What a tear-down raised; a group if there are several.
        """
        await self._shared.finish()
