"""Answers as they arrive: what counts as a token, what is an error, however the network cuts them."""

from __future__ import annotations

import json

import pytest

from proving_ground.load.measured.answer import Answer

ROLE = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
LAST = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def token(text: str) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}


def usage(count: int) -> dict[str, object]:
    return {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": count, "total_tokens": count + 3}}


def events(*data: object, end: str = "\n\n") -> bytes:
    texts = [json.dumps(one) if not isinstance(one, str) else one for one in data]
    return "".join(f"data: {text}{end}" for text in texts).encode()


def answer(*, streamed: bool = True, stamps: bool = False) -> Answer:
    made = Answer(streamed=streamed, read_sent=stamps)
    made.status, made.complete = 200, True
    return made


WHOLE = events(ROLE, token("one"), token(" two"), LAST, usage(5), "[DONE]")


def test_only_events_with_text_count() -> None:
    made = answer()
    assert made.feed(WHOLE, 1.0) == 2
    assert list(made.texts) == [1.0, 1.0]
    assert made.problem() == ""


def test_tokens_are_those_that_the_server_counts() -> None:
    made = answer()
    made.feed(WHOLE, 1.0)
    assert made.tokens() == 5


def test_without_usage_events_with_text_are_counted() -> None:
    made = answer()
    made.feed(events(ROLE, token("one"), token("two"), LAST, "[DONE]"), 1.0)
    assert made.tokens() == 2


@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_pieces_of_any_size_make_the_same_events(size: int, end: str) -> None:
    made = answer()
    data = events(ROLE, token("one"), token(" two"), LAST, usage(5), "[DONE]", end=end)
    for at, start in enumerate(range(0, len(data), size)):
        made.feed(data[start : start + size], float(at))
    assert len(made.texts) == 2
    assert made.texts[0] < made.texts[1] or size == 64
    assert made.tokens() == 5
    assert made.problem() == ""


def test_a_quoted_quote_is_text() -> None:
    made = answer()
    assert made.feed(events(token('"')), 1.0) == 1


def test_reasoning_and_arguments_of_tools_are_text() -> None:
    made = answer()
    reasoning = {"choices": [{"delta": {"reasoning_content": "hm"}}]}
    call = {"choices": [{"delta": {"tool_calls": [{"function": {"arguments": "{"}}]}}]}
    assert made.feed(events(reasoning, call), 1.0) == 2


def test_a_comment_is_no_event_of_interest() -> None:
    made = answer()
    assert made.feed(b": still here\n\n" + WHOLE, 1.0) == 2
    assert made.problem() == ""


def test_an_error_within_a_stream_is_one() -> None:
    made = answer()
    made.feed(events(token("one"), {"error": {"message": "lost"}}, "[DONE]"), 1.0)
    assert made.problem() == "an error in the stream"


def test_the_word_error_in_a_text_is_none() -> None:
    made = answer()
    made.feed(events(token('"error"'), {"error": None, "choices": []}, LAST, "[DONE]"), 1.0)
    assert made.problem() == ""


def test_a_stream_that_just_ends_is_wrong() -> None:
    made = answer()
    made.feed(events(ROLE, token("one")), 1.0)
    assert made.problem() == "a stream that ends without saying so"


def test_a_finish_reason_or_the_end_mark_will_do() -> None:
    for end in (LAST, "[DONE]"):
        made = answer()
        made.feed(events(token("one"), end), 1.0)
        assert made.problem() == ""


def test_a_finish_reason_may_come_with_the_last_text() -> None:
    made = answer()
    made.feed(events({"choices": [{"text": "one", "finish_reason": "length"}]}), 1.0)
    assert made.problem() == ""


def test_a_stream_without_text_and_without_an_end_is_wrong() -> None:
    made = answer()
    made.feed(events(ROLE, "[DONE]"), 1.0)
    assert made.problem() == "a stream without any text"


def test_an_answer_that_broke_off_is_wrong() -> None:
    made = answer()
    made.feed(events(token("one")), 1.0)
    made.complete = False
    assert made.problem() == "the connection ended before the answer did"


def test_a_status_is_a_problem_whatever_the_body_says() -> None:
    made = answer()
    made.status = 429
    made.feed(b'{"error": {}}', 1.0)
    assert made.problem() == "status 429"
    assert made.shown() == '{"error": {}}'


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"choices": [], "usage": {"completion_tokens": 7}}', ""),
        (b"{}", "an answer without choices"),
        (b"[]", "an answer without choices"),
        (b"<html>", "an answer that is not JSON"),
        (b"\xff\xfe", "an answer that is not JSON"),
        (b"[" * 100_000, "an answer that is not JSON"),
    ],
)
def test_a_whole_answer_is_judged_at_its_end(body: bytes, problem: str) -> None:
    made = answer(streamed=False)
    for start in range(0, len(body), 10):
        made.feed(body[start : start + 10], 1.0)
    assert made.problem() == problem


@pytest.mark.parametrize("told", ["7", True, -1, None])
def test_a_usage_that_is_none_is_not_believed(told: object) -> None:
    made = answer()
    made.feed(events(token("one"), {"choices": [], "usage": {"completion_tokens": told}}, "[DONE]"), 1.0)
    assert made.tokens() == 1


def test_an_event_without_an_end_is_not_kept_for_ever() -> None:
    made = answer()
    for _ in range(10):
        made.feed(b"x" * 100_000, 1.0)
    with pytest.raises(ValueError, match="1 MiB"):
        made.feed(b"x" * 100_000, 1.0)


def test_stamps_of_the_server_are_read_where_asked() -> None:
    stamped = {**token("one"), "sent_at": 12.5}
    made, not_asked = answer(stamps=True), answer()
    for one in (made, not_asked):
        one.feed(events(stamped).replace(b'"sent_at": ', b'"sent_at":'), 1.0)
    assert list(made.sent) == [12.5]
    assert list(not_asked.sent) == []
