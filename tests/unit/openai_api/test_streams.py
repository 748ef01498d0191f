"""A streamed answer as a whole."""

from __future__ import annotations

import json
from typing import Any

from proving_ground.openai_api.events import Event
from proving_ground.openai_api.streams import StreamRecord, record_of


def record(*data: Any) -> StreamRecord:
    events = tuple(
        Event(item if isinstance(item, str) else json.dumps(item), float(at)) for at, item in enumerate(data)
    )
    return record_of("POST /v1/x", events, [], {})


def chat(index: int = 0, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"id": "a", "choices": [{"index": index, "delta": delta, "finish_reason": finish}]}


def test_the_pieces_of_a_chat_are_its_text() -> None:
    found = record(chat(role="assistant", content=""), chat(content="he"), chat(content="llo"), chat(finish="stop"))
    assert (found.text(), found.pieces(), found.finish_reasons()) == ("hello", ["he", "llo"], ["stop"])
    assert found.deltas()[0] == {"role": "assistant", "content": ""}


def test_the_pieces_of_a_completion_are_its_text() -> None:
    parts = [{"choices": [{"index": 0, "text": text, "finish_reason": None}]} for text in ("a", "", "b")]
    assert record(*parts).pieces() == ["a", "b"]


def test_choices_are_kept_apart() -> None:
    found = record(chat(0, content="a"), chat(1, content="b"), chat(0, content="c", finish="length"))
    assert (found.text(0), found.text(1), found.indices()) == ("ac", "b", [0, 1])
    assert (found.finish_reasons(0), found.finish_reasons(1)) == (["length"], [])


def test_usage_is_found_where_there_are_no_choices() -> None:
    usage = {"total_tokens": 3}
    assert record(chat(content="a"), {"choices": [], "usage": usage}, "[DONE]").usages() == [usage]


def test_an_error_among_the_events_is_no_chunk() -> None:
    found = record(chat(content="a"), {"error": {"message": "no"}}, "[DONE]")
    assert len(found.chunks) == 1
    assert found.errors == ({"error": {"message": "no"}},)


def test_data_that_is_no_json_object_is_a_problem() -> None:
    problems = record("{cut", "[1]", "[DONE]").problems
    assert len(problems) == 2
    assert "found '{cut'" in problems[0]


def test_an_event_after_the_end_mark_is_a_problem() -> None:
    found = record("[DONE]", chat(content="late"))
    assert found.problems == ("there are events after [DONE]",)
    assert record("[DONE]", "[DONE]").done == 2


def test_foreign_shapes_are_empty_and_no_crash() -> None:
    found = record({"choices": None}, {"choices": ["text"]}, {"choices": [{"delta": None}]}, {"usage": 7})
    assert (found.text(), found.finish_reasons(), found.usages(), found.done) == ("", [], [], 0)
