"""Kubernetes Events about services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proving_ground.aim import objects
from proving_ground.kube.operator_events import EventWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proving_ground.aim.status import Status
    from proving_ground.kube.operator_api import Api

    Json = Mapping[str, Any]


class Announcer:
    """Tells of changes of the status word."""

    def __init__(self, api: Api) -> None:
        """Use a session with the API server."""
        self._writer = EventWriter(api, objects.MANAGER)

    async def tell(self, service: Json, status: Status) -> None:
        """Write an Event about a change of the status word."""
        bad = status.status in {"Failed", "Degraded"}
        reason = status.reason if bad else status.status
        await self._writer.write(service, reason=reason, message=status.message, warning=bad)
