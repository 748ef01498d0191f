"""Kubernetes Events that an operator writes about its objects."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from proving_ground.kube.operator_api import ApiError

if TYPE_CHECKING:
    from proving_ground.kube.operator_api import Api

Json = Mapping[str, Any]

LONGEST_MESSAGE = 1024
"""Characters of an Event's message (validation of core/v1 Event)."""

log = logging.getLogger(__name__)


class EventWriter:
    """Writes Events, one at a time: what is for people must not hold up what the checks wait for.

    Args:
        api: Requests to the API server.
        component: Who tells.
    """

    def __init__(self, api: Api, component: str) -> None:
        self._api = api
        self._component = component
        self._turn = asyncio.Semaphore(1)

    async def write(self, about: Json, *, reason: str, message: str, warning: bool) -> None:
        """Write an Event about an object; events are for people, so a lost one is no error."""
        metadata = about["metadata"]
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{metadata['name'][:200]}.", "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "message": message[:LONGEST_MESSAGE],
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "source": {"component": self._component},
            "reportingComponent": self._component,
        }
        try:
            async with self._turn:
                await self._api.create(f"/api/v1/namespaces/{metadata['namespace']}/events", body)
        except (ApiError, TimeoutError, OSError) as error:
            log.debug("%s/%s: event not written: %s", metadata["namespace"], metadata["name"], error)
