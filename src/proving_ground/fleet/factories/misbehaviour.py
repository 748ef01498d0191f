"""Named faults of an inference server: what it does to requests, answers and streams, each by itself."""

from __future__ import annotations

import json
import secrets
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]

BURST, BURST_EVERY = 5, 15
"""Of so many inference requests in a row, so many are refused."""
SLOW_SECONDS = 4.0
JITTER_SECONDS = 0.2
"""The most that an event is late by."""
LEAK_BYTES = 1024 * 1024
LONG_BODY = 100_000
"""Bytes of a request's body from which on it is long."""
UNLIMITED = 4096
"""Tokens of an answer whose limit is ignored."""
_DONE = b"data: [DONE]\n\n"
_EVENTS_BEFORE_ERROR = 3


@dataclass(slots=True)
class Memory:
    """What a misbehaving replica remembers of earlier requests."""

    requests: int = 0
    broken: bool = False
    leaked: list[bytes] = field(default_factory=list)
    ident: str = field(default_factory=lambda: uuid.uuid4().hex)


# What a request is changed into before it is answered.


def _ignore_limit(body: Json) -> None:
    body.pop("max_completion_tokens", None)
    if "max_tokens" in body:
        body["max_tokens"] = UNLIMITED


def _ignore_stop(body: Json) -> None:
    body.pop("stop", None)


def _ignore_seed(body: Json) -> None:
    if body.get("temperature", 1) != 0:
        body["seed"] = secrets.randbelow(2**31)


def _random_at_zero(body: Json) -> None:
    if body.get("temperature", 1) == 0:
        body["seed"] = secrets.randbelow(2**31)


def _any_model(body: Json) -> None:
    body.pop("model", None)


def _ignore_logprobs(body: Json) -> None:
    body.pop("logprobs", None)
    body.pop("top_logprobs", None)


def _ignore_response_format(body: Json) -> None:
    body.pop("response_format", None)


REQUESTS: dict[str, Callable[[Json], None]] = {
    "ignores-max-tokens": _ignore_limit,
    "ignores-stop": _ignore_stop,
    "ignores-seed": _ignore_seed,
    "random-at-zero": _random_at_zero,
    "accepts-unknown-model": _any_model,
    "ignores-logprobs": _ignore_logprobs,
    "ignores-response-format": _ignore_response_format,
}


# What a choice is changed into, of a whole answer and of a stream.


def _other_tokens(choice: Json) -> None:
    told = choice.get("logprobs") or {}
    if "tokens" in told:
        told["tokens"] = [token.upper() for token in told["tokens"]]
    for entry in told.get("content", ()):
        entry["token"] = entry["token"].upper()
        entry["bytes"] = list(entry["token"].encode())


def _impossible_logprobs(choice: Json) -> None:
    told = choice.get("logprobs") or {}
    if "token_logprobs" in told:
        told["token_logprobs"] = [-logprob for logprob in told["token_logprobs"]]
    for entry in told.get("content", ()):
        entry["logprob"] = -entry["logprob"]


def _in_each_choice(change: Callable[[Json], None]) -> Callable[..., None]:
    def changed(document: Json, *_: Memory) -> None:
        for choice in document.get("choices", ()):
            change(choice)

    return changed


_CHOICES = {
    "logprobs-of-other-tokens": _in_each_choice(_other_tokens),
    "impossible-logprobs": _in_each_choice(_impossible_logprobs),
}


# What a whole answer is changed into. Choices, data and usage are where OpenAI's API has them.


def _wrong_schema(body: Json, _: Memory) -> None:
    body["created"] = "now"
    for choice in body.get("choices", ()):
        choice.pop("index", None)
        choice["finish_reason"] = "done"


def _no_choices(body: Json, _: Memory) -> None:
    if "choices" in body:
        body["choices"] = []


def _wrong_usage(body: Json, _: Memory) -> None:
    if isinstance(body.get("usage"), dict):
        body["usage"]["total_tokens"] += 1


def _same_id(body: Json, memory: Memory) -> None:
    if "choices" in body:
        body["id"] = memory.ident


def _wrong_index(body: Json, _: Memory) -> None:
    for choice in body.get("choices", ()):
        choice["index"] = 0


def _tool_calls_say_stop(body: Json, _: Memory) -> None:
    for choice in body.get("choices", ()):
        if "message" in choice:
            call = {"name": "get_weather", "arguments": "{}"}
            choice["message"] |= {"tool_calls": [{"id": "call_1", "type": "function", "function": call}]}
            choice["finish_reason"] = "stop"


def _bad_models(body: Json, _: Memory) -> None:
    for card in body.get("data", ()) if body.get("object") == "list" else ():
        if card.get("object") == "model":
            card["created"] = None


def _other_model(body: Json, _: Memory) -> None:
    for card in body.get("data", ()) if body.get("object") == "list" else ():
        if card.get("object") == "model":
            card["id"] += "-not-this-one"


def _bad_embeddings(body: Json, _: Memory) -> None:
    for item in body.get("data", ()):
        if item.get("object") == "embedding":
            item["embedding"] = [str(number) for number in item["embedding"]]


