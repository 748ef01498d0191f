"""What a test made, and its removal in reverse order."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from proving_ground.errors import InfrastructureError
from proving_ground.kube import ApiError, Reference, WaitTimeoutError

if TYPE_CHECKING:
    from typing import Any

    from proving_ground import kube


class Cleaner:
    """The objects that one step made."""

    def __init__(self) -> None:
        self._made: list[Reference] = []

    @property
    def made(self) -> tuple[Reference, ...]:
        """What was made and is not removed yet, in the order of its making."""
        return tuple(self._made)

    def add(self, obj: dict[str, Any]) -> None:
        """Remember an object that was created (not one that existed before and was changed)."""
        self._made.append(Reference.of(obj))

    async def run(self, cluster: kube.Cluster, *, propagation: str, wait: float) -> list[tuple[Reference, str]]:
        """Delete everything, last made first, and wait until each is gone.

        Args:
            cluster: Where.
            propagation: Deletion propagation policy.
            wait: Seconds that each object may take.

        Returns:
            What is left behind and why; empty when all is gone.
        """
        left: list[tuple[Reference, str]] = []
        while self._made:
            reference = self._made.pop()
            try:
                deleted = await cluster.delete(reference, propagation=propagation)  # type: ignore[arg-type]  # the loader checked it
                if deleted is not None:
                    await cluster.wait_gone(reference, timeout=wait, known=deleted)
            except WaitTimeoutError as error:
                left.append((reference, str(error)))
            except (ApiError, InfrastructureError) as error:
                left.append((reference, f"{reference} could not be deleted: {error}"))
        return left

    async def abandon(self, cluster: kube.Cluster) -> None:
        """Ask for the deletion of everything without waiting for it: the test was interrupted."""
        while self._made:
            with contextlib.suppress(ApiError):
                await cluster.delete(self._made.pop())
