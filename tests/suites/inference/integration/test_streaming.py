"""Streams: how they are framed, how they begin and end, and that they say what a whole answer says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.openai_api.server import KINDS

if TYPE_CHECKING:
    from proving_ground.openai_api.server import Kind, Server

pytestmark = [pytest.mark.pre_merge, pytest.mark.integration]
ENDS = {"stop", "length"}
WITH_USAGE = {"stream_options": {"include_usage": True}}
both = pytest.mark.parametrize("kind", KINDS)


@both
async def test_streams_are_framed(server: Server, kind: Kind) -> None:
    """A stream is server-sent events and nothing else: JSON objects, each as data, and nothing after the end mark."""
    record = await server.stream(kind)
    assert not record.problems, "\n".join(record.problems)
    assert record.chunks or record.errors, f"{record.what}: the stream holds no event"


@both
async def test_streams_tell_no_error(server: Server, kind: Kind) -> None:
    """No event of a stream that began well tells an error."""
    record = await server.stream(kind)
    assert not record.errors, f"{record.what}: {record.errors[0]}"


async def test_chat_streams_begin_with_the_role(server: Server) -> None:
    """The first part of a chat's message names the role, and no later part names another."""
    deltas = (await server.stream("chat")).deltas()
    assert deltas, "the stream holds no message"
    assert deltas[0].get("role") == "assistant", f"the first part is {deltas[0]}"
    later = {delta["role"] for delta in deltas[1:] if delta.get("role")}
    assert later <= {"assistant"}, f"later parts name {later}"


@both
async def test_streams_come_in_parts(server: Server, kind: Kind) -> None:
    """The text of a stream comes piece by piece, and not all of it at its end."""
    record = await server.stream(kind)
    count = len(record.pieces())
    server.require("stream-in-parts", count > 1, f"{record.what}: expected several pieces of text, found {count}")


@both
async def test_streams_tell_why_they_end(server: Server, kind: Kind) -> None:
    """A choice ends with one reason, in its last part, and no text comes after it."""
    record = await server.stream(kind)
    reasons = record.finish_reasons()
    assert len(reasons) == 1, f"expected one finish_reason, found {reasons}"
    assert reasons[0] in ENDS, f"expected one of {sorted(ENDS)}, found {reasons[0]!r}"
    assert record.choices()[-1].get("finish_reason") == reasons[0], "parts come after the finish_reason"


@both
async def test_streams_end_with_the_end_mark(server: Server, kind: Kind) -> None:
    """A stream ends with [DONE], once."""
    record = await server.stream(kind)
    assert record.done == 1, f"expected [DONE] once, found it {record.done} times"
    assert record.events[-1].is_done, "[DONE] is not the last event"


@both
async def test_streams_tell_usage_when_asked(server: Server, kind: Kind) -> None:
    """With include_usage a last event tells the same usage as a whole answer, and adds up."""
    record = await server.stream(kind, **WITH_USAGE)
    usages = record.usages()
    assert usages, "the stream tells no usage"
    usage = usages[-1]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"], f"does not add up: {usage}"
    carriers = [chunk for chunk in record.chunks if isinstance(chunk.get("usage"), dict)]
    told = f"the event with the usage has choices: {carriers[-1]}"
    server.require("stream-usage-apart", carriers[-1].get("choices") == [], told)


@both
async def test_streams_say_what_whole_answers_say(server: Server, kind: Kind) -> None:
    """At temperature 0 the pieces of a stream are, together, the text of the whole answer."""
    whole = await server.text(kind, seed=7)
    streamed = (await server.stream(kind, seed=7)).text()
    assert streamed == whole, f"streamed {streamed!r}, whole {whole!r}"
