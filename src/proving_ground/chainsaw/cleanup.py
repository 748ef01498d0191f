"""What a test made, and its removal in reverse order."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from proving_ground.errors import InfrastructureError
from proving_ground.kube import ApiError, Reference, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from proving_ground import kube


class Cleaner:
    """The objects that one step made."""

    def __init__(self) -> None:
        self._made: list[tuple[Reference, kube.Cluster]] = []

    @property
    def made(self) -> tuple[Reference, ...]:
        """What was made and is not removed yet, in the order of its making."""
        return tuple(reference for reference, _ in self._made)

    def add(self, obj: dict[str, Any], cluster: kube.Cluster) -> None:
        """Remember an object that was created (not one that existed before and was changed), and where."""
        self._made.append((Reference.of(obj), cluster))

    async def run(self, *, propagation: str, wait: Callable[[], float]) -> list[tuple[Reference, str]]:
        """Delete everything, last made first, and wait until each is gone.

        Args:
            propagation: Deletion propagation policy.
            wait: Tells how many seconds the next object may take.

        Returns:
            What is left behind and why; empty when all is gone.
        """
        left: list[tuple[Reference, str]] = []
        while self._made:
            reference, cluster = self._made.pop()
            try:
                deleted = await cluster.delete(reference, propagation=propagation)  # type: ignore[arg-type]  # the loader checked it
                if deleted is not None:
                    await cluster.wait_gone(reference, timeout=wait(), known=deleted)
            except WaitTimeoutError as error:
                left.append((reference, str(error)))
            except (ApiError, InfrastructureError) as error:
                left.append((reference, f"{reference} could not be deleted: {error}"))
        return left

    async def abandon(self) -> None:
        """Ask for the deletion of everything without waiting for it: the test was interrupted."""
        while self._made:
            reference, cluster = self._made.pop()
            with contextlib.suppress(ApiError):
                await cluster.delete(reference)