ANSWERS: dict[str, Callable[[Json, Memory], None]] = {
    "wrong-schema": _wrong_schema,
    "no-choices": _no_choices,
    "wrong-usage": _wrong_usage,
    "same-id": _same_id,
    "wrong-index": _wrong_index,
    "tool-calls-say-stop": _tool_calls_say_stop,
    "bad-models": _bad_models,
    "lists-other-model": _other_model,
    "bad-embeddings": _bad_embeddings,
    **_CHOICES,
}


# What one event of a stream is changed into.


def _without_finish(chunk: Json) -> None:
    for choice in chunk.get("choices", ()):
        choice["finish_reason"] = None


def _without_role(chunk: Json) -> None:
    for choice in chunk.get("choices", ()):
        choice.get("delta", {}).pop("role", None)


def _changing_ids(chunk: Json) -> None:
    chunk["id"] = uuid.uuid4().hex


def _stream_wrong_schema(chunk: Json) -> None:
    chunk["object"] = "chunk"


def _stream_wrong_usage(chunk: Json) -> None:
    if isinstance(chunk.get("usage"), dict):
        chunk["usage"]["completion_tokens"] += 1


def _other_text(chunk: Json) -> None:
    for choice in chunk.get("choices", ()):
        for holder, key in ((choice, "text"), (choice.get("delta", {}), "content")):
            if holder.get(key):
                holder[key] = holder[key].upper()


CHUNKS: dict[str, Callable[[Json], None]] = {
    "stream-without-finish-reason": _without_finish,
    "stream-without-role": _without_role,
    "stream-changing-ids": _changing_ids,
    "stream-wrong-schema": _stream_wrong_schema,
    "stream-wrong-usage": _stream_wrong_usage,
    "stream-other-text": _other_text,
    **_CHOICES,
}


# What the events of a stream are changed into, as bytes: some are left out, others are added.


@dataclass(slots=True)
class StreamState:
    """How far a stream is."""

    sent: int = 0
    failed: bool = False
    held: str = ""
    """Text that is kept back."""


def _without_done(event: bytes, _: StreamState) -> bytes:
    return b"" if event == _DONE else event


def _without_usage(event: bytes, _: StreamState) -> bytes:
    return b"" if b'"usage":{' in event else event


def _bad_framing(event: bytes, _: StreamState) -> bytes:
    return event if event == _DONE else event.removeprefix(b"data: ")


def _error_within(event: bytes, state: StreamState) -> bytes:
    if state.failed:
        return event if event == _DONE else b""
    if state.sent < _EVENTS_BEFORE_ERROR:
        return event
    state.failed = True
    return (
        b'data: {"error": {"message": "EngineCore encountered an issue.", "type": "InternalServerError", '
        b'"param": null, "code": 500}}\n\n'
    )


def _in_one_piece(event: bytes, state: StreamState) -> bytes:
    if event == _DONE:
        return event
    chunk = json.loads(event.removeprefix(b"data: "))
    for choice in chunk["choices"]:
        holder, key = (choice["delta"], "content") if "delta" in choice else (choice, "text")
        state.held += holder.get(key) or ""
        if choice["finish_reason"] is not None:
            holder[key], choice["finish_reason"], reason = state.held, None, choice["finish_reason"]
            whole = json.dumps(chunk).encode()
            choice["finish_reason"], holder[key] = reason, ""
            return b"data: " + whole + b"\n\ndata: " + json.dumps(chunk).encode() + b"\n\n"
        if holder.get(key):
            return b""
    return event


EVENTS: dict[str, Callable[[bytes, StreamState], bytes]] = {
    "stream-in-one-piece": _in_one_piece,
    "stream-without-done": _without_done,
    "stream-without-usage": _without_usage,
    "stream-bad-framing": _bad_framing,
    "error-in-stream": _error_within,
}


# What headers are changed into. Names are in lower case.


def _wrong_type(headers: dict[str, str], stream: bool) -> None:
    headers["content-type"] = "application/json" if stream else "text/plain"


def _no_request_id(headers: dict[str, str], _: bool) -> None:
    headers.pop("x-request-id", None)


def _bad_rate_limits(headers: dict[str, str], _: bool) -> None:
    headers |= {"x-ratelimit-limit-requests": "many", "x-ratelimit-reset-requests": "soon"}


def _bad_cors(headers: dict[str, str], _: bool) -> None:
    headers |= {"access-control-allow-origin": "*", "access-control-allow-credentials": "true"}


HEADERS: dict[str, Callable[[dict[str, str], bool], None]] = {
    "wrong-content-type": _wrong_type,
    "no-request-id": _no_request_id,
    "bad-rate-limit-headers": _bad_rate_limits,
    "bad-cors": _bad_cors,
}

OTHERS = frozenset(
    {
        "accepts-invalid", "answers-every-path", "bad-errors", "breaks-after-error", "bursts-of-429",
        "drops-connections", "fails-on-empty-prompt", "fails-on-long-prompt", "fails-when-busy", "hangs",
        "health-says-503", "jitter", "keeps-cancelled", "leaks-memory", "slow-first-token",
    }
)  # fmt: skip
FAULTS = frozenset({*OTHERS, *REQUESTS, *ANSWERS, *CHUNKS, *EVENTS, *HEADERS})
"""All that a server of this fleet can be told to do wrong."""
