"""An OpenAPI document of this project's own schemas: what requests are drawn from."""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proving_ground.openai_api.conformity import schema
from proving_ground.openai_api.server import CHAT, COMPLETIONS, EMBEDDINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUESTS = Path(__file__).parents[1] / "requests"
NAMES: dict[str, str] = {COMPLETIONS: "completion", CHAT: "chat-completion", EMBEDDINGS: "embeddings"}
"""The schema of each path, of the request and of the answer."""
CHUNKS: dict[str, str] = {COMPLETIONS: "completion-chunk", CHAT: "chat-chunk"}
"""The schema of an event of each path that can stream."""
TOKENS, CHOICES, CHARACTERS = 8, 2, 200
"""What is drawn stays small: it is the server's understanding that is tried, and not its speed."""
_SHORT = {"max_tokens": TOKENS, "max_completion_tokens": TOKENS, "n": CHOICES, "best_of": CHOICES}


@functools.cache
def request_schema(name: str) -> Mapping[str, Any]:
    """Return the schema of a request by its name: ``completion``, ``chat-completion`` or ``embeddings``."""
    found: dict[str, Any] = json.loads((REQUESTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def openapi(model: str) -> dict[str, Any]:
    """Return the document, OpenAPI 3.1.

    Args:
        model: The model that requests name; those that are meant to be wrong name others, too.
    """
    paths = {path: {"post": _operation(path, name, model)} for path, name in NAMES.items()}
    return {"openapi": "3.1.0", "info": {"title": "OpenAI API", "version": "2.3.0"}, "paths": paths}


def _operation(path: str, name: str, model: str) -> dict[str, Any]:
    body = {"required": True, "content": {"application/json": {"schema": narrowed(request_schema(name), model)}}}
    good: dict[str, Any] = {"application/json": {"schema": _bare(schema(name))}}
    if path in CHUNKS:
        good["text/event-stream"] = {}
    error = {"application/json": {"schema": _bare(schema("error"))}}
    return {
        "operationId": name,
        "requestBody": body,
        "responses": {
            "200": {"description": "The answer.", "content": good},
            "4XX": {"description": "The request is refused.", "content": error},
        },
    }


def narrowed(whole: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return the schema of a request whose answer is short.

    Every number of tokens and choices is small, and one of tokens is always there: without, a chat may take as long as
    the model likes. So is whether it streams.
    """
    made = _bare(whole)
    properties: dict[str, Any] = made["properties"]
    properties["model"] = {"enum": [model]}
    for key, most in _SHORT.items():
        if key in properties:
            properties[key] = {"type": "integer", "minimum": 1, "maximum": most}
    if "encoding_format" in properties:
        # The schema of embeddings knows numbers only.
        properties["encoding_format"] = {"const": "float"}
    if "max_tokens" in properties:
        made["required"] = [*made["required"], "max_tokens", "stream"]
        # Half of them stream: left to chance, hardly any would.
        properties["stream"] = {"type": "boolean", "enum": [False, True]}
    _shorten(properties)
    return made


def _bare(whole: Mapping[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy(dict(whole))
    made.pop("$schema", None)
    return made


def _shorten(part: Any) -> None:
    """Bound texts and lists."""
    if isinstance(part, list):
        for item in part:
            _shorten(item)
    if not isinstance(part, dict):
        return
    kinds = part.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "string" in kinds and "pattern" not in part:
        part.setdefault("maxLength", CHARACTERS)
    if "array" in kinds:
        part["maxItems"] = min(part.get("maxItems", 4), 4)
    for value in part.values():
        _shorten(value)
