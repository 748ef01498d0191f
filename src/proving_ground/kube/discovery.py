"""Which kinds a cluster serves, asked once for each group and again when a kind is not known."""

from __future__ import annotations

import asyncio
import contextvars
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proving_ground.kube.errors import NotFoundError
from proving_ground.kube.references import ResourceType

if TYPE_CHECKING:
    from proving_ground.kube.connection import Connection

_INTERVAL_SECONDS = 0.25
"""A group is asked for at most that often, however many wait for a kind of it."""


class UnknownKindError(NotFoundError):
    """The API server serves no such kind (yet)."""

    def __init__(self, api_version: str, kind: str) -> None:
        super().__init__(404, "NotFound", f"the cluster serves no kind {kind} in {api_version}")


@dataclass(frozen=True, slots=True)
class _Round:
    """What one request found, and when (``time.monotonic``) it was sent."""

    kinds: dict[str, ResourceType]
    sent: float


class Discovery:
    """The kinds of one cluster."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._groups: dict[str, dict[str, ResourceType]] = {}
        self._sent: dict[str, float] = {}
        self._asking: dict[str, asyncio.Task[_Round]] = {}

    def known(self, api_version: str, kind: str) -> ResourceType | None:
        """Return a kind that was asked for before, without asking."""
        return self._groups.get(api_version, {}).get(kind)

    def forget(self, api_version: str) -> None:
        """Ask again before the next use: what is known about a group was wrong."""
        self._groups.pop(api_version, None)

    async def resolve(self, api_version: str, kind: str) -> ResourceType:
        """Return how a kind is served.

        Raises:
            UnknownKindError: Not even after asking again, later than this call.
        """
        if found := self.known(api_version, kind):
            return found
        called = time.monotonic()
        while True:
            found_now = await self._ask(api_version)
            if kind in found_now.kinds:
                return found_now.kinds[kind]
            if found_now.sent >= called:
                raise UnknownKindError(api_version, kind)

    async def _ask(self, api_version: str) -> _Round:
        """Fetch one group's kinds; callers that ask at the same time share one request."""
        task = self._asking.get(api_version)
        if task is None:
            # in a context of its own: the one who happens to be first has a deadline, the others have not
            task = asyncio.get_running_loop().create_task(self._fetch(api_version), context=contextvars.Context())
            self._asking[api_version] = task
            task.add_done_callback(lambda _: self._asking.pop(api_version, None))
        return await asyncio.shield(task)

    async def _fetch(self, api_version: str) -> _Round:
        since = time.monotonic() - self._sent.get(api_version, -math.inf)
        if since < _INTERVAL_SECONDS:
            await asyncio.sleep(_INTERVAL_SECONDS - since)
        self._sent[api_version] = sent = time.monotonic()
        prefix = "/apis" if "/" in api_version else "/api"
        try:
            answer = await self._connection.request("GET", f"{prefix}/{api_version}")
        except NotFoundError:
            self.forget(api_version)
            return _Round({}, sent)
        kinds = parse_resources(api_version, answer)
        self._groups[api_version] = kinds
        return _Round(kinds, sent)


def parse_resources(api_version: str, document: dict[str, Any]) -> dict[str, ResourceType]:
    """Return the kinds of an APIResourceList by name; subresources are left out."""
    kinds: dict[str, ResourceType] = {}
    for entry in document.get("resources") or []:
        if "/" in entry["name"]:
            continue
        kinds[entry["kind"]] = ResourceType(
            api_version,
            entry["kind"],
            entry["name"],
            bool(entry.get("namespaced")),
            frozenset(entry.get("verbs") or ()),
        )
    return kinds
