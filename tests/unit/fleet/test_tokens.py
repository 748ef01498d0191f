from __future__ import annotations

import pytest

from proving_ground.fleet.factories.tokens import count_tokens, generate, recite


def test_the_same_question_has_the_same_answer() -> None:
    assert generate("q", limit=20, seed=1) == generate("q", limit=20, seed=1)


def test_another_seed_gives_another_answer() -> None:
    assert generate("q", limit=None, seed=1).text != generate("q", limit=None, seed=2).text


def test_a_limit_cuts_and_is_named_as_the_reason() -> None:
    generation = generate("q", limit=3)
    assert (len(generation.tokens), generation.finish_reason) == (3, "length")


def test_an_answer_within_its_limit_stops_by_itself() -> None:
    assert generate("q", limit=1000).finish_reason == "stop"


def test_ignoring_the_end_goes_on_to_the_limit() -> None:
    assert len(generate("q", limit=500, ignore_end=True).tokens) == 500


def test_a_stop_string_ends_the_text_before_it() -> None:
    whole = generate("q", limit=None)
    stop = whole.tokens[5].strip()
    cut = generate("q", limit=None, stop=(stop, ""))
    assert cut.text == whole.text[: whole.text.find(stop)]
    assert cut.finish_reason == "stop"


def test_a_stop_string_at_the_start_leaves_nothing() -> None:
    first = generate("q", limit=None).tokens[0]
    assert generate("q", limit=None, stop=(first,)).tokens == ()


def test_generated_tokens_are_counted_as_many_when_read_back() -> None:
    generation = generate("q", limit=40, ignore_end=True)
    assert count_tokens(generation.text) >= 40


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("hi there!", 3), ("\ud800", 1), ("日本語", 1), ("a" * 17, 3)])
def test_tokens_of_any_text_can_be_counted(text: str, tokens: int) -> None:
    assert count_tokens(text) == tokens


def test_a_lone_surrogate_is_no_obstacle() -> None:
    assert generate("\ud800", limit=3).tokens


def test_a_given_text_is_recited_in_countable_tokens() -> None:
    text = '{"place": "Rome", "warm": true}'
    whole = recite(text, limit=None)
    assert (whole.text, whole.finish_reason, len(whole.tokens)) == (text, "stop", count_tokens(text))
    cut = recite(text, limit=3)
    assert (cut.text, cut.finish_reason) == ('{"place', "length")
    assert recite(text, limit=None, stop=(", ",)).text == '{"place": "Rome"'
