"""Which kinds a cluster serves, asked once for each group and again when a kind is not known."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from proving_ground.kube.errors import NotFoundError
from proving_ground.kube.references import ResourceType

if TYPE_CHECKING:
    from proving_ground.kube.connection import Connection


class UnknownKindError(NotFoundError):
    """The API server serves no such kind (yet)."""


class Discovery:
    """The kinds of one cluster."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._groups: dict[str, dict[str, ResourceType]] = {}
        self._asking: dict[str, asyncio.Task[dict[str, ResourceType]]] = {}

    def known(self, api_version: str, kind: str) -> ResourceType | None:
        """Return a kind that was asked for before, without asking."""
        return self._groups.get(api_version, {}).get(kind)

    async def resolve(self, api_version: str, kind: str) -> ResourceType:
        """Return how a kind is served.

        Raises:
            UnknownKindError: Not even after asking again.
        """
        if found := self.known(api_version, kind):
            return found
        kinds = await self._ask(api_version)
        if kind not in kinds:
            raise UnknownKindError(404, "NotFound", f"the cluster serves no kind {kind} in {api_version}")
        return kinds[kind]

    async def _ask(self, api_version: str) -> dict[str, ResourceType]:
        """Fetch one group's kinds; callers that ask at the same time share one request."""
        task = self._asking.get(api_version)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._fetch(api_version))
            self._asking[api_version] = task
            task.add_done_callback(lambda _: self._asking.pop(api_version, None))
        return await asyncio.shield(task)

    async def _fetch(self, api_version: str) -> dict[str, ResourceType]:
        prefix = "/apis" if "/" in api_version else "/api"
        try:
            answer = await self._connection.request("GET", f"{prefix}/{api_version}")
        except NotFoundError:
            return {}
        kinds = parse_resources(api_version, answer)
        self._groups[api_version] = kinds
        return kinds


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
