"""The factory ``openai``: a mock of an inference server with the OpenAI API, as vLLM serves it."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from proving_ground.fleet.factories.answers import ApiError, plan_of, stream_answer, whole_answer
from proving_ground.fleet.factories.embeddings import EmbeddingRequest, embeddings
from proving_ground.fleet.factories.engine import engine_of
from proving_ground.fleet.factories.failures import FAILURE_HEADER, failure_named
from proving_ground.fleet.factories.misbehaving import Misbehaving
from proving_ground.fleet.factories.openai_requests import ChatRequest, CompletionRequest
from proving_ground.fleet.factories.vllm_metrics import CONTENT_TYPE
from proving_ground.fleet.http import replica_of
from proving_ground.fleet.inference import read_fake_metrics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from proving_ground.fleet.replica import Replica

_Asked = TypeVar("_Asked", bound=BaseModel)
VERSION = "0.11.0"
"""The version of vLLM whose API this is."""
_MODEL_CREATED = 1700000000
BODY_LIMIT = 32 * 1024 * 1024


def _headers(request: Request, replica: Replica) -> dict[str, str]:
    return {
        "x-request-id": request.headers.get("x-request-id") or uuid.uuid4().hex,
        "x-inference-pod": replica.name,
        "x-inference-namespace": replica.namespace,
    }


def _error(error: ApiError, headers: dict[str, str]) -> Response:
    return JSONResponse(error.body(), error.status, headers)


def _loading() -> ApiError:
    return ApiError(503, "The model is still loading.", "ServiceUnavailableError")


async def _health(request: Request) -> Response:
    replica = replica_of(request.scope)
    return Response(status_code=200 if replica.ready else 503, headers=_headers(request, replica))


async def _version(request: Request) -> Response:
    return JSONResponse({"version": VERSION}, headers=_headers(request, replica_of(request.scope)))


async def _models(request: Request) -> Response:
    replica = replica_of(request.scope)
    headers = _headers(request, replica)
    if not replica.ready:
        return _error(_loading(), headers)
    model = replica.served_model
    card = {
        "id": model,
        "object": "model",
        "created": _MODEL_CREATED,
        "owned_by": "vllm",
        "root": model,
        "parent": None,
        "max_model_len": replica.behaviour.speed.max_model_len,
        "permission": [],
    }
    return JSONResponse({"object": "list", "data": [card]}, headers=headers)


async def _metrics(request: Request) -> Response:
    """Answer for a replica that still loads; the front answers for one that is ready."""
    return _error(_loading(), _headers(request, replica_of(request.scope)))


async def _fake_metrics(request: Request) -> Response:
    replica = replica_of(request.scope)
    headers = _headers(request, replica)
    try:
        fake = read_fake_metrics(await _body(request))
    except ApiError as error:
        return _error(error, headers)
    except ValueError as error:
        return _error(ApiError(400, str(error)), headers)
    engine_of(replica).metrics.fake = fake
    return JSONResponse({"status": "ok"}, headers=headers)


async def _body(request: Request) -> Any:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_LIMIT:
            raise ApiError(413, f"The body is larger than {BODY_LIMIT} bytes.")
        parts.append(part)
    try:
        return json.loads(b"".join(parts))
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"The body is not valid JSON: {error}") from error


def _explain(error: ValidationError) -> ApiError:
    first = error.errors(include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return ApiError(400, f"{field}: {first['msg']}" if field else str(first["msg"]), param=field or None)


async def _embeddings(request: Request) -> Response:
    replica = replica_of(request.scope)
    headers = _headers(request, replica)
    try:
        asked = _valid(EmbeddingRequest, await _body(request), replica, request.headers.get(FAILURE_HEADER))
        return JSONResponse(embeddings(asked, replica.served_model), headers=headers)
    except ApiError as error:
        return _error(error, headers)
    except ClientDisconnect:
        return Response(status_code=400, headers=headers)


def _inference(kind: type[ChatRequest | CompletionRequest]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        replica = replica_of(request.scope)
        headers = _headers(request, replica)
        try:
            asked = _valid(kind, await _body(request), replica, request.headers.get(FAILURE_HEADER))
            plan = plan_of(asked, replica)
        except ApiError as error:
            return _error(error, headers)
        except ClientDisconnect:
            return Response(status_code=400, headers=headers)
        if plan.request.stream:
            return stream_answer(plan, replica, headers, request.is_disconnected)
        return JSONResponse(await whole_answer(plan, replica), headers=headers)

    return endpoint


def _valid(kind: type[_Asked], body: object, replica: Replica, asked: str | None) -> _Asked:
    """Turn a body into a request, or an error of the API."""
    replica.requests += 1
    if not replica.ready:
        raise _loading()
    if replica.behaviour.crash_on_request:
        replica.crash("Fatal error: an illegal memory access was encountered while serving a request")
        raise _loading()
    if replica.behaviour.answers_500:
        replica.log.write("ERROR: EngineCore encountered an issue. See stack trace for the root cause.")
        raise ApiError(500, "EngineCore encountered an issue.", "InternalServerError")
    failure = failure_named(asked) if asked is not None else engine_of(replica).failures.next()
    if failure is not None:
        raise ApiError(failure.status, failure.message, failure.kind)
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise _explain(error) from error


async def _no_such_path(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "Internal Server Error"
    return JSONResponse({"detail": detail}, status, getattr(error, "headers", None))


async def _ping(_: Request) -> Response:
    return PlainTextResponse("")


class _Front:
    """Answers readers of metrics before anything else: they come far more often than all others."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/metrics" and scope["method"] in {"GET", "HEAD"}:
            replica = replica_of(scope)
            if replica.ready:
                page = engine_of(replica).page()
                headers = [(b"content-type", CONTENT_TYPE.encode()), (b"content-length", b"%d" % len(page))]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": page})
                return
        await self._app(scope, receive, send)


def openai_app() -> ASGIApp:
    """Return the application that all replicas of this factory share."""
    app = Starlette(
        routes=[
            Route("/v1/chat/completions", _inference(ChatRequest), methods=["POST"]),
            Route("/v1/completions", _inference(CompletionRequest), methods=["POST"]),
            Route("/v1/embeddings", _embeddings, methods=["POST"]),
            *(Route(path, _health) for path in ("/health", "/health/ready", "/ready")),
            Route("/metrics", _metrics),
            Route("/fake_metrics", _fake_metrics, methods=["POST"]),
            Route("/v1/models", _models),
            Route("/version", _version),
            Route("/ping", _ping, methods=["GET", "POST"]),
        ],
        exception_handlers={HTTPException: _no_such_path},
    )
    return _Front(Misbehaving(app))
