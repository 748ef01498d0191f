"""Headers: content types, the request's id, access of browsers, rate limits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from proving_ground.openai_api.client import JSON_TYPE, STREAM_TYPE
from proving_ground.openai_api.server import KINDS, MODELS

if TYPE_CHECKING:
    from proving_ground.openai_api.server import Kind, Server

pytestmark = [pytest.mark.pre_merge, pytest.mark.contract]
both = pytest.mark.parametrize("kind", KINDS)
REQUEST_ID = "x-request-id"
ORIGIN = "https://client.example"
ALLOW, CREDENTIALS = "access-control-allow-origin", "access-control-allow-credentials"
LIMITS = re.compile(r"x-ratelimit-(limit|remaining|reset)-(requests|tokens)(-.*)?")
NUMBER = re.compile(r"[0-9]+")
WAIT = re.compile(r"(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m(?!s))?([0-9]+(\.[0-9]+)?s)?([0-9]+ms)?")


def media_type(value: str) -> str:
    return value.partition(";")[0].strip().lower()


@both
async def test_answers_are_called_json(server: Server, kind: Kind) -> None:
    """A whole answer has the content type of JSON."""
    answer = (await server.ask(kind, max_tokens=1)).expect(200)
    found = answer.headers.get("content-type", "")
    assert media_type(found) == JSON_TYPE, f"{answer.what}: expected {JSON_TYPE}, found {found!r}"


@both
async def test_streams_are_called_event_streams(server: Server, kind: Kind) -> None:
    """A stream has the content type of server-sent events."""
    record = await server.stream(kind)
    found = record.headers.get("content-type", "")
    assert media_type(found) == STREAM_TYPE, f"{record.what}: expected {STREAM_TYPE}, found {found!r}"


@both
async def test_answers_tell_the_id_of_their_request(server: Server, kind: Kind) -> None:
    """Each answer has an x-request-id, by which its maker finds it in the logs, and no two have the same."""
    ids = [(await server.ask(kind, max_tokens=1)).headers.get(REQUEST_ID, "") for _ in range(2)]
    told = f"expected {REQUEST_ID} on each answer, found {ids}"
    server.require("request-id", all(ids) and ids[0] != ids[1], told)


async def test_browsers_are_let_in_as_declared(server: Server) -> None:
    """Origins are let in as the parameter cors_origin declares, and never any origin together with its credentials."""
    declared = server.target.parameters.get("cors_origin")
    origin = str(declared or ORIGIN)
    headers = (await server.client.get(MODELS, headers={"origin": origin})).headers
    allowed = headers.get(ALLOW, "")
    if declared:
        assert allowed in {"*", origin}, f"expected {origin} to be let in, found {ALLOW} {allowed!r}"
    both_at_once = allowed == "*" and headers.get(CREDENTIALS, "").lower() == "true"
    told = "lets any origin in together with its credentials, which browsers refuse"
    server.require("cors-any-with-credentials", not both_at_once, told)


async def test_rate_limits_have_their_form(server: Server) -> None:
    """Headers about rate limits, where there are any, are counts and durations, and no more is left than there is."""
    headers = (await server.ask("chat", max_tokens=1)).headers
    found = {name: value for name, value in headers.items() if LIMITS.fullmatch(name)}
    for name, value in found.items():
        form = WAIT if "-reset-" in name else NUMBER
        assert form.fullmatch(value), f"{name}: expected {'a duration' if form is WAIT else 'a count'}, found {value!r}"
    for name, value in found.items():
        limit = found.get(name.replace("-remaining-", "-limit-"), value)
        assert "-remaining-" not in name or int(value) <= int(limit), f"{name} {value} is more than {limit}"
    retry = headers.get("retry-after")
    assert retry is None or NUMBER.fullmatch(retry), f"retry-after: expected seconds, found {retry!r}"
