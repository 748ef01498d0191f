"""One pool of HTTP connections to one API server, with retries."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import ssl
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.kube.errors import ApiError, api_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from kr8s._auth import KubeAuth

LOG = logging.getLogger(__name__)
PATIENCE = 12.0
"""Seconds for which an unreachable or failing API server is asked again."""
_TRANSIENT = frozenset({429, 500, 502, 503, 504})
_UNAUTHORIZED = 401
_REQUEST_TIMEOUT = httpx.Timeout(30.0, connect=5.0, pool=None)
_LIMITS = httpx.Limits(max_connections=32, max_keepalive_connections=32, keepalive_expiry=60.0)
_STREAM_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=0)


class Connection:
    """Requests to one API server.

    Attributes:
        server: The API server's URL.
        requests: How many requests were sent, retries and watches included.
    """

    def __init__(self, auth: KubeAuth | None, *, patience: float = PATIENCE, server: str = "") -> None:
        self._auth = auth
        self._server = server
        self._patience = patience
        self._client: httpx.AsyncClient | None = None
        self._streams: httpx.AsyncClient | None = None
        self._renewal = asyncio.Lock()
        self.requests = 0

    @classmethod
    async def open(cls, kubeconfig: Path, context: str | None = None, *, patience: float = PATIENCE) -> Connection:
        """Read the kubeconfig and prepare the pool; nothing is sent yet.

        Raises:
            ConfigurationError: The kubeconfig cannot be read or has no such context.
        """
        # kr8s costs a second of CPU to import, which a collection without a cluster should not pay. Its
        # authentication is used alone: its own client would first ask for the version and warn about a newer one.
        from kr8s._auth import KubeAuth  # noqa: PLC0415

        if not await asyncio.to_thread(kubeconfig.is_file):
            raise ConfigurationError("there is no kubeconfig", where=str(kubeconfig))
        auth = KubeAuth(kubeconfig=str(kubeconfig), context=context, serviceaccount="")
        try:
            await auth.reauthenticate()
        except Exception as error:
            raise ConfigurationError(f"the kubeconfig cannot be used: {error}", where=str(kubeconfig)) from error
        connection = cls(auth, patience=patience)
        await connection._prepare(auth)
        return connection

    @classmethod
    def over(cls, transport: httpx.AsyncBaseTransport, server: str, *, patience: float = PATIENCE) -> Connection:
        """Return a connection over a transport of the caller's, without authentication."""
        connection = cls(None, patience=patience, server=server)
        connection._client, connection._streams = (
            httpx.AsyncClient(base_url=server, transport=transport, trust_env=False) for _ in range(2)
        )
        return connection

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._auth.server if self._auth else self._server

    async def close(self) -> None:
        """Close every connection."""
        for client in (self._client, self._streams):
            if client is not None:
                await client.aclose()
        self._client = self._streams = None

    async def _prepare(self, auth: KubeAuth) -> None:
        try:
            verify = await auth.ssl_context()  # type: ignore[no-untyped-call]  # kr8s leaves it so
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"the certificates of the kubeconfig cannot be used: {error}", where=self.server
            ) from error
        finally:
            _forget_temporary_files(auth)
        headers = {"user-agent": "proving-ground", "accept": "application/json"}
        if auth.token:
            headers["authorization"] = f"Bearer {auth.token}"
        old = (self._client, self._streams)

        def client(limits: httpx.Limits) -> httpx.AsyncClient:
            return httpx.AsyncClient(
                base_url=auth.server,
                headers=headers,
                verify=verify,
                limits=limits,
                timeout=_REQUEST_TIMEOUT,
                proxy=auth.proxy,
                trust_env=False,
            )

        self._client, self._streams = client(_LIMITS), client(_STREAM_LIMITS)
        for used in old:
            if used is not None:
                await used.aclose()

    def _extensions(self) -> dict[str, Any]:
        name = self._auth.tls_server_name if self._auth else None
        return {"sni_hostname": name} if name else {}

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int | bool] | None = None,
        body: object = None,
        content_type: str = "application/json",
        repeatable: bool = True,
        text: bool = False,
    ) -> Any:
        """Send a request and return the answer's JSON (or its text).

        Args:
            method: HTTP method.
            path: URL path.
            params: Query parameters.
            body: Value that is sent as JSON.
            content_type: Media type of the body (patches have their own).
            repeatable: Whether sending it twice does no harm. If not, it is sent again only when it surely
                was not accepted (no connection, or status 429).
            text: Whether the answer is text.

        Raises:
            ApiError: The API server refused it; its subclasses name the usual reasons.
            InfrastructureError: The API server could not be reached, or kept failing.
        """
        content = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = {"content-type": content_type} if content is not None else None
        deadline = time.monotonic() + self._patience
        pause, renewed = 0.05, False
        while True:
            problem: str
            client = self._client
            if client is None:
                raise InfrastructureError("the connection is closed", where=self.server)
            self.requests += 1
            try:
                response = await client.request(
                    method, path, params=params, content=content, headers=headers, extensions=self._extensions()
                )
            except (httpx.HTTPError, ssl.SSLError, OSError) as error:
                problem = f"{type(error).__name__}: {error}".rstrip(": ")
                again = repeatable or isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            else:
                if response.status_code < 400:  # noqa: PLR2004  # HTTP's own boundary
                    return response.text if text else response.json()
                failure = _refusal(response, f"{method} {path}")
                if response.status_code == _UNAUTHORIZED and not renewed:
                    renewed = True
                    await self._renew(client)
                    continue
                if response.status_code not in _TRANSIENT:
                    raise failure
                problem = str(failure)
                again = repeatable or response.status_code == 429  # noqa: PLR2004  # too many requests
                if not again:
                    raise failure
                pause = max(pause, min(float(response.headers.get("retry-after") or 0), 1.0))
            if not again or time.monotonic() + pause > deadline:
                raise InfrastructureError(
                    f"the API server does not answer {method} {path}: {problem}",
                    where=self.server,
                    hint="is the cluster up?",
                )
            LOG.debug("%s %s: %s; again in %.2f s", method, path, problem, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)

    async def _renew(self, used: httpx.AsyncClient) -> None:
        """Authenticate anew (a token expired), once for all requests that found out together."""
        async with self._renewal:
            if self._client is used and self._auth is not None:
                await self._auth.reauthenticate()
                await self._prepare(self._auth)

    @contextlib.asynccontextmanager
    async def lines(
        self, path: str, params: Mapping[str, str | int | bool], *, silence: float
    ) -> AsyncIterator[AsyncIterator[str]]:
        """Open a stream and yield its lines as they come; no retries, the caller has to resume.

        Args:
            path: URL path.
            params: Query parameters.
            silence: Seconds without a byte after which the stream counts as dead.

        Raises:
            ApiError: The API server refused it.
            httpx.HTTPError: The connection failed.
        """
        if self._streams is None:
            raise InfrastructureError("the connection is closed", where=self.server)
        self.requests += 1
        timeout = httpx.Timeout(silence, connect=5.0)
        async with self._streams.stream(
            "GET", path, params=params, timeout=timeout, extensions=self._extensions()
        ) as response:
            if response.is_error:
                await response.aread()
                raise _refusal(response, f"GET {path}")
            yield response.aiter_lines()


def _refusal(response: httpx.Response, request: str) -> ApiError:
    try:
        body: object = response.json()
    except ValueError:
        body = response.text
    return api_error(response.status_code, body, request)


def _forget_temporary_files(auth: KubeAuth) -> None:
    """Remove the keys and certificates that kr8s wrote out of an inline kubeconfig: they are loaded by now."""
    user, cluster = auth._user, auth._cluster  # noqa: SLF001  # kr8s has no accessor
    for source, key, written in (
        (user, "client-key-data", auth.client_key_file),
        (user, "client-certificate-data", auth.client_cert_file),
        (cluster, "certificate-authority-data", auth.server_ca_file),
    ):
        if written and key in source and Path(str(written)).parent == Path(tempfile.gettempdir()):
            Path(str(written)).unlink(missing_ok=True)
