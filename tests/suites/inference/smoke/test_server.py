"""Whether the server is there at all: health, models, one answer of each kind, and refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.openai_api.server import COMPLETIONS, KINDS, MODELS, SCHEMAS, text_of

if TYPE_CHECKING:
    from proving_ground.openai_api.server import Kind, Server

pytestmark = [pytest.mark.pre_merge, pytest.mark.smoke]
LATENCY_MS = 5000.0
NOT_FOUND = 404


async def test_the_server_is_healthy(server: Server) -> None:
    """The server says that it is healthy, or lists its models where it has no path for that."""
    health = await server.client.get("/health")
    if health.status == NOT_FOUND:
        health = await server.client.get(MODELS)
    health.expect(200)


async def test_the_model_is_listed(server: Server) -> None:
    """The model that requests name is among those that the server lists."""
    model = await server.model()
    listed = (await server.client.get(MODELS)).expect(200).json()
    names = [card.get("id") for card in listed.get("data", ())]
    assert model in names, f"expected {model!r} among {names}"


@pytest.mark.parametrize("kind", KINDS)
async def test_it_answers(server: Server, kind: Kind) -> None:
    """A request is answered with a text."""
    text_of(await server.answer(kind))


@pytest.mark.parametrize("kind", KINDS)
async def test_answers_have_their_fields(server: Server, kind: Kind) -> None:
    """An answer has the fields, types and values of OpenAI's API."""
    server.conforms(SCHEMAS[kind], await server.answer(kind))


async def test_an_answer_comes_in_time(server: Server) -> None:
    """A short answer takes less than the parameter latency_limit_ms (5000 by default)."""
    limit = server.target.number("latency_limit_ms", LATENCY_MS)
    answer = (await server.ask("completion", max_tokens=8)).expect(200)
    server.check.metric("latency_ms", 1000 * answer.seconds)
    assert 1000 * answer.seconds < limit, f"took {1000 * answer.seconds:.0f} ms, expected less than {limit:.0f}"


@pytest.mark.parametrize("body", [b"{not json", b"{}", b"[]"], ids=["no-json", "no-prompt", "no-object"])
async def test_an_invalid_body_is_refused(server: Server, body: bytes) -> None:
    """A body that is no request is refused with status 400 or 422."""
    answer = await server.client.post(COMPLETIONS, body)
    rule = {b"{not json": "malformed-json", b"{}": "no-prompt", b"[]": "no-object"}[body]
    told = f"{answer.what}: expected status 400 or 422 for {body.decode()}, found {answer.status} {answer.shown()}"
    server.require(f"refuses:{rule}", answer.status in {400, 422}, told)


async def test_an_empty_prompt_does_no_harm(server: Server) -> None:
    """An empty prompt is answered or refused, and is no failure of the server."""
    (await server.ask("completion", "", max_tokens=4)).expect(200, 400, 422)
