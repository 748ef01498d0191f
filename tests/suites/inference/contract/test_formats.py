"""Answers in a form that was asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from proving_ground.openai_api.server import text_of

if TYPE_CHECKING:
    from proving_ground.openai_api.server import Server

pytestmark = [pytest.mark.pre_merge, pytest.mark.contract]
PROMPT = "What is the weather in Paris? Answer in JSON."
PLACES = ("Paris", "Rome", "Oslo")
SCHEMA = {
    "type": "object",
    "properties": {"place": {"type": "string", "enum": [*PLACES]}, "warm": {"type": "boolean"}},
    "required": ["place", "warm"],
    "additionalProperties": False,
}
"""What any model can fill in, and in few tokens."""
WEATHER = {"type": "json_schema", "json_schema": {"name": "weather", "strict": True, "schema": SCHEMA}}
TOKENS = 256


async def formatted(server: Server, form: dict[str, Any]) -> tuple[str, str] | None:
    """Ask for a form, and return the text and why it ended; None where the server refuses."""
    answer = await server.ask("chat", PROMPT, response_format=form, max_tokens=TOKENS)
    if answer.status != 200:
        server.refused(answer, "response-format")
        return None
    body = answer.json()
    server.conforms("chat-completion", body)
    return text_of(body), body["choices"][0]["finish_reason"]


async def test_an_answer_keeps_the_schema_that_was_asked_for(server: Server) -> None:
    """An answer is JSON that the schema of its request allows; a server without such refuses."""
    answered = await formatted(server, WEATHER)
    if answered is None:
        return
    text, _ = answered
    wrong = ""
    try:
        jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(text))
    except ValueError:
        wrong = "is no JSON"
    except jsonschema.ValidationError as error:
        wrong = f"{error.json_path}: {error.message}"
    server.require("response-format", not wrong, f"expected what the schema allows, found {text[:200]!r}: {wrong}")


async def test_an_answer_is_json_where_json_was_asked_for(server: Server) -> None:
    """An answer is a JSON object, or the beginning of one where its length ends it; a server without such refuses."""
    answered = await formatted(server, {"type": "json_object"})
    if answered is None:
        return
    text, reason = answered
    try:
        found = isinstance(json.loads(text), dict)
    except ValueError:
        found = reason == "length" and text.lstrip().startswith("{")
    server.require("response-format", found, f"expected a JSON object, found {text[:200]!r}")
