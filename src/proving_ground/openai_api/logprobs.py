"""The log probabilities of an answer: read from either form of the API, and held against the text they are of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proving_ground.openai_api.client import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_ROUNDING = 1e-3
_UNKNOWN = "\ufffd"
"""What a token that is a part of a character is shown as."""
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a text.

    Attributes:
        text: As it is told; of a part of a character, what stands for it.
        raw: Its bytes, where they are told.
        logprob: Natural logarithm of its probability; None: not told.
        top: The likeliest tokens at its place, with theirs.
    """

    text: str
    raw: bytes | None
    logprob: float | None
    top: tuple[tuple[str, float], ...] = ()


def tokens_of(choices: Sequence[Mapping[str, Any]]) -> list[Token]:
    """Return the tokens that the parts of one choice tell, in their order; a whole answer is one part.

    Both forms are read: a list ``content`` of objects, as chats have it, and the lists ``tokens``, ``token_logprobs``
    and ``top_logprobs``, as completions have them.

    Raises:
        RequestError: They have neither form.
    """
    try:
        return [token for part in _told(choices) for token in (_of_chat(part) or _of_completion(part))]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RequestError(f"expected log probabilities, found {str(_told(choices))[:_SHOWN]}") from error


def _told(choices: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [found for choice in choices if isinstance(found := choice.get("logprobs"), dict)]


def _of_chat(part: Mapping[str, Any]) -> list[Token]:
    found = []
    for entry in part.get("content") or ():
        raw = entry.get("bytes")
        top = tuple((each["token"], float(each["logprob"])) for each in entry.get("top_logprobs") or ())
        found.append(Token(entry["token"], None if raw is None else bytes(raw), entry.get("logprob"), top))
    return found


def _of_completion(part: Mapping[str, Any]) -> list[Token]:
    texts = part.get("tokens") or []
    nothing: list[None] = [None] * len(texts)
    logprobs, tops = part.get("token_logprobs") or nothing, part.get("top_logprobs") or nothing
    return [
        Token(text, None, logprob, tuple((top or {}).items()))
        for text, logprob, top in zip(texts, logprobs, tops, strict=True)
    ]


def has_own_form(choices: Sequence[Mapping[str, Any]], *, chat: bool) -> bool:
    """Return whether log probabilities have the form that the API reference gives to this kind of answer."""
    return all(("content" if chat else "tokens") in part for part in _told(choices))


def wrong_with(tokens: Sequence[Token], text: str, most: int) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with an answer's log probabilities: the name of a rule, and what was found.

    A token that ends the text is no part of it, and may be told or not. Of a character in several tokens that are told
    without their bytes nothing can be said.

    Args:
        tokens: All tokens of the text.
        text: The text.
        most: How many tokens may be told for a place.
    """
    if not any(_is_of(part, text) for part in (tokens, tokens[:-1])):
        found, spaceless = _joined(tokens), "".join(text.split())
        rule = "logprobs-spaces" if "".join(found.split()) == spaceless else "logprobs-text"
        yield rule, f"the tokens are of {found[:_SHOWN]!r}, and the text is {text[:_SHOWN]!r}"
    for place, token in enumerate(tokens):
        told = f"token {place}, {token.text!r}"
        if token.logprob is None:
            yield "logprobs-value", f"{told}: has no log probability"
        elif token.logprob > _ROUNDING:
            yield "logprobs-value", f"{told}: has log probability {token.logprob:g}, and so is likelier than certain"
        if len(token.top) > most:
            yield "logprobs-top", f"{told}: expected at most {most} of the likeliest tokens, found {len(token.top)}"
        if (total := math.fsum(math.exp(min(each, 1.0)) for _, each in token.top)) > 1 + _ROUNDING:
            yield "logprobs-sum", f"{told}: the likeliest tokens have together the probability {total:.3f}"
        of_itself = dict(token.top).get(token.text, token.logprob)
        if token.logprob is not None and of_itself is not None and abs(of_itself - token.logprob) > _ROUNDING:
            yield (
                "logprobs-value",
                f"{told}: has log probability {token.logprob:g}, and {of_itself:g} among the likeliest",
            )


def _joined(tokens: Sequence[Token]) -> str:
    if all(token.raw is not None for token in tokens):
        return b"".join(token.raw or b"" for token in tokens).decode("utf-8", "replace")
    return "".join(token.text for token in tokens)


def _is_of(tokens: Sequence[Token], text: str) -> bool:
    found = _joined(tokens)
    return found == text or _UNKNOWN in found
