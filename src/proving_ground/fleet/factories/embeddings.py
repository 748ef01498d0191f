"""Embeddings of the mock model: the same for the same text, of length one, and without meaning."""

from __future__ import annotations

import hashlib
import math
import random
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from proving_ground.fleet.factories.answers import ApiError
from proving_ground.fleet.factories.tokens import count_tokens

DIMENSIONS = 16


class EmbeddingRequest(BaseModel):
    """The body of ``POST /v1/embeddings``."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    input: str | Annotated[list[str], Field(min_length=1)]
    model: str | None = None

    @property
    def texts(self) -> list[str]:
        """Each text to embed."""
        return [self.input] if isinstance(self.input, str) else self.input


def embeddings(request: EmbeddingRequest, model: str) -> dict[str, Any]:
    """Return the answer's body.

    Raises:
        ApiError: The model is not this one, or a text is empty.
    """
    if request.model is not None and request.model != model:
        raise ApiError(404, f"The model `{request.model}` does not exist.", param="model")
    if not all(request.texts):
        raise ApiError(400, "The input is empty.", param="input")
    tokens = sum(map(count_tokens, request.texts))
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(f"{model}\0{text}")}
        for index, text in enumerate(request.texts)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def _vector(text: str) -> list[float]:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    source = random.Random(digest)  # noqa: S311 -- must be repeatable, guards nothing
    numbers = [source.gauss() for _ in range(DIMENSIONS)]
    length = math.hypot(*numbers)
    return [number / length for number in numbers]
