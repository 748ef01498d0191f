"""Log probabilities, where a server tells them: their form, and that they are of the text that they come with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.openai_api.logprobs import has_own_form, tokens_of, wrong_with
from proving_ground.openai_api.server import CHUNKS, KINDS, SCHEMAS, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proving_ground.openai_api.server import Kind, Server

pytestmark = [pytest.mark.pre_merge, pytest.mark.contract]
both = pytest.mark.parametrize("kind", KINDS)
TOP = 2
ASKED: dict[Kind, dict[str, Any]] = {
    "completion": {"logprobs": TOP, "max_tokens": 8},
    "chat": {"logprobs": True, "top_logprobs": TOP, "max_tokens": 8},
}
MOST: dict[Kind, int] = {"completion": TOP + 1, "chat": TOP}
"""Of a completion the token itself comes in addition where it is none of the likeliest."""


def judge(server: Server, kind: Kind, choices: Sequence[Mapping[str, Any]], text: str) -> None:
    """Hold the log probabilities of a choice against its text."""
    tokens = tokens_of(choices)
    if not tokens:
        server.require("logprobs", False, f"{kind}: log probabilities were asked for, and there are none")
        return
    own = has_own_form(choices, chat=kind == "chat")
    server.require("logprobs-form", own, f"{kind}: log probabilities have not the form of a {kind}'s")
    for rule, found in wrong_with(tokens, text, MOST[kind]):
        server.require(rule, False, f"{kind}: {found}")


async def told(server: Server, kind: Kind) -> dict[str, Any] | None:
    """Ask for log probabilities, and return the body of the answer; None where the server refuses."""
    answer = await server.ask(kind, **ASKED[kind])
    if answer.status != 200:
        server.refused(answer, "logprobs")
        return None
    body: dict[str, Any] = answer.json()
    return body


@both
async def test_log_probabilities_are_those_of_the_text(server: Server, kind: Kind) -> None:
    """Asked for log probabilities, an answer tells those of its own tokens, and none is impossible."""
    if (body := await told(server, kind)) is None:
        return
    server.conforms(SCHEMAS[kind], body)
    judge(server, kind, body["choices"], text_of(body))


@both
async def test_streamed_log_probabilities_are_those_of_the_text(server: Server, kind: Kind) -> None:
    """Asked for log probabilities, the events of a stream tell those of its tokens, and none is impossible."""
    if await told(server, kind) is None:
        return
    record = await server.stream(kind, **ASKED[kind])
    for chunk in record.chunks:
        server.conforms(CHUNKS[kind], chunk)
    judge(server, kind, record.choices(), record.text())
