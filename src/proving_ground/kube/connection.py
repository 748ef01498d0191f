"""HTTP connections to one API server, with retries."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import time
import weakref
from typing import TYPE_CHECKING, Any

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.kube import strictness, tls
from proving_ground.kube.counting import Requests
from proving_ground.kube.credentials import Credential, obtain
from proving_ground.kube.deadlines import until
from proving_ground.kube.errors import ApiError, StreamError, api_error
from proving_ground.kube.kubeconfig import Access, read_access
from proving_ground.kube.overrides import Overrides

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    Params = Mapping[str, str | int | bool]

LOG = logging.getLogger(__name__)
PATIENCE = 12.0
"""Seconds for which an unreachable or failing API server is asked again."""
_TRANSIENT = frozenset({429, 500, 502, 503, 504})
_UNAUTHORIZED = 401
_NOT_KNOWN_YET = "There can be a delay between when CustomResourceDefinitions are created"
_CONNECT_SECONDS = 5.0
_REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=30.0)
_CONNECTIONS = 32
"""Of requests, at once; more only queue inside the API server, and each costs a TLS handshake."""
_KEEPALIVE_SECONDS = 60.0
_STREAM_BUFFER = 1 << 20
_POSTPONED_SECONDS = 5.0
_CLOSING_SECONDS = 1.0
_AS_IT_IS = Overrides()
_LOST = (aiohttp.ClientError, OSError, TimeoutError)
_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, ConnectionRefusedError)


class Connection:
    """Requests to one API server.

    Attributes:
        server: The API server's URL.
        requests: How many requests were sent, by verb and kind; retries and watches included.
    """

    def __init__(
        self,
        access: Access,
        credential: Credential | None = None,
        *,
        patience: float = PATIENCE,
        request_timeout: float = 0.0,
        read: Callable[[], Access] | None = None,
    ) -> None:
        self._access = access
        self._request_timeout = request_timeout
        self._credential = credential or Credential()
        self._read = read
        self._patience = patience
        self._client: aiohttp.ClientSession | None = None
        self._streams: aiohttp.ClientSession | None = None
        self._replaced: list[aiohttp.ClientSession] = []
        self._renewal = asyncio.Lock()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self.requests = Requests()

    @classmethod
    async def open(
        cls,
        kubeconfig: Path,
        context: str | None = None,
        *,
        overrides: Overrides = _AS_IT_IS,
        patience: float = PATIENCE,
    ) -> Connection:
        """Read the kubeconfig, run its credential plugin if it has one, and prepare; nothing is sent yet.

        Raises:
            ConfigurationError: The kubeconfig cannot be used or has no such context.
        """

        def read() -> Access:
            return read_access(kubeconfig, context, overrides)

        access = read()
        connection = cls(
            access, await obtain(access), patience=patience, request_timeout=overrides.request_timeout, read=read
        )
        connection._prepare()
        return connection

    @classmethod
    def over(
        cls,
        connector: aiohttp.BaseConnector,
        server: str,
        *,
        patience: float = PATIENCE,
        middlewares: Sequence[aiohttp.ClientMiddlewareType] = (),
    ) -> Connection:
        """Return a connection over a connector of the caller's, who closes it, without authentication."""
        connection = cls(Access(server), patience=patience)
        connection._client = _session(connector, middlewares=middlewares, connector_owner=False)
        connection._streams = _session(connector, middlewares=middlewares, connector_owner=False)
        return connection

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._access.server

    async def close(self) -> None:
        """Close every connection."""
        sessions = [*self._replaced, self._client, self._streams]
        self._client = self._streams = None
        self._replaced.clear()
        for session in sessions:
            if session is not None:
                await session.close()
        # sessions do not know any more what was cancelled; TLS says goodbye in further turns of the loop
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_SECONDS):
                while any(opened.fileno() >= 0 for opened in self._sockets):  # noqa: ASYNC110  # nothing tells
                    await asyncio.sleep(0.001)

    def _socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        made = socket.socket(*address[:3])
        self._sockets.add(made)
        return made

    def _prepare(self) -> None:
        """Make the sessions; those that were used so far stay until the end, for what is still on its way."""
        self._replaced += [session for session in (self._client, self._streams) if session is not None]
        verified = tls.context(self._access, self._credential) if self.server.startswith("https:") else False
        self._client = _session(
            aiohttp.TCPConnector(
                ssl=verified, limit=_CONNECTIONS, keepalive_timeout=_KEEPALIVE_SECONDS, socket_factory=self._socket
            )
        )
        self._streams = _session(
            aiohttp.TCPConnector(ssl=verified, limit=0, force_close=True, socket_factory=self._socket)
        )

    def _options(self, params: Params | None, content_type: str = "") -> dict[str, Any]:
        """Return what every request says besides its method, URL and body."""
        headers = CIMultiDict(self._access.impersonate)
        if content_type:
            headers["content-type"] = content_type
        if self._credential.authorization:
            headers["authorization"] = self._credential.authorization
        options: dict[str, Any] = {"headers": headers, "allow_redirects": False}
        if params:
            options["params"] = {k: str(v).lower() if isinstance(v, bool) else v for k, v in params.items()}
        if self._access.server_name:
            options["server_hostname"] = self._access.server_name
        if self._access.proxy:
            options["proxy"] = self._access.proxy
        return options

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: object = None,
        content_type: str = "application/json",
        repeatable: bool = True,
        text: bool = False,
    ) -> Any:
        """Send a request and return the answer's JSON (or its text).

        An API server that has too many requests (429) is asked again when it says so; one that fails or cannot be
        reached is, too, after pauses that get longer. Both end with the connection's patience, or at the time that
        :func:`~proving_ground.kube.deadlines.within` tells.

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
            ConfigurationError: The kubeconfig's credential ran out, and there is no new one to be had.
        """
        content = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        url, asked = self._url(path), f"{method} {path}"
        deadline = min(time.monotonic() + self._patience, until())
        pause, renewed = 0.05, False
        while True:
            problem: str
            await self._keep_fresh()
            used = self._credential
            self.requests.note(method, path)
            try:
                asked_for = {**(params or {}), **strictness.parameters(method)}
                status, answer, retry_after = await self._exchange(
                    method, url, data=content, **self._options(asked_for, content_type if content is not None else "")
                )
            except _LOST as error:
                problem = _said(error)
                again = repeatable or isinstance(error, _NOT_SENT)
            else:
                if status < 400:  # noqa: PLR2004  # HTTP's own boundary
                    return answer.decode(errors="replace") if text else self._parsed(answer, asked)
                failure = _refusal(status, answer, asked)
                if status == _UNAUTHORIZED and not renewed:
                    renewed = True
                    await self._renew(used)
                    continue
                if status not in _TRANSIENT:
                    raise failure
                problem = str(failure)
                # Neither was accepted: too many requests, or a kind that admission does not know of yet.
                again = repeatable or status == 429 or _NOT_KNOWN_YET in problem  # noqa: PLR2004
                if not again:
                    raise failure
                pause = max(pause, retry_after)
            if not again or time.monotonic() + pause > deadline:
                raise InfrastructureError(
                    f"the API server does not answer {asked}: {problem}", where=self.server, hint="is the cluster up?"
                )
            LOG.debug("%s: %s; again in %.2f s", asked, problem, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)

    async def _exchange(self, method: str, url: URL, **options: Any) -> tuple[int, bytes, float]:
        """Send once; return the status, the body, and the seconds to wait that the answer asks for."""
        if self._client is None:
            raise InfrastructureError("the connection is closed", where=self.server)
        async with (
            asyncio.timeout(self._request_timeout or None),
            self._client.request(method, url, **options) as response,
        ):
            strictness.take(response.headers.getall("Warning", ()))
            return response.status, await response.read(), _retry_after(response)

    def _url(self, path: str) -> URL:
        return URL(self.server + path)

    def _parsed(self, answer: bytes, asked: str) -> Any:
        try:
            return json.loads(answer)
        except ValueError as error:
            raise InfrastructureError(
                f"{asked} was not answered with JSON", where=self.server, hint="is it an API server?"
            ) from error

    async def _keep_fresh(self) -> None:
        """Replace a credential that has run out; where that fails, the API server may still take the old one."""
        used = self._credential
        if used.expires > time.time():
            return
        async with self._renewal:
            if self._credential is not used:
                return
            try:
                await self._use(self._access)
            except ConfigurationError as error:
                LOG.warning("%s", error)
                later = time.time() + _POSTPONED_SECONDS
                self._credential = Credential(used.authorization, used.certificate, used.key, later)

    async def _renew(self, used: Credential) -> None:
        """Authenticate anew, once for all requests that found out together that they have to."""
        async with self._renewal:
            if self._credential is used and self._read is not None:
                await self._use(self._read())

    async def _use(self, access: Access) -> None:
        """Take the credential of a kubeconfig as it is now."""
        new, old = await obtain(access), self._credential
        other = (new.certificate, new.key, access.ca) != (old.certificate, old.key, self._access.ca)
        self._access, self._credential = access, new
        if other and self._client is not None:
            self._prepare()

    @contextlib.asynccontextmanager
    async def lines(self, path: str, params: Params, *, silence: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a stream and yield its lines as they come, however long; no retries, the caller has to resume.

        Args:
            path: URL path.
            params: Query parameters.
            silence: Seconds without a byte after which the stream counts as dead.

        Raises:
            ApiError: The API server refused it.
            StreamError: The connection failed, also while lines are read.
        """
        await self._keep_fresh()
        if self._streams is None:
            raise InfrastructureError("the connection is closed", where=self.server)
        self.requests.note("GET", path, watch=True)
        used = self._credential
        async with contextlib.AsyncExitStack() as stack:
            try:
                response = await stack.enter_async_context(
                    self._streams.get(
                        self._url(path),
                        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=silence),
                        read_bufsize=_STREAM_BUFFER,
                        **self._options(params),
                    )
                )
                if response.status >= 400:  # noqa: PLR2004  # HTTP's own boundary
                    refusal = _refusal(response.status, await response.read(), f"GET {path}")
                    refusal.retry_after = _retry_after(response)
                    if response.status == _UNAUTHORIZED and self._read is not None:
                        await self._renew(used)
                        raise StreamError(str(refusal))
                    raise refusal
            except _LOST as error:
                raise StreamError(_said(error)) from error
            yield _lines(response.content)


def _session(connector: aiohttp.BaseConnector, **options: Any) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        headers={"user-agent": "proving-ground", "accept": "application/json"},
        timeout=_REQUEST_TIMEOUT,
        skip_auto_headers=("accept-encoding",),  # compression costs more than a network near by
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        **options,
    )


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    parts: list[bytes] = []
    try:
        async for part in content.iter_any():
            first, *others = part.split(b"\n")
            parts.append(first)
            for other in others:
                yield b"".join(parts)
                parts = [other]
    except _LOST as error:
        raise StreamError(_said(error)) from error
    if rest := b"".join(parts):
        yield rest


def _retry_after(response: aiohttp.ClientResponse) -> float:
    seconds = response.headers.get("retry-after") or ""
    return float(seconds) if seconds.isdecimal() else 0.0


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _refusal(status: int, answer: bytes, asked: str) -> ApiError:
    try:
        body: object = json.loads(answer)
    except ValueError:
        body = answer.decode(errors="replace")
    return api_error(status, body, asked)
