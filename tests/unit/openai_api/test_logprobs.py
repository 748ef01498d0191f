"""Log probabilities, read from either form and held against the text."""

from __future__ import annotations

import math
from typing import Any

import pytest

from proving_ground.openai_api.client import RequestError
from proving_ground.openai_api.logprobs import has_own_form, tokens_of, wrong_with

HALF, QUARTER = math.log(0.5), math.log(0.25)


def entry(token: str, logprob: float = HALF, top: dict[str, float] | None = None, raw: Any = ...) -> dict[str, Any]:
    told = {token: logprob, "other": QUARTER} if top is None else top
    likeliest = [{"token": each, "logprob": value, "bytes": None} for each, value in told.items()]
    raw = list(token.encode()) if raw is ... else raw
    return {"token": token, "logprob": logprob, "bytes": raw, "top_logprobs": likeliest}


def chat(*entries: dict[str, Any]) -> list[dict[str, Any]]:
    """A stream of a chat: an event without log probabilities, and one with them for each token."""
    return [{"logprobs": None}, *({"logprobs": {"content": [each]}} for each in entries)]


def completion(**lists: Any) -> list[dict[str, Any]]:
    told = {"tokens": ["a", " b"], "token_logprobs": [HALF, QUARTER], "top_logprobs": [{"a": HALF}, {" b": QUARTER}]}
    return [{"logprobs": told | lists}]


def rules(choices: list[dict[str, Any]], text: str, most: int = 2) -> list[str]:
    return [rule for rule, _ in wrong_with(tokens_of(choices), text, most)]


@pytest.mark.parametrize("choices", [chat(entry("a"), entry(" b")), completion()])
def test_both_forms_are_read(choices: list[dict[str, Any]]) -> None:
    tokens = tokens_of(choices)
    assert [token.text for token in tokens] == ["a", " b"]
    assert tokens[0].logprob == HALF
    assert tokens[0].top[0] == ("a", HALF)
    assert rules(choices, "a b") == []


def test_each_kind_has_a_form_of_its_own() -> None:
    assert has_own_form(chat(entry("a")), chat=True)
    assert has_own_form(completion(), chat=False)
    assert not has_own_form(chat(entry("a")), chat=False)


@pytest.mark.parametrize("text", ["a b", "a b</s>"])
def test_the_token_that_ends_a_text_is_told_or_not(text: str) -> None:
    assert rules(chat(entry("a"), entry(" b"), entry("</s>")), text) == []


def test_tokens_of_another_text_are_told_with_both_texts() -> None:
    found = list(wrong_with(tokens_of(chat(entry("A"), entry(" B"))), "a b", 2))
    assert found == [("logprobs-text", "the tokens are of 'A B', and the text is 'a b'")]


def test_tokens_that_lost_their_spaces_are_a_rule_of_their_own() -> None:
    assert rules(chat(entry("a"), entry("b")), "a b") == ["logprobs-spaces"]


def test_parts_of_a_character_are_joined_by_their_bytes() -> None:
    first, second = entry("\ufffd", raw=[0xC3]), entry("\ufffd", raw=[0xA9])
    assert rules(chat(entry("na"), first, second), "na\u00e9") == []
    # Without bytes nothing can be said of them.
    assert rules(chat(entry("na", raw=None), entry("\ufffd", raw=None)), "na\u00e9") == []


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        (entry("a", 0.7, {"a": 0.7}), "logprobs-value"),
        (entry("a", HALF, {"a": QUARTER}), "logprobs-value"),
        (entry("a", HALF, {"a": HALF, "b": QUARTER, "c": QUARTER}), "logprobs-top"),
        (entry("a", HALF, {"a": HALF, "b": -0.1}), "logprobs-sum"),
    ],
)
def test_what_no_model_can_say_is_told_by_its_rule(told: dict[str, Any], rule: str) -> None:
    assert rule in rules(chat(told), "a")


def test_a_token_without_a_value_is_told() -> None:
    assert rules(completion(token_logprobs=[None, QUARTER], top_logprobs=None), "a b") == ["logprobs-value"]


@pytest.mark.parametrize(
    "told",
    [{"content": [{"logprob": 1}]}, {"content": ["a"]}, {"tokens": 1}, {"tokens": ["a"], "token_logprobs": [0, 0]}],
)
def test_neither_form_is_a_failed_request(told: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="expected log probabilities"):
        tokens_of([{"logprobs": told}])


def test_nothing_told_is_no_token() -> None:
    assert tokens_of([{"logprobs": None}, {}]) == []
