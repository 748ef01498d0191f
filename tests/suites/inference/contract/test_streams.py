"""Streams: every event by its schema, and what events have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.openai_api.server import CHUNKS, KINDS

if TYPE_CHECKING:
    from proving_ground.openai_api.server import Kind, Server

pytestmark = [pytest.mark.pre_merge, pytest.mark.contract]
both = pytest.mark.parametrize("kind", KINDS)
WITH_USAGE = {"stream_options": {"include_usage": True}}


@both
async def test_each_event_conforms(server: Server, kind: Kind) -> None:
    """Every event of a stream, that with the usage too, is as the API reference says."""
    record = await server.stream(kind, **WITH_USAGE)
    assert record.chunks, "the stream holds no event"
    for chunk in record.chunks:
        server.conforms(CHUNKS[kind], chunk)


@both
async def test_no_error_hides_in_a_stream(server: Server, kind: Kind) -> None:
    """A stream with status 200 holds no error."""
    record = await server.stream(kind)
    told = f"{record.what}: status 200, and among its events {record.errors[:1]}"
    server.require("error-in-stream", not record.errors, told)


@both
async def test_streams_name_a_finish_reason(server: Server, kind: Kind) -> None:
    """Each choice of a stream names a finish_reason."""
    record = await server.stream(kind)
    silent = [index for index in record.indices() if not record.finish_reasons(index)]
    server.require("stream-finish-reason", not silent, f"{record.what}: choices {silent} end without a finish_reason")


@both
async def test_events_of_a_stream_belong_together(server: Server, kind: Kind) -> None:
    """All events of a stream have the same id and model."""
    record = await server.stream(kind)
    for field in ("id", "model"):
        found = {chunk.get(field) for chunk in record.chunks}
        assert len(found) == 1, f"{record.what}: events have {len(found)} values of {field}"


@both
async def test_the_usage_of_a_stream_is_that_of_a_whole_answer(server: Server, kind: Kind) -> None:
    """A stream counts the tokens that a whole answer counts."""
    whole = (await server.answer(kind, seed=5))["usage"]
    usages = (await server.stream(kind, seed=5, **WITH_USAGE)).usages()
    assert usages, "the stream tells no usage"
    for count in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert usages[-1][count] == whole[count], f"{count}: streamed {usages[-1][count]}, whole {whole[count]}"
