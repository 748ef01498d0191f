"""Requests to the API server: one small session over aiohttp, which kopf brings anyway."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import kopf

from proving_ground.kube import tls
from proving_ground.kube.credentials import written

if TYPE_CHECKING:
    from types import TracebackType

    from proving_ground.kube.kubeconfig import Access

log = logging.getLogger(__name__)

Json = Mapping[str, Any]

CONNECTIONS = 32
"""More only queue inside the API server, and each costs a TLS handshake."""

REQUEST_SECONDS = 30.0

SERVED_ATTEMPTS, SERVED_PAUSE = 300, 0.1
"""How often, and how many seconds apart, a kind that is not served yet is asked for."""


class ApiError(Exception):
    """The API server refused a request."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        """Keep the HTTP status, the reason word of the Status object, and its message."""
        super().__init__(message or reason or f"HTTP {status}")
        self.status = status
        self.reason = reason
        self.message = message or reason or f"HTTP {status}"


def is_ending(error: ApiError) -> bool:
    """Tell whether the API server refused because the namespace is being deleted."""
    return error.status == HTTPStatus.FORBIDDEN and "being terminated" in error.message


def for_kopf(access: Access) -> kopf.ConnectionInfo:
    """Return how to reach a cluster, for kopf's own requests; a token that is in a file is read now."""
    scheme, _, token = written(access).authorization.partition(" ")
    return kopf.ConnectionInfo(
        server=access.server,
        ca_data=access.ca,
        insecure=access.insecure,
        certificate_data=access.certificate,
        private_key_data=access.key,
        scheme=scheme or None,
        token=token or None,
    )


def keep_lean(settings: kopf.OperatorSettings) -> None:
    """Have neither peering nor Events of kopf's own, for operators with ``on.event`` handlers only.

    For those kopf writes neither annotations nor finalizers.
    """
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.queueing.idle_timeout = 1.0
    settings.queueing.exit_timeout = 0.5
    settings.process.ultimate_exiting_timeout = 10.0


class Api:
    """A session with the API server."""

    def __init__(self, access: Access) -> None:
        """Prepare; the connection is made on entering."""
        self._access = access
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session."""
        access = self._access
        credential = written(access)
        headers = {"Authorization": credential.authorization} if credential.authorization else {}
        verified = tls.context(access, credential) if access.server.startswith("https:") else False
        self._session = aiohttp.ClientSession(
            base_url=access.server,
            connector=aiohttp.TCPConnector(limit=CONNECTIONS, ssl=verified, keepalive_timeout=60),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """Return the object or list at a path."""
        return await self._request("GET", path, query=query)

    async def find(self, path: str) -> dict[str, Any] | None:
        """Return the object at a path, or None where there is none."""
        try:
            return await self.get(path)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def until_served(self, path: str) -> None:
        """Wait until a kind is served, given the path of its collection; say so where it never is.

        A kind that was just defined answers 404 or 429 ("storage is (re)initializing") for a moment; kopf would
        wait a whole second for it.

        Raises:
            ApiError: The API server refuses for another reason.
        """
        for _ in range(SERVED_ATTEMPTS):
            try:
                await self.get(path, limit="1")
            except ApiError as error:
                if error.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS}:
                    raise
                await asyncio.sleep(SERVED_PAUSE)
            else:
                return
        log.warning("the API server does not serve %s yet", path)

    async def create(self, path: str, body: Json) -> dict[str, Any]:
        """Create an object in the collection at a path."""
        return await self._request("POST", path, body=body)

    async def replace(self, path: str, body: Json) -> dict[str, Any]:
        """Replace the object at a path."""
        return await self._request("PUT", path, body=body)

    async def merge(self, path: str, body: Json) -> dict[str, Any]:
        """Patch the object at a path (RFC 7396)."""
        return await self._request("PATCH", path, body=body, kind="application/merge-patch+json")

    async def delete(self, path: str, uid: str) -> None:
        """Delete the object at a path if it still is the one with this uid, and what it owns after it."""
        body = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        await self._request("DELETE", path, body=body)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        kind: str = "application/json",
        **options: Any,
    ) -> dict[str, Any]:
        if self._session is None:
            raise RuntimeError("the session is not open")
        headers = {"Content-Type": kind} if body is not None else {}
        query = options.get("query") or None
        async with self._session.request(method, path, json=body, headers=headers, params=query) as response:
            answer: dict[str, Any] = {}
            with contextlib.suppress(ValueError, aiohttp.ContentTypeError):
                answer = await response.json()
            if response.status >= HTTPStatus.BAD_REQUEST:
                raise ApiError(response.status, str(answer.get("reason", "")), str(answer.get("message", "")))
            return answer
