"""Is there an inference server with OpenAI's API at a URL, and what does it serve?"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import aiohttp

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.openai_api.access import token_in, trust_in
from proving_ground.openai_api.health import reason_of

MODELS = "/v1/models"
_SECONDS = 10.0
_BODY_LIMIT = 4 * 2**20
_OK, _UNAUTHORIZED, _FORBIDDEN, _FIRST_OF_SERVER = 200, 401, 403, 500
_OWNERS = {"llamacpp": "llama.cpp", "vllm": "vllm", "sglang": "sglang", "nvidia": "dynamo"}
"""``owned_by`` of a model -> what the server is."""


class NotOpenAIError(Exception):
    """Something answers in HTTP, and it is no server with OpenAI's API."""


@dataclass(frozen=True)
class Found:
    """What answers at the URL.

    Attributes:
        model: The model that is asked.
        server: What the server is, as far as it says so; empty if it does not.
    """

    model: str
    server: str


async def probe(
    url: str, *, model: str = "", auth: str | None = None, ca: str | None = None, seconds: float = _SECONDS
) -> Found:
    """Ask what models there are.

    Args:
        url: Base URL, without ``/v1``.
        model: Model that is to be asked; empty: the first that is listed.
        auth: File with a bearer token.
        ca: File with certificates of whom to trust, for https.
        seconds: How long it may take.

    Raises:
        InfrastructureError: Nobody answers, not in time, or that the server is not well.
        ConfigurationError: It is no HTTP, or credentials are missing or none.
        NotOpenAIError: It is HTTP, but lists no models as OpenAI's API does.
    """
    headers = {"Authorization": f"Bearer {token_in(auth)}"} if auth else {}
    trusted = trust_in(ca)
    try:
        timeout = aiohttp.ClientTimeout(total=seconds)
        connector = aiohttp.TCPConnector(ssl=trusted)
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers, connector=connector) as client,
            client.get(f"{url}{MODELS}", allow_redirects=False) as answer,
        ):
            status, kind = answer.status, answer.headers.get("Content-Type", "nothing")
            body = await answer.content.read(_BODY_LIMIT)
    except TimeoutError as error:
        raise InfrastructureError(f"no answer within {seconds:g} s", where=url) from error
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientOSError) as error:
        hint = "--ca FILE names whom to trust" if isinstance(error, aiohttp.ClientConnectorCertificateError) else ""
        raise InfrastructureError(f"cannot be reached: {reason_of(error)}", where=url, hint=hint) from error
    except aiohttp.ServerDisconnectedError as error:
        # So does what forwards to a server that is not there yet.
        raise InfrastructureError("takes connections and closes them without an answer", where=url) from error
    except (aiohttp.ClientResponseError, aiohttp.ClientPayloadError) as error:
        raise ConfigurationError("what answers there is no HTTP", where=url, hint="is the port right?") from error
    except aiohttp.ClientError as error:
        raise InfrastructureError(f"cannot be asked: {error or type(error).__name__}", where=url) from error
    return _found(url, status, kind, body, model)


def _found(url: str, status: int, kind: str, body: bytes, model: str) -> Found:
    if status in {_UNAUTHORIZED, _FORBIDDEN}:
        raise ConfigurationError(f"{MODELS} answers {status}", where=url, hint="give a file with a token: --auth FILE")
    if status >= _FIRST_OF_SERVER:
        raise InfrastructureError(f"is not well: {MODELS} answers {status}", where=url)
    listed = _models(body) if status == _OK else []
    if not listed:
        raise NotOpenAIError(f"{url} is no server with OpenAI's API: {MODELS} answers {status}, {kind}, and no models")
    names = [str(entry["id"]) for entry in listed]
    if model and model not in names:
        # Servers may know more names than they list.
        return Found(model, _server(listed[0]))
    chosen = listed[names.index(model)] if model else listed[0]
    return Found(str(chosen["id"]), _server(chosen))


def _models(body: bytes) -> list[dict[str, Any]]:
    try:
        listed = json.loads(body)["data"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return []
    if not isinstance(listed, list):
        return []
    return [entry for entry in listed if isinstance(entry, dict) and isinstance(entry.get("id"), str)]


def _server(entry: dict[str, Any]) -> str:
    return _OWNERS.get(str(entry.get("owned_by", "")), "")


def probed(url: str, *, model: str = "", auth: str | None = None, ca: str | None = None) -> Found:
    """Do the same where no event loop runs."""
    return asyncio.run(probe(url, model=model, auth=auth, ca=ca))
