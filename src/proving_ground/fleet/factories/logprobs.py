"""Log probabilities of the mock model: the same for the same text, and adding up to less than one."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEAST, _MOST = 0.5, 0.95
"""Probability of the token that is chosen; each further one has half of what is left."""


def _bytes(text: str) -> list[int]:
    return list(text.encode("utf-8", "replace"))


def _likeliest(token: str, number: int) -> list[tuple[str, float]]:
    """Return a token and others, the likeliest first, with their log probabilities; the token itself always."""
    share = hashlib.blake2b(token.encode("utf-8", "replace"), digest_size=1).digest()[0] / 255
    chosen = _LEAST + (_MOST - _LEAST) * share
    found = [(token, math.log(chosen))]
    left = 1 - chosen
    for place in range(1, number):
        left /= 2
        found.append((f"{token}~{place}", math.log(left)))
    return found


def of_chat(tokens: Sequence[str], top: int) -> dict[str, Any]:
    """Return log probabilities as answers of chats have them.

    Args:
        tokens: The tokens that are answered.
        top: How many of the likeliest are told for each.
    """
    content = []
    for token in tokens:
        first, *others = [
            {"token": text, "logprob": logprob, "bytes": _bytes(text)} for text, logprob in _likeliest(token, top)
        ]
        content.append({**first, "top_logprobs": [first, *others][:top]})
    return {"content": content}


def of_completion(tokens: Sequence[str], top: int, offset: int) -> dict[str, Any]:
    """Return log probabilities as answers of completions have them.

    Args:
        tokens: The tokens that are answered.
        top: How many of the likeliest are told for each.
        offset: Characters of the answer before the first token.
    """
    offsets = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token)
    likeliest = [_likeliest(token, top) for token in tokens]
    return {
        "text_offset": offsets,
        "token_logprobs": [each[0][1] for each in likeliest],
        "tokens": list(tokens),
        "top_logprobs": [dict(each) for each in likeliest],
    }
