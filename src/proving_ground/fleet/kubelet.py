"""The part of the kubelet's API that the API server asks for: logs of containers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from proving_ground.fleet.logs import LogRequest, PodLog

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request

FindLog = Callable[[str, str], PodLog | None]


def _whole(query: QueryParams, name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal():
        raise ValueError(f"{name}: expected a whole number, found {text[:40]!r}")
    return int(text)


def log_request(query: QueryParams, now: dt.datetime) -> LogRequest:
    """Read the options of a log request.

    Raises:
        ValueError: One of them cannot be understood.
    """
    seconds, moment = _whole(query, "sinceSeconds"), query.get("sinceTime")
    since = dt.datetime.fromisoformat(moment) if moment else None
    if since is None and seconds is not None:
        since = now - dt.timedelta(seconds=min(seconds, 10**9))
    return LogRequest(
        follow=query.get("follow") in {"true", "1"},
        tail=_whole(query, "tailLines"),
        timestamps=query.get("timestamps") in {"true", "1"},
        since=since,
        limit_bytes=_whole(query, "limitBytes"),
    )


def kubelet_app(find: FindLog) -> Starlette:
    """Return the application.

    Args:
        find: Finds the logs of a pod by namespace and name.
    """

    async def container_logs(request: Request) -> Response:
        place = request.path_params
        logs = find(place["namespace"], place["pod"])
        if logs is None:
            return PlainTextResponse(f"pod {place['namespace']}/{place['pod']} is not known to the fleet\n", 404)
        if place["container"] not in logs.containers:
            return PlainTextResponse(f"container {place['container']} is not in this pod\n", 404)
        query = request.query_params
        log = logs.of(place["container"], previous=query.get("previous") in {"true", "1"})
        if log is None:
            return PlainTextResponse(f"container {place['container']} has no such log\n", 400)
        try:
            wanted = log_request(query, dt.datetime.now(tz=dt.UTC))
        except ValueError as error:
            return PlainTextResponse(f"{error}\n", 400)
        return StreamingResponse(log.read(wanted), media_type="text/plain")

    async def not_simulated(_: Request) -> Response:
        return PlainTextResponse("simulated pods have no processes to attach to\n", 501)

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok")

    return Starlette(
        routes=[
            Route("/containerLogs/{namespace}/{pod}/{container}", container_logs),
            Route("/healthz", health),
            *(
                Route(f"/{verb}/{{rest:path}}", not_simulated, methods=["GET", "POST"])
                for verb in ("exec", "attach", "portForward", "run")
            ),
        ]
    )
