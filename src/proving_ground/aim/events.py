"""Kubernetes Events about services."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from typing import TYPE_CHECKING, Any

from proving_ground.aim import objects
from proving_ground.aim.access import Api, ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proving_ground.aim.status import Status

    Json = Mapping[str, Any]

LONGEST_MESSAGE = 1024
"""Characters of an Event's message (validation of core/v1 Event)."""

log = logging.getLogger(__name__)


class Announcer:
    """Writes Events, one at a time: what is for people must not hold up what the checks wait for."""

    def __init__(self, api: Api) -> None:
        """Use a session with the API server."""
        self._api = api
        self._turn = asyncio.Semaphore(1)

    async def tell(self, service: Json, status: Status) -> None:
        """Write an Event about a change of the status word; events are for people, so a lost one is no error."""
        metadata = service["metadata"]
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        bad = status.status in {"Failed", "Degraded"}
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{metadata['name'][:200]}.", "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": service["apiVersion"],
                "kind": service["kind"],
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "type": "Warning" if bad else "Normal",
            "reason": status.reason if bad else status.status,
            "message": status.message[:LONGEST_MESSAGE],
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "source": {"component": objects.MANAGER},
            "reportingComponent": objects.MANAGER,
        }
        try:
            async with self._turn:
                await self._api.create(f"/api/v1/namespaces/{metadata['namespace']}/events", body)
        except (ApiError, TimeoutError, OSError) as error:
            log.debug("%s/%s: event not written: %s", metadata["namespace"], metadata["name"], error)
