"""What a request asks of the text: its length, where it stops, and that it can be repeated."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from proving_ground.openai_api.server import KINDS, PROMPT, text_of
from proving_ground.plugin import skip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proving_ground.openai_api.server import Kind, Server

pytestmark = [pytest.mark.integration]
SHORT, LONGER = 6, 24
WORDS_OF_A_LARGE_PROMPT = 60_000
SEEDS = range(1, 6)
both = pytest.mark.parametrize("kind", KINDS)


@both
@pytest.mark.pre_merge
async def test_usage_adds_up(server: Server, kind: Kind) -> None:
    """Usage counts the prompt, the answer, and both together."""
    usage = (await server.answer(kind)).get("usage")
    assert isinstance(usage, dict), f"expected usage, found {usage!r}"
    assert usage["prompt_tokens"] > 0, f"counts no prompt: {usage}"
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"], f"does not add up: {usage}"


@both
@pytest.mark.pre_merge
async def test_max_tokens_is_kept(server: Server, kind: Kind) -> None:
    """No answer has more tokens than asked for, as usage counts them and as they are streamed."""
    answer = await server.answer(kind, max_tokens=SHORT)
    tokens = answer["usage"]["completion_tokens"]
    assert tokens <= SHORT, f"expected at most {SHORT} tokens, usage counts {tokens}"
    reason = answer["choices"][0]["finish_reason"]
    assert reason in {"stop", "length"}, f"ended by {reason!r}"
    pieces = (await server.stream(kind, max_tokens=SHORT)).pieces()
    assert len(pieces) <= SHORT, f"expected at most {SHORT} pieces, found {len(pieces)}"


def _inner_parts(text: str) -> Iterator[str]:
    """Give printable ASCII parts of a text that first appear within it, the longest first."""
    for size in (6, 4, 3, 2):
        for begin in range(1, len(text) - size):
            part = text[begin : begin + size]
            if part.isascii() and part.isprintable() and part.strip() == part and text.find(part) == begin:
                yield part


@both
@pytest.mark.pre_merge
async def test_stop_is_obeyed(server: Server, kind: Kind) -> None:
    """An answer ends before the first stop string, and says so."""
    for prompt in (PROMPT, "Count to one hundred.", "Once upon a time"):
        whole = await server.text(kind, prompt, max_tokens=LONGER, seed=7)
        stop = next(_inner_parts(whole), "")
        if stop:
            break
    else:
        server.require("has-text", False, f"no answer has a part to stop at, the last is {whole!r}")
        return
    answer = await server.answer(kind, prompt, max_tokens=LONGER, seed=7, stop=[stop])
    text = text_of(answer)
    assert stop not in text, f"{stop!r} is in {text!r}"
    expected = whole[: whole.find(stop)]
    assert text == expected, f"without the stop string {whole!r}; up to {stop!r} expected {expected!r}, found {text!r}"
    assert answer["choices"][0]["finish_reason"] == "stop", f"ended by {answer['choices'][0]['finish_reason']!r}"


@both
@pytest.mark.pre_merge
async def test_temperature_zero_repeats_itself(server: Server, kind: Kind) -> None:
    """At temperature 0 the same request has the same answer."""
    texts = [await server.text(kind) for _ in range(3)]
    assert len(set(texts)) == 1, f"answers differ: {texts}"


@pytest.mark.pre_merge
async def test_a_seed_repeats_itself(server: Server) -> None:
    """At temperature 1 the same seed has the same answer, and of several seeds some have others."""
    texts = [await server.text("completion", temperature=1, seed=seed, max_tokens=8) for seed in SEEDS]
    again = [await server.text("completion", temperature=1, seed=seed, max_tokens=8) for seed in SEEDS]
    differing = [seed for seed, text, other in zip(SEEDS, texts, again, strict=True) if text != other]
    assert not differing, f"answers of seeds {differing} differ: {texts} and {again}"
    differ = any(a != b for a, b in itertools.pairwise(texts))
    server.require("seeds-differ", differ, f"every seed has the same answer: {texts[0]!r}")


@pytest.mark.nightly
async def test_a_large_prompt_is_answered_or_refused(server: Server) -> None:
    """A prompt of 60,000 words is answered, or refused as too large (parameter large_prompt_words)."""
    words = int(server.target.number("large_prompt_words", WORDS_OF_A_LARGE_PROMPT))
    answer = await server.ask("completion", "word " * words, max_tokens=4)
    answer.expect(200, 400, 413, 422)
    server.check.property("status", answer.status)


@pytest.mark.nightly
async def test_an_answer_makes_sense(server: Server) -> None:
    """A model that was trained knows the capital of France."""
    if server.target.random:
        skip("random-model", "the model is random, so its text has no sense")
    text = await server.text("completion", "The capital of France is", max_tokens=16)
    assert "paris" in text.lower(), f"the capital of France is {text!r}"
