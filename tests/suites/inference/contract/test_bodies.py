"""Whole answers: every body by its schema, and what a schema cannot say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.openai_api.server import COMPLETIONS, EMBEDDINGS, KINDS, MODELS, PATHS, SCHEMAS

if TYPE_CHECKING:
    from proving_ground.openai_api.server import Kind, Server

pytestmark = [pytest.mark.pre_merge, pytest.mark.contract]
both = pytest.mark.parametrize("kind", KINDS)
CHOICES = 2
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather of a place.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}


async def test_the_list_of_models_conforms(server: Server) -> None:
    """The list of models is as the API reference says."""
    server.conforms("models", (await server.client.get(MODELS)).expect(200).json())


@both
async def test_answers_conform(server: Server, kind: Kind) -> None:
    """Short and long answers, sampled or not, are as the API reference says."""
    for more in ({"max_tokens": 1}, {"max_tokens": 24}, {"temperature": 1, "seed": 3, "top_p": 0.9}):
        server.conforms(SCHEMAS[kind], await server.answer(kind, **more))


@both
async def test_each_answer_has_an_id_of_its_own(server: Server, kind: Kind) -> None:
    """No two answers have the same id."""
    ids = [(await server.answer(kind, max_tokens=1)).get("id") for _ in range(3)]
    assert len(set(ids)) == len(ids), f"ids are {ids}"


@both
async def test_choices_are_numbered(server: Server, kind: Kind) -> None:
    """Two choices, where a server gives so many, have the indices 0 and 1; else the request is refused."""
    answer = await server.client.post(PATHS[kind], await server.body(kind, n=CHOICES, temperature=1, max_tokens=4))
    if answer.status != 200:
        server.refused(answer, "n")
        return
    body = answer.json()
    server.conforms(SCHEMAS[kind], body)
    indices = [choice.get("index") for choice in body["choices"]]
    told = f"{answer.what}: expected choices 0 and 1, found {indices}"
    server.require("n-choices", indices == list(range(CHOICES)), told)


async def test_calls_of_tools_say_so(server: Server) -> None:
    """An answer that calls a tool ends with tool_calls; a server without tools answers or refuses."""
    body = await server.body("chat", "What is the weather in Paris?", tools=[TOOL], max_tokens=32)
    answer = await server.client.post(PATHS["chat"], body)
    if answer.status != 200:
        server.refused(answer, "tools")
        return
    found = answer.json()
    server.conforms("chat-completion", found)
    for choice in found["choices"]:
        if choice["message"].get("tool_calls"):
            reason = choice["finish_reason"]
            told = f"{answer.what}: calls a tool and ends by {reason!r}, expected 'tool_calls'"
            server.require("tool-calls-finish", reason == "tool_calls", told)


async def test_embeddings_conform_or_are_refused(server: Server) -> None:
    """Embeddings are as the API reference says, one for each text; a server without them refuses."""
    texts = ["a machine", "that proves itself"]
    answer = await server.client.post(EMBEDDINGS, {"model": await server.model(), "input": texts})
    if answer.status != 200:
        server.refused(answer, "embeddings")
        return
    body = answer.json()
    server.conforms("embeddings", body)
    assert [item["index"] for item in body["data"]] == [0, 1], f"indices are {[i['index'] for i in body['data']]}"
    lengths = {len(item["embedding"]) for item in body["data"]}
    assert len(lengths) == 1, f"embeddings differ in length: {sorted(lengths)}"


async def test_several_prompts_have_a_choice_each(server: Server) -> None:
    """A completion of two prompts has two choices, numbered; a server that takes one only refuses."""
    body = {"model": await server.model(), "prompt": ["One and", "Two and"], "max_tokens": 4, "temperature": 0}
    answer = await server.client.post(COMPLETIONS, body)
    if answer.status != 200:
        server.refused(answer, "prompts")
        return
    found = answer.json()
    server.conforms("completion", found)
    indices = sorted(choice["index"] for choice in found["choices"])
    told = f"{answer.what}: expected choices 0 and 1, found {indices}"
    server.require("prompts-choices", indices == [0, 1], told)
