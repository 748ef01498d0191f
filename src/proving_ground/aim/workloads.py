"""Makes and removes the objects of a service on the cluster."""

from __future__ import annotations

import asyncio
import http
import logging
from typing import TYPE_CHECKING, Any

from proving_ground.aim import objects
from proving_ground.kube.operator_api import Api, ApiError, is_ending

if TYPE_CHECKING:
    from collections.abc import Mapping

    Json = Mapping[str, Any]

log = logging.getLogger(__name__)


class Workloads:
    """The Deployments and Services behind AIMServices."""

    def __init__(self, api: Api) -> None:
        """Use a session with the API server."""
        self._api = api

    async def make(self, deployment: dict[str, Any], endpoint: dict[str, Any]) -> str:
        """Make both objects as they are given, side by side.

        Returns:
            Why the API server refuses them, empty if it does not.

        Raises:
            ApiError: It cannot be done now, but perhaps later.
        """
        namespace = deployment["metadata"]["namespace"]
        try:
            await asyncio.gather(
                self._ensure(f"/apis/apps/v1/namespaces/{namespace}/deployments", deployment),
                self._ensure(f"/api/v1/namespaces/{namespace}/services", endpoint),
            )
        except ApiError as error:
            if error.status not in {http.HTTPStatus.UNPROCESSABLE_ENTITY, http.HTTPStatus.FORBIDDEN}:
                raise
            if is_ending(error):
                raise
            return error.message
        return ""

    async def remove(self, namespace: str, service: str, uid: str) -> None:
        """Remove what the AIMService with this uid owns."""
        name = objects.predictor(service)
        for path in (
            f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}",
            f"/api/v1/namespaces/{namespace}/services/{name}",
        ):
            try:
                found = await self._api.find(path)
                if found is not None and _owner_uid(found) == uid:
                    await self._api.delete(path, found["metadata"]["uid"])
            except (ApiError, TimeoutError, OSError) as error:
                log.info("%s: left to the garbage collector: %s", path, error)

    async def _ensure(self, collection: str, desired: dict[str, Any]) -> None:
        try:
            await self._api.create(collection, desired)
        except ApiError as error:
            if error.status != http.HTTPStatus.CONFLICT:
                raise
        else:
            return
        path = f"{collection}/{desired['metadata']['name']}"
        found = await self._api.get(path)
        mine, theirs = (_owner_uid(body) for body in (desired, found))
        if mine != theirs and theirs:
            raise ApiError(http.HTTPStatus.CONFLICT, "Conflict", f"{path} still belongs to an earlier service")
        if desired["kind"] == "Deployment" and _annotations(found).items() >= _annotations(desired).items():
            return
        if desired["kind"] == "Deployment":
            await self._api.replace(path, desired)


def _owner_uid(body: Json) -> str:
    owners = body["metadata"].get("ownerReferences") or [{}]
    return str(owners[0].get("uid", ""))


def _annotations(body: Json) -> Mapping[str, str]:
    found: Mapping[str, str] = body["metadata"].get("annotations") or {}
    return found
