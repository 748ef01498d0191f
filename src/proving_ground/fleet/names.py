"""The names of Services: an HTTP proxy that finds what they name, as the DNS and the routes of a cluster do."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, ClassVar

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator

    from multidict import CIMultiDictProxy
    from yarl import URL

    from proving_ground.fleet.fleet import Fleet
    from proving_ground.fleet.services import Place

CLUSTER_DOMAIN = "svc.cluster.local"
HTTP_PORT = 80
_CONNECT_SECONDS = 2.0
_CHUNK = 64 * 1024
_HOP_BY_HOP = frozenset(
    {
        "connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
        "te",  # codespell:ignore te
        "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
"""Headers of one connection (RFC 9110, section 7.6.1), and the one that is answered here."""


class RouteError(Exception):
    """A request cannot be passed on.

    Args:
        status: The HTTP status that says so.
        text: One line about why.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def service_of(host: str) -> tuple[str, str] | None:
    """Return namespace and name of the Service that a host names.

    Args:
        host: ``NAME.NAMESPACE``, alone or with ``.svc`` or ``.svc.cluster.local``, and perhaps a last dot.
    """
    labels = host.lower().removesuffix(".").split(".")
    if len(labels) < 2 or not all(labels[:2]) or ".".join(labels[2:]) not in {"", "svc", CLUSTER_DOMAIN}:  # noqa: PLR2004 -- name and namespace
        return None
    return labels[1], labels[0]


def route(fleet: Fleet, host: str, port: int) -> Place:
    """Find the pod that answers a request.

    Args:
        fleet: Whose Services and pods there are.
        host: A name of a Service, or the address of a Service or pod.
        port: The port of the Service or pod.

    Returns:
        The pod's address and port.

    Raises:
        RouteError: Nobody answers there (502), or it is no address of the fleet (403).
    """
    desk = fleet.services
    try:
        address = str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        key = service_of(host)
        if key is None or not desk.knows(key):
            raise RouteError(502, f"no Service is named {host[:253]}") from None
    else:
        if address in fleet.addresses:
            runner = next((r for r in fleet.pods if r.address == address and r.port(port) is not None), None)
            if runner is None:
                raise RouteError(502, f"no pod listens on {address}:{port}")
            return address, port
        key = next((service.key for service in desk.services if service.address == address), None)
        if key is None:
            raise RouteError(403, f"{address} is no address of a pod or Service")
    picked = desk.pick(key, port)
    if picked is None:
        raise RouteError(502, f"no pod answers for port {port} of Service {key[0]}/{key[1]}")
    return picked[0].address, picked[1]


def _passed(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """Return the headers that go on to the other side."""
    named = {name.strip().lower() for line in headers.getall("connection", ()) for name in line.split(",")}
    dropped = _HOP_BY_HOP | named
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in dropped)


class NameProxy:
    """An HTTP proxy for the names of a fleet's Services.

    Args:
        fleet: Whose Services and pods there are.
    """

    _NO_DEFAULTS: ClassVar = ("accept", "accept-encoding", "content-type", "user-agent")

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._server: web.Server | None = None
        self._opened: aiohttp.ClientSession | None = None

    def connect(self) -> asyncio.BaseProtocol:
        """Return the protocol of a new connection."""
        if self._server is None:
            self._server = web.Server(self._handle, access_log=None, handler_cancellation=True)
        return self._server()

    async def close(self) -> None:
        """Break every connection."""
        if self._server is not None:
            await self._server.shutdown(0.0)
        if self._opened is not None:
            await self._opened.close()

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            self._opened = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=15),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=self._NO_DEFAULTS,
            )
        return self._opened

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "CONNECT":
            return web.Response(status=405, text="expected a plain HTTP request, found CONNECT\n")
        url = request.url
        if url.scheme != "http" or not url.host:
            return web.Response(status=502, text=f"expected an http address, found {str(url)[:200]}\n")
        try:
            address, port = route(self._fleet, url.host, url.port or HTTP_PORT)
        except RouteError as error:
            return web.Response(status=error.status, text=f"{error}\n")
        if request.headers.get("expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        return await self._pass_on(request, url.with_host(address).with_port(port))

    async def _pass_on(self, request: web.BaseRequest, url: URL) -> web.StreamResponse:
        try:
            sent = await self._session.request(
                request.method,
                url,
                headers=_passed(request.headers),
                data=_body(request) if request.can_read_body else None,
                allow_redirects=False,
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return web.Response(status=502, text=f"{url.host}:{url.port} does not accept connections\n")
        except (aiohttp.ClientError, OSError):
            return _broken(request)
        async with sent as found:
            answer = web.StreamResponse(status=found.status, reason=found.reason, headers=_passed(found.headers))
            await answer.prepare(request)
            try:
                async for part in found.content.iter_chunked(_CHUNK):
                    await answer.write(part)
                await answer.write_eof()
            except (aiohttp.ClientError, OSError):
                return _broken(request)
        return answer


async def _body(request: web.BaseRequest) -> AsyncIterator[bytes]:
    async for part in request.content.iter_any():
        yield part


def _broken(request: web.BaseRequest) -> web.StreamResponse:
    """Break the client's connection, as the pod has broken its own."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)
