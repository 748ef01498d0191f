"""Requests to the API server: a kubeconfig read once, and one small session over aiohttp, which kopf brings anyway."""

from __future__ import annotations

import base64
import binascii
import contextlib
import dataclasses
import ssl
import tempfile
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import kopf
import yaml

from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from types import TracebackType

Json = Mapping[str, Any]

CONNECTIONS = 32
"""More only queue inside the API server, and each costs a TLS handshake."""

REQUEST_SECONDS = 30.0


class ApiError(Exception):
    """The API server refused a request."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        """Keep the HTTP status, the reason word of the Status object, and its message."""
        super().__init__(message or reason or f"HTTP {status}")
        self.status = status
        self.reason = reason
        self.message = message or reason or f"HTTP {status}"


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """How to reach a cluster: the current context of a kubeconfig, with certificates as PEM."""

    server: str
    ca: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = dataclasses.field(default=None, repr=False)
    token: str | None = dataclasses.field(default=None, repr=False)
    insecure: bool = False

    def for_kopf(self) -> kopf.ConnectionInfo:
        """Return the same for kopf's own requests."""
        return kopf.ConnectionInfo(
            server=self.server,
            ca_data=self.ca,
            insecure=self.insecure,
            certificate_data=self.certificate,
            private_key_data=self.key,
            token=self.token,
        )

    def tls(self) -> ssl.SSLContext:
        """Return the TLS settings; the key touches the disk only for the moment in which OpenSSL reads it."""
        context = ssl.create_default_context(cadata=self.ca.decode() if self.ca else None)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate and self.key:
            with tempfile.TemporaryDirectory(prefix="proving-ground-aim-") as folder:
                pair = Path(folder) / "pair.pem"
                pair.touch(mode=0o600)
                pair.write_bytes(self.key + b"\n" + self.certificate)
                context.load_cert_chain(pair)
        return context


def read_kubeconfig(path: Path) -> Access:
    """Read the current context of a kubeconfig.

    Raises:
        ConfigurationError: It cannot be read, or its current context is not complete.
    """
    where = str(path)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"the kubeconfig cannot be read: {error.strerror}", where=where) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError("the kubeconfig is not YAML", where=where) from error
    if not isinstance(data, Mapping):
        raise ConfigurationError("expected a kubeconfig, found no mapping", where=where)
    context = _named(data, "contexts", str(data.get("current-context", "")), "context", where)
    cluster = _named(data, "clusters", str(context.get("cluster", "")), "cluster", where)
    user = _named(data, "users", str(context.get("user", "")), "user", where)
    if not cluster.get("server"):
        raise ConfigurationError("the cluster of the current context has no server", where=where)
    return Access(
        server=str(cluster["server"]),
        ca=_material(cluster, "certificate-authority", path),
        certificate=_material(user, "client-certificate", path),
        key=_material(user, "client-key", path),
        token=user.get("token"),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
    )


def _named(data: Json, kind: str, name: str, field: str, where: str) -> Json:
    for item in data.get(kind) or []:
        if isinstance(item, Mapping) and item.get("name") == name and isinstance(item.get(field), Mapping):
            found: Json = item[field]
            return found
    raise ConfigurationError(f"{kind} has no entry named {name!r}", where=where)


def _material(section: Json, field: str, path: Path) -> bytes | None:
    try:
        if data := section.get(f"{field}-data"):
            return base64.b64decode(str(data), validate=True)
        if file := section.get(field):
            return (path.parent / str(file)).read_bytes()
    except (binascii.Error, OSError) as error:
        raise ConfigurationError(f"{field} cannot be read: {error}", where=str(path)) from error
    return None


class Api:
    """A session with the API server."""

    def __init__(self, access: Access) -> None:
        """Prepare; the connection is made on entering."""
        self._access = access
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session."""
        access = self._access
        headers = {"Authorization": f"Bearer {access.token}"} if access.token else {}
        tls = access.tls() if access.server.startswith("https") else False
        self._session = aiohttp.ClientSession(
            base_url=access.server,
            connector=aiohttp.TCPConnector(limit=CONNECTIONS, ssl=tls, keepalive_timeout=60),
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
