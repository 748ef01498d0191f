"""Where pods come from: the border between the fleet's logic and Kubernetes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from proving_ground.fleet.views import PodView, ServiceView


@dataclass(frozen=True, slots=True)
class PodChange:
    """A pod that came, changed or went."""

    pod: PodView
    gone: bool = False


@dataclass(frozen=True, slots=True)
class ServiceChange:
    """A Service that came, changed or went."""

    service: ServiceView
    gone: bool = False


@dataclass(frozen=True, slots=True)
class NamespaceChange:
    """A namespace that came, changed or went, with the faults that it names."""

    name: str
    faults: frozenset[str] | None
    gone: bool = False
    terminating: bool = False


Change = PodChange | ServiceChange | NamespaceChange


class PodSource(Protocol):
    """Says what pods there are, and is told what became of them."""

    def changes(self) -> AsyncIterator[Change]:
        """Give all that is there, then every change, for ever; survives the loss of what it watches."""

    async def namespace_faults(self, name: str) -> frozenset[str] | None:
        """Ask for the faults that a namespace names, now; None if it names none or is gone."""

    async def write_status(self, pod: PodView, status: Mapping[str, Any]) -> bool:
        """Replace a pod's status; returns whether that very pod is still there. Retries until it knows."""

    async def remove(self, pod: PodView) -> None:
        """End a pod's graceful deletion. Retries until that is done or needless."""

    async def tell(self, pod: PodView, reason: str, message: str) -> None:
        """Record a warning event about a pod; best effort."""
