"""Watching an API server that forgets, breaks off and lies: a small one of our own, over real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from proving_ground.fleet.http import PlainServer
from proving_ground.fleet.kubernetes import KubernetesSource
from proving_ground.fleet.listen import listen
from proving_ground.fleet.source import Change, PodChange
from proving_ground.fleet.views import PodView, pod_view
from proving_ground.kube.kubeconfig import Access

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.requests import Request

ADDRESS, PORT = f"127.253.{os.getpid() % 256}.254", 6443


def pod(name: str, uid: str = "1") -> dict[str, Any]:
    return {
        "metadata": {"namespace": "ns", "name": name, "uid": uid, "resourceVersion": "5"},
        "spec": {"nodeName": "n", "containers": [{"name": "main", "image": "i"}]},
    }


@dataclass
class Server:
    """Answers lists with its pods, and watches with one script after the other."""

    pods: list[dict[str, Any]] = field(default_factory=list)
    scripts: list[Any] = field(default_factory=list)
    """What each watch of pods gives: events, bytes, or a status code; then it waits for ever."""
    lists: int = 0
    patches: list[int] = field(default_factory=list)
    """Status codes for the next writes."""
    written: list[tuple[str, str, Any]] = field(default_factory=list)

    async def collection(self, request: Request) -> Response:
        mine = request.url.path.endswith("/pods")
        if "watch" not in request.query_params:
            self.lists += mine
            return JSONResponse({"metadata": {"resourceVersion": "1"}, "items": self.pods if mine else []})
        script = self.scripts.pop(0) if mine and self.scripts else None
        if isinstance(script, int):
            return Response(status_code=script)
        return StreamingResponse(self._play(script))

    async def _play(self, script: list[Any] | None) -> AsyncIterator[bytes]:
        for event in script or ():
            yield event if isinstance(event, bytes) else json.dumps(event).encode() + b"\n"
        if script is None:
            await asyncio.Event().wait()

    async def write(self, request: Request) -> Response:
        self.written.append((request.method, request.url.path, json.loads(await request.body() or b"null")))
        return JSONResponse({}, self.patches.pop(0) if self.patches else 200)

    def app(self) -> Starlette:
        one = "/api/v1/namespaces/{namespace}/pods/{name}"
        return Starlette(
            routes=[
                Route("/api/v1/{resource}", self.collection),
                Route(one, self.write, methods=["DELETE"]),
                Route(one + "/status", self.write, methods=["PATCH"]),
            ]
        )


def play(server: Server, scenario: Callable[[KubernetesSource], Awaitable[None]]) -> None:
    async def run() -> None:
        plain = PlainServer(server.app())
        listener = await listen(ADDRESS, PORT, plain.connect)
        source = KubernetesSource(Access(f"http://{ADDRESS}:{PORT}"))
        try:
            async with asyncio.timeout(10):
                await scenario(source)
        finally:
            listener.close()
            plain.disconnect()
            await source.close()

    asyncio.run(run())


async def take(source: KubernetesSource, number: int) -> list[Change]:
    """Take so many changes of pods."""
    taken: list[Change] = []
    async with contextlib.aclosing(source.changes()) as changes:
        async for change in changes:
            taken.append(change)
            if len(taken) == number:
                break
    return taken


def told(changes: list[Change]) -> list[tuple[str, str, bool]]:
    return [(c.pod.name, c.pod.uid, c.gone) for c in changes if isinstance(c, PodChange)]


def test_what_is_listed_and_what_is_watched_is_told() -> None:
    server = Server([pod("a")], [[{"type": "ADDED", "object": pod("b")}]])

    async def scenario(source: KubernetesSource) -> None:
        assert told(await take(source, 2)) == [("a", "1", False), ("b", "1", False)]

    play(server, scenario)


def test_a_watch_that_ends_goes_on_without_a_new_list() -> None:
    server = Server([pod("a")], [[], [{"type": "DELETED", "object": pod("a")}]])

    async def scenario(source: KubernetesSource) -> None:
        assert told(await take(source, 2)) == [("a", "1", False), ("a", "1", True)]
        assert server.lists == 1

    play(server, scenario)


def test_an_expired_watch_lists_anew_and_tells_what_is_gone() -> None:
    gone = {"type": "ERROR", "object": {"code": 410, "message": "too old"}}
    server = Server([pod("a"), pod("b")], [[gone]])

    async def scenario(source: KubernetesSource) -> None:
        async with contextlib.aclosing(source.changes()) as changes:
            first = [await anext(changes), await anext(changes)]
            server.pods = [pod("b", uid="2")]
            later = [await anext(changes) for _ in range(3)]
        assert told(first) == [("a", "1", False), ("b", "1", False)]
        assert told(later) == [("a", "1", True), ("b", "1", True), ("b", "2", False)]

    server.scripts = []
    original = server.collection

    async def expire_once(request: Request) -> Response:
        if server.lists == 1 and "watch" in request.query_params and request.url.path.endswith("/pods"):
            while len(server.pods) == 2:  # noqa: ASYNC110 -- until the scenario has changed what there is
                await asyncio.sleep(0.005)
            return Response(status_code=410)
        return await original(request)

    server.collection = expire_once  # type: ignore[method-assign]  # the first watch comes too late
    play(server, scenario)


def test_garbage_in_a_watch_is_survived() -> None:
    server = Server(
        [pod("a")],
        [[b"not json\n"], [b'{"type": "ADDED"'], 500, [{"type": "ERROR", "object": {"code": 500}}]],
    )

    async def scenario(source: KubernetesSource) -> None:
        async with contextlib.aclosing(source.changes()) as changes:
            assert told([await anext(changes)]) == [("a", "1", False)]
            while server.scripts:  # noqa: ASYNC110 -- until all have been played
                await asyncio.sleep(0.005)

    play(server, scenario)


def test_an_object_that_cannot_be_read_is_passed_over() -> None:
    broken = pod("broken") | {"spec": {"containers": [{}]}}
    server = Server([broken, pod("a")])

    async def scenario(source: KubernetesSource) -> None:
        assert told(await take(source, 1)) == [("a", "1", False)]

    play(server, scenario)


def view(name: str = "a") -> PodView:
    return pod_view(pod(name))


def test_a_status_is_written_for_that_very_pod() -> None:
    server = Server()

    async def scenario(source: KubernetesSource) -> None:
        assert await source.write_status(view(), {"phase": "Running"})
        expected = {"metadata": {"uid": "1"}, "status": {"phase": "Running"}}
        assert server.written == [("PATCH", "/api/v1/namespaces/ns/pods/a/status", expected)]

    play(server, scenario)


def test_a_write_is_repeated_until_the_server_means_its_answer() -> None:
    server = Server(patches=[503, 429, 200])

    async def scenario(source: KubernetesSource) -> None:
        assert await source.write_status(view(), {})
        assert len(server.written) == 3

    play(server, scenario)


def test_a_pod_that_is_gone_is_not_written_again() -> None:
    for status in (404, 409):
        server = Server(patches=[status])

        async def scenario(source: KubernetesSource) -> None:
            assert not await source.write_status(view(), {})

        play(server, scenario)
        assert len(server.written) == 1


def test_a_removal_names_the_pod_and_waits_for_nothing() -> None:
    server = Server()

    async def scenario(source: KubernetesSource) -> None:
        await source.remove(view())
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": "1"}}
        assert server.written == [("DELETE", "/api/v1/namespaces/ns/pods/a", options)]

    play(server, scenario)
