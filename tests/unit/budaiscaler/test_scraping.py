from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from proving_ground.budaiscaler import scraping
from proving_ground.budaiscaler.counters import Counters
from proving_ground.budaiscaler.scraping import ScrapeError, Scraper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    runner = web.ServerRunner(web.Server(handler, handler_cancellation=True), shutdown_timeout=0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def ask(
    handler: Handler, *, url: str = "", proxied: bool = False, seconds: float = 5.0, counters: Counters | None = None
) -> str:
    async def run() -> str:
        async with serving(handler) as port:
            proxy = f"http://127.0.0.1:{port}" if proxied else ""
            async with Scraper(seconds=seconds, proxy=proxy, counters=counters or Counters()) as scraper:
                target = url or f"http://127.0.0.1:{port}/metrics"
                return await scraper.page(target, source="pod", headers={"X-Key": "k"}, query={"a": "b c"})

    return asyncio.run(run())


def answering(status: int = 200, body: bytes = b"m 1\n") -> Handler:
    async def handler(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status, body=body)

    return handler


def test_a_page_is_what_the_endpoint_answers() -> None:
    assert ask(answering()) == "m 1\n"


def test_headers_and_parameters_are_sent() -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        return web.Response(text=f"{request.headers['X-Key']} {request.query['a']}")

    assert ask(handler) == "k b c"


def test_names_of_services_go_through_the_proxy() -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        return web.Response(text=request.headers["Host"])

    assert ask(handler, url="http://mock.ns.svc:8000/json", proxied=True) == "mock.ns.svc:8000"


@pytest.mark.parametrize(
    ("handler", "cause"),
    [
        (answering(503), "answered 503"),
        (answering(302), "answered 302"),
        (answering(204), "answered 204"),
        (answering(body=b"\xff\xfe"), "not UTF-8"),
    ],
)
def test_what_is_no_page_is_told(handler: Handler, cause: str) -> None:
    with pytest.raises(ScrapeError, match=cause):
        ask(handler)


def test_an_endpoint_that_does_not_answer_in_time_is_told() -> None:
    async def handler(_: web.BaseRequest) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    with pytest.raises(ScrapeError, match=r"no answer within 0\.05 s"):
        ask(handler, seconds=0.05)


def test_a_page_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scraping, "LARGEST", 1 << 10)
    with pytest.raises(ScrapeError, match="more than"):
        ask(answering(body=b"x" * 5000))


def test_a_lost_connection_may_mean_that_the_pod_has_gone() -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    with pytest.raises(ScrapeError) as caught:
        ask(handler)
    assert caught.value.lost


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[bad/", "http://127.0.0.1:99999/", "ftp://127.0.0.1/"])
def test_an_endpoint_that_cannot_be_reached_is_told(url: str) -> None:
    with pytest.raises(ScrapeError):
        ask(answering(), url=url)


def test_requests_and_those_in_vain_are_counted() -> None:
    counters = Counters()
    ask(answering(), counters=counters)
    with pytest.raises(ScrapeError):
        ask(answering(500), counters=counters)
    text = counters.text(0)
    assert 'budaiscaler_scrapes_total{source="pod"} 2' in text
    assert 'budaiscaler_scrape_failures_total{source="pod"} 1' in text
