"""Requests to endpoints of metrics: bounded in time and size, and clear about what went wrong."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Self

import aiohttp

from proving_ground.budaiscaler.names import needs_names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from proving_ground.budaiscaler.counters import Counters

LARGEST = 4 << 20
"""Bytes of an answer; a page of metrics with hundreds of models has a tenth of that."""

_CONNECTIONS = 0  # as many as there are pods
_KEPT_SECONDS = 30.0


class ScrapeError(Exception):
    """An endpoint gave no page; the message says why. `lost` says that it may have gone meanwhile."""

    def __init__(self, message: str, *, lost: bool = False) -> None:
        """Keep the cause."""
        super().__init__(message)
        self.lost = lost


class Scraper:
    """One session for all endpoints.

    Args:
        seconds: After how long an endpoint counts as silent.
        proxy: URL of the HTTP proxy that resolves the names of Services; empty: the machine's own resolver does.
        counters: What is counted.
    """

    def __init__(self, *, seconds: float, proxy: str, counters: Counters) -> None:
        self._seconds = seconds
        self._proxy = proxy
        self._counters = counters
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=False, keepalive_timeout=_KEPT_SECONDS),
            timeout=aiohttp.ClientTimeout(total=self._seconds),
            headers={"Accept": "application/json, text/plain", "User-Agent": "budaiscaler"},
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept-Encoding",),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

    async def page(
        self,
        url: str,
        *,
        source: str,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> str:
        """Return what an endpoint answers.

        Args:
            url: The endpoint.
            source: The kind of source, under which the request is counted.
            headers: More headers of the request.
            query: More parameters of the request.

        Raises:
            ScrapeError: It did not answer with a page in time.
        """
        self._counters.scraped(source)
        try:
            return await self._page(url, headers or None, query or None)
        except ScrapeError:
            self._counters.failed(source)
            raise

    async def _page(self, url: str, headers: Mapping[str, str] | None, query: Mapping[str, str] | None) -> str:
        if self._session is None:
            raise RuntimeError("the session is not open")
        proxy = self._proxy if self._proxy and needs_names(url) else None
        try:
            async with self._session.get(
                url, headers=headers, params=query, proxy=proxy, allow_redirects=False
            ) as answer:
                if answer.status != HTTPStatus.OK:
                    raise ScrapeError(f"answered {answer.status}")
                body = await answer.content.read(LARGEST + 1)
                while not answer.content.at_eof() and len(body) <= LARGEST:
                    body += await answer.content.read(LARGEST + 1 - len(body))
                if len(body) > LARGEST:
                    raise ScrapeError(f"answered with more than {LARGEST >> 20} MiB")
        except TimeoutError:
            raise ScrapeError(f"no answer within {self._seconds:g} s") from None
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError) as error:
            raise ScrapeError(f"connection failed: {_short(error)}", lost=True) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ScrapeError(f"request failed: {_short(error)}") from None
        try:
            return body.decode()
        except UnicodeDecodeError:
            raise ScrapeError("answered with bytes that are not UTF-8") from None


def _short(error: BaseException) -> str:
    return (str(error) or type(error).__name__)[:120]
