"""Errors: what must be refused, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.openai_api.server import PATHS

if TYPE_CHECKING:
    from proving_ground.openai_api.server import Kind, Server

pytestmark = [pytest.mark.pre_merge, pytest.mark.contract]

WRONG: dict[str, tuple[Kind, dict[str, Any]]] = {
    "no-prompt": ("completion", {"prompt": None}),
    "prompt-an-object": ("completion", {"prompt": {"no": "text"}}),
    "no-messages": ("chat", {"messages": None}),
    "messages-a-text": ("chat", {"messages": "hello"}),
    "messages-empty": ("chat", {"messages": []}),
    "message-a-text": ("chat", {"messages": ["hello"]}),
    "no-role": ("chat", {"messages": [{"content": "hello"}]}),
    "unknown-role": ("chat", {"messages": [{"role": "stranger", "content": "hello"}]}),
    "temperature-a-text": ("chat", {"temperature": "hot"}),
    "temperature-too-high": ("chat", {"temperature": 3}),
    "max-tokens-a-text": ("completion", {"max_tokens": "many"}),
    "max-tokens-negative": ("completion", {"max_tokens": -5}),
    "stop-an-object": ("completion", {"stop": {"at": "once"}}),
    "stream-a-text": ("chat", {"stream": "perhaps"}),
    "n-zero": ("chat", {"n": 0}),
}


@pytest.mark.parametrize("case", WRONG)
async def test_wrong_requests_are_refused(server: Server, case: str) -> None:
    """A request that the API reference does not allow is refused with status 4xx and an error that says why."""
    kind, wrong = WRONG[case]
    body = {key: value for key, value in {**await server.body(kind), **wrong}.items() if value is not None}
    server.refused(await server.client.post(PATHS[kind], body), case)


@pytest.mark.parametrize("kind", PATHS)
async def test_broken_json_is_refused(server: Server, kind: Kind) -> None:
    """A body that is no JSON is refused with status 4xx and an error that says why."""
    for body in (b"", b'{"model": "x", "pro', b"\xff\xfe\x00", b'"text"', b"[" * 2000):
        server.refused(await server.client.post(PATHS[kind], body), "malformed-json")


@pytest.mark.parametrize("kind", PATHS)
async def test_an_error_of_a_stream_comes_before_it(server: Server, kind: Kind) -> None:
    """A wrong request that asks for a stream is refused with status 4xx as JSON, and no stream begins."""
    body = {**await server.body(kind), "stream": True, "max_tokens": "many"}
    answer = await server.client.post(PATHS[kind], body)
    server.refused(answer, "max-tokens-a-text")
    if answer.status >= 400:
        found = answer.headers.get("content-type", "")
        told = f"{answer.what}: expected application/json for an error, found {found!r}"
        server.require("error-content-type", found.startswith("application/json"), told)
