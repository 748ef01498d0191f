"""Server-sent events, read strictly."""

from __future__ import annotations

import itertools

import pytest

from proving_ground.openai_api.events import EVENT_LIMIT, EventParser

STREAM = b'data: {"a": "\xc3\xa9"}\n\ndata: two\n\ndata: [DONE]\n\n'


def read(*pieces: bytes) -> tuple[list[str], list[str]]:
    parser = EventParser()
    found = [event.data for piece in pieces for event in parser.feed(piece)]
    parser.close()
    return found, parser.problems


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_the_same_whatever_pieces_they_come_in(size: int) -> None:
    pieces = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    assert read(*pieces) == (['{"a": "\u00e9"}', "two", "[DONE]"], [])


def test_each_event_is_stamped_when_its_end_arrives() -> None:
    clock = itertools.count(10)
    parser = EventParser(clock=lambda: float(next(clock)))
    first = parser.feed(b"data: one\n")
    second = parser.feed(b"\ndata: two\n\n")
    assert first == []
    assert [(event.data, event.time) for event in second] == [("one", 11.0), ("two", 11.0)]


def test_the_end_mark_is_known() -> None:
    parser = EventParser()
    (done,) = parser.feed(b"data: [DONE]\n\n")
    assert done.is_done


@pytest.mark.parametrize(
    "stream",
    [
        b"data:no space\n\n",
        b"\xef\xbb\xbfdata: no space\n\n",
        b": a comment\ndata: no space\r\n\r\n",
        b"event: told\nid: 7\nretry: 10\ndata: no space\n\n",
    ],
)
def test_what_the_format_allows_is_no_problem(stream: bytes) -> None:
    events, problems = read(stream)
    assert events[0].endswith("no space")
    assert problems == []


def test_several_data_lines_are_one_event() -> None:
    assert read(b"data: one\ndata: two\n\n") == (["one\ntwo"], [])


@pytest.mark.parametrize(
    ("stream", "word"),
    [
        (b'{"no": "field"}\n\n', "expected a field"),
        (b"date: misspelt\n\n", "expected a field"),
        (b"data: cut", "ends within"),
        (b"data: cut\n", "ends within"),
        (b"data: \xff\xfe\n\n", "not UTF-8"),
    ],
)
def test_bad_framing_is_told(stream: bytes, word: str) -> None:
    _, problems = read(stream)
    assert len(problems) == 1
    assert word in problems[0]


def test_an_empty_stream_has_no_events_and_no_problem() -> None:
    assert read(b"") == ([], [])


def test_an_endless_line_is_told_and_not_kept() -> None:
    parser = EventParser()
    parser.feed(b"data: " + b"x" * (EVENT_LIMIT + 1))
    assert "longer than" in parser.problems[0]
    assert parser.feed(b"\n\n") == []


def test_an_endless_event_of_many_lines_is_told() -> None:
    parser = EventParser()
    for _ in range(EVENT_LIMIT // 2**16 + 2):
        parser.feed(b"data: " + b"x" * 2**16 + b"\n")
    assert "longer than" in parser.problems[0]


def test_problems_are_kept_in_bounds() -> None:
    _, problems = read(b"nonsense\n" * 1000)
    assert 1 < len(problems) <= 20


def test_data_that_is_nested_too_deeply_is_no_json() -> None:
    (event,) = EventParser().feed(b"data: " + b"[" * 100_000 + b"\n\n")
    with pytest.raises(ValueError, match="nested"):
        event.json()
