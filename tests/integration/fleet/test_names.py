"""The proxy for names of Services: an HTTP client behind it talks to pods as a client in a cluster does."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from proving_ground.fleet.listen import listen
from proving_ground.fleet.names import NameProxy
from proving_ground.fleet.source import PodChange
from proving_ground.fleet.views import ContainerView

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    Stage = Any
    Play = Callable[..., None]

ADDRESS, PORT = f"127.252.{os.getpid() % 256}.1", 8083
PROXY = f"http://{ADDRESS}:{PORT}"
MOCK = ContainerView("main", "proving-ground-mocks", (("http", 8000),), args=("vllm-metrics",))


@contextlib.asynccontextmanager
async def proxied(s: Stage) -> AsyncIterator[aiohttp.ClientSession]:
    """Run the proxy, and give a client that uses it."""
    proxy = NameProxy(s.fleet)
    listener = await listen(ADDRESS, PORT, proxy.connect)
    try:
        async with aiohttp.ClientSession(proxy=PROXY) as client:
            yield client
    finally:
        listener.close()
        await proxy.close()


async def served(s: Stage, *names: str, **more: Any) -> None:
    """Run pods behind the Service ns/svc, which has port 8080."""
    for name in names:
        s.pod(name, **more)
    s.service()
    await s.ready(*names)
    await s.until(lambda: s.fleet.services.knows(("ns", "svc")))


async def raw(request: bytes) -> bytes:
    """Send bytes to the proxy and read until it closes."""
    reader, writer = await asyncio.open_connection(ADDRESS, PORT)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    "host", ["svc.ns", "svc.ns.svc", "svc.ns.svc.cluster.local", "svc.ns.svc.cluster.local.", "SVC.NS"]
)
def test_each_form_of_a_services_name_leads_to_its_pods(play: Play, host: str) -> None:
    async def scenario(s: Stage) -> None:
        await served(s, "a", model="org/a")
        async with proxied(s) as client, client.get(f"http://{host}:8080/v1/models") as answer:
            assert (await answer.json())["data"][0]["id"] == "org/a"

    play(scenario)


def test_the_addresses_of_a_service_and_of_a_pod_lead_there_too(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        await served(s, "a")
        async with proxied(s) as client:
            for url in (f"http://{s.service_address}:8080", s.address("a")):
                async with client.get(f"{url}/health") as answer:
                    assert (answer.status, answer.headers["x-inference-pod"]) == (200, "a")

    play(scenario)


def test_requests_go_to_the_pods_of_a_service_in_turn(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        await served(s, "a", "b")
        seen = set()
        async with proxied(s) as client:
            for _ in range(4):
                async with client.get("http://svc.ns:8080/health") as answer:
                    seen.add(answer.headers["x-inference-pod"])
        assert seen == {"a", "b"}

    play(scenario)


def test_a_host_header_is_as_good_as_a_whole_address(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        await served(s, "a")
        async with proxied(s):
            answer = await raw(b"GET /health HTTP/1.1\r\nHost: svc.ns:8080\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200")

    play(scenario)


def test_bodies_and_queries_are_passed_on_both_ways(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        await served(s, "a", model="org/a")
        body = {"model": "org/a", "prompt": "x" * 100_000, "max_tokens": 3, "ignore_eos": True, "stream": True}
        async with proxied(s) as client, client.post("http://svc.ns:8080/v1/completions?a=%20b", json=body) as answer:
            assert answer.status == 200
            assert (await answer.text()).endswith("data: [DONE]\n\n")

    play(scenario)


def test_a_client_that_asks_before_it_sends_its_body_is_told_to_go_on(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        await served(s, "a")
        body = b'{"prompt": "x"}'
        head = b"POST /v1/completions HTTP/1.1\r\nHost: svc.ns:8080\r\nExpect: 100-continue\r\nConnection: close\r\n"
        async with proxied(s):
            reader, writer = await asyncio.open_connection(ADDRESS, PORT)
            writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body))
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(body)
            assert (await reader.read()).startswith(b"HTTP/1.1 200")
            writer.close()

    play(scenario)


def test_headers_of_one_connection_stay_behind(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        got: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            got.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=9\r\nX-Kept: 1\r\n\r\nok")
            await writer.drain()
            writer.close()

        s.pod("a", serve="vllm-metrics")
        await s.ready("a")
        runner = s.fleet.pod("ns", "a")
        runner._listeners[0].close()
        server = await asyncio.start_server(serve, runner.address, 8000, reuse_address=True)
        headers = {"Connection": "X-Mine", "X-Mine": "1", "Proxy-Authorization": "x", "X-Kept": "1", "Keep-Alive": "9"}
        async with server, proxied(s) as client, client.get(f"{s.address('a')}/x", headers=headers) as answer:
            assert await answer.read() == b"ok"
            assert "keep-alive" not in {name.lower() for name in answer.headers}
            assert answer.headers["x-kept"] == "1"
        told = got[0].lower()
        assert b"x-kept" in told
        assert not any(name in told for name in (b"x-mine", b"proxy-authorization", b"keep-alive: 9"))

    play(scenario)


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("http://nobody.ns:8080/", 502),
        ("http://svc:8080/", 502),
        ("http://svc.ns.example.com:8080/", 502),
        ("http://localhost:8080/", 502),
        ("http://svc.ns:1/", 502),
        ("http://10.0.0.1/", 403),
        ("http://127.0.0.1:8081/", 403),
        ("http://169.254.169.254/latest/", 403),
        ("http://[::1]:8080/", 403),
        pytest.param(f"http://127.253.{os.getpid() % 256}.200:8000/", 502, id="no pod of the fleet"),
    ],
)
def test_what_is_not_the_fleets_is_refused_with_one_line(play: Play, url: str, status: int) -> None:
    async def scenario(s: Stage) -> None:
        await served(s, "a")
        async with proxied(s) as client, client.get(url) as answer:
            assert answer.status == status
            assert (await answer.text()).count("\n") == 1

    play(scenario)


def test_a_service_without_a_ready_pod_is_a_502(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.service()
        await s.until(lambda: s.fleet.services.knows(("ns", "svc")))
        async with proxied(s) as client, client.get("http://svc.ns:8080/") as answer:
            assert answer.status == 502

    play(scenario)


def test_tunnels_are_refused(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        async with proxied(s):
            answer = await raw(b"CONNECT svc.ns:443 HTTP/1.1\r\nHost: svc.ns:443\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 405")

    play(scenario)


@pytest.mark.parametrize("text", [b"\x16\x03\x01 nonsense\r\n\r\n", b"GET\r\n\r\n", b"GET http://[ HTTP/1.1\r\n\r\n"])
def test_what_is_no_http_is_refused_and_the_proxy_goes_on(play: Play, text: bytes) -> None:
    async def scenario(s: Stage) -> None:
        await served(s, "a")
        async with proxied(s) as client:
            assert (await raw(text)).startswith(b"HTTP/1.")
            async with client.get("http://svc.ns:8080/health") as answer:
                assert answer.status == 200

    play(scenario)


def test_a_pod_that_breaks_the_connection_breaks_the_clients(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        await served(s, "a", containers=(MOCK,))
        async with s.control() as control:
            await control.get("/namespaces/ns/pods/a/mock/set_failure", params={"mode": "reset"})
        async with proxied(s) as client:
            with pytest.raises(aiohttp.ClientError):
                await client.get("http://svc.ns:8080/metrics")

    play(scenario)


def test_a_pod_that_is_gone_is_not_asked_again(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        pod = s.pod("a")
        await served(s, "b")
        async with proxied(s) as client:
            for _ in range(2):
                async with client.get("http://svc.ns:8080/health") as answer:
                    assert answer.status == 200
            s.change(PodChange(pod, gone=True))
            await s.until(lambda: s.fleet.pod("ns", "a") is None)
            for _ in range(2):
                async with client.get("http://svc.ns:8080/health") as answer:
                    assert answer.headers["x-inference-pod"] == "b"

    play(scenario)
