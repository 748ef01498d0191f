"""Text that a mock model generates: the same for the same question, and countable."""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass

_PIECE = re.compile(r"\w{1,8}|[^\w\s]")
_PIECE_AFTER_SPACE = re.compile(rf"\s*(?:{_PIECE.pattern})")
_WORDS = re.findall(
    r"[a-z]+",
    "the model answers with words that carry no meaning of their own while every request gets its share "
    "of tokens and each token has a place in time so that latency throughput and order can be measured on "
    "a simulated cluster where nothing is learned but all of it is counted in steps from first to last ",
)
NATURAL_MINIMUM, NATURAL_MAXIMUM = 12, 48


def count_tokens(text: str) -> int:
    """Count the tokens of a text: words in pieces of up to eight characters, and each other sign."""
    return sum(1 for _ in _PIECE.finditer(text))


@dataclass(frozen=True, slots=True)
class Generation:
    """A generated text."""

    tokens: tuple[str, ...]
    """The pieces in order; joined they are the text."""
    finish_reason: str
    """``stop`` or ``length``."""

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.tokens)


def generator(question: str, seed: int | None) -> random.Random:
    """Return what chooses the answer to a question: the same for the same question and seed."""
    digest = hashlib.blake2b(f"{seed}\0{question}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return random.Random(digest)  # noqa: S311 -- must be repeatable, guards nothing


def recite(text: str, *, limit: int | None, stop: tuple[str, ...] = ()) -> Generation:
    """Return a given text as if it was generated; arguments are those of `generate`."""
    pieces = tuple(piece.group() for piece in _PIECE_AFTER_SPACE.finditer(text))
    if limit is not None and len(pieces) > limit:
        return _stopped(Generation(pieces[:limit], "length"), stop)
    return _stopped(Generation(pieces, "stop"), stop)


def generate(
    question: str,
    *,
    limit: int | None,
    seed: int | None = None,
    stop: tuple[str, ...] = (),
    ignore_end: bool = False,
    minimum: int = 0,
) -> Generation:
    """Generate a text that depends on nothing but the arguments.

    Args:
        question: All that the answer depends on: model, prompt, number of the choice.
        limit: The most tokens, or None.
        seed: The request's seed.
        stop: The text ends before the first of these; it then finishes with ``stop``.
        ignore_end: Whether to go on to the limit.
        minimum: The fewest tokens.
    """
    source = generator(question, seed)
    natural = max(minimum, source.randint(NATURAL_MINIMUM, NATURAL_MAXIMUM))
    if limit is None:
        count, finish = natural, "stop"
    elif ignore_end or natural > limit:
        count, finish = limit, "length"
    else:
        count, finish = natural, "stop"
    words = source.choices(_WORDS, k=count)
    tokens = tuple(word if i == 0 else f" {word}" for i, word in enumerate(words))
    return _stopped(Generation(tokens, finish), stop)


def _stopped(whole: Generation, stop: tuple[str, ...]) -> Generation:
    """Return what is before the first stop string."""
    cut = min((at for s in stop if s and (at := whole.text.find(s)) >= 0), default=None)
    if cut is None:
        return whole
    kept: list[str] = []
    for token in whole.tokens:
        if cut <= 0:
            break
        kept.append(token[:cut])
        cut -= len(token)
    return Generation(tuple(kept), "stop")
