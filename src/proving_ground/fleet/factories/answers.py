"""Answers of the mock model: whole or streamed, with usage that adds up."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from proving_ground.fleet.factories.engine import Job, engine_of
from proving_ground.fleet.factories.formats import UnsupportedSchemaError, text_for
from proving_ground.fleet.factories.logprobs import of_chat, of_completion
from proving_ground.fleet.factories.openai_requests import ChatRequest, CompletionRequest
from proving_ground.fleet.factories.tokens import Generation, count_tokens, generate, generator, recite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from starlette.types import Receive, Scope, Send

    from proving_ground.fleet.replica import Replica

_TYPES = {400: "BadRequestError", 404: "NotFoundError", 413: "BadRequestError"}
DONE = b"data: [DONE]\n\n"


class ApiError(Exception):
    """An error that the API answers with."""

    def __init__(self, status: int, message: str, kind: str = "", param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self._error = {"message": message, "type": kind or _TYPES.get(status, ""), "param": param, "code": status}

    def body(self) -> dict[str, Any]:
        """Return the answer's body in OpenAI's error shape."""
        return {"error": self._error}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a valid request will be answered with."""

    request: ChatRequest | CompletionRequest
    model: str
    choices: tuple[Generation, ...]
    prompts: tuple[str, ...]
    """The prompt of each choice."""
    prompt_tokens: int
    ident: str
    created: int

    @property
    def chat(self) -> bool:
        """Whether it is a chat completion."""
        return isinstance(self.request, ChatRequest)

    @property
    def generated(self) -> int:
        """Tokens over all choices."""
        return sum(len(choice.tokens) for choice in self.choices)

    def job(self) -> Job:
        """Return the job for the engine."""
        return Job(self.prompt_tokens, len(self.choices), self.request.limit)

    def usage(self, generated: int | None = None) -> dict[str, Any]:
        """Return the usage object."""
        number = self.generated if generated is None else generated
        return {
            "prompt_tokens": self.prompt_tokens,
            "total_tokens": self.prompt_tokens + number,
            "completion_tokens": number,
            "prompt_tokens_details": None,
        }


def plan_of(request: ChatRequest | CompletionRequest, replica: Replica) -> Plan:
    """Decide the answer to a request.

    Raises:
        ApiError: The model is not this one, or the prompt is longer than the context.
    """
    model = replica.served_model
    if request.model is not None and request.model != model:
        raise ApiError(404, f"The model `{request.model}` does not exist.", param="model")
    room = replica.behaviour.speed.max_model_len
    choices: list[Generation] = []
    texts: list[str] = []
    prompt_tokens = 0
    for number, (prompt, known) in enumerate(request.prompts):
        size = known if known is not None else count_tokens(prompt)
        if size + (request.limit or 1) > room:
            raise ApiError(
                400,
                f"This model's maximum context length is {room} tokens. However, you requested "
                f"{size + (request.limit or 1)} tokens ({size} in the prompt). Please reduce the length.",
                param="max_tokens" if size < room else "prompt",
            )
        prompt_tokens += size
        for copy in range(request.n):
            question = f"{model}\0{number if copy else 0}\0{copy}\0{prompt}"
            choices.append(_generated(request, question, min(request.limit or room - size, room - size)))
            texts.append(prompt)
    if not choices:
        raise ApiError(400, "The prompt is empty.", param="prompt")
    prefix = "chatcmpl-" if isinstance(request, ChatRequest) else "cmpl-"
    return Plan(
        request, model, tuple(choices), tuple(texts), prompt_tokens, prefix + uuid.uuid4().hex, int(time.time())
    )


def _generated(request: ChatRequest | CompletionRequest, question: str, limit: int) -> Generation:
    """Return one choice: words, or the form that was asked for."""
    asked = request.response_format.asked if isinstance(request, ChatRequest) and request.response_format else None
    if asked is None:
        return generate(
            question,
            limit=limit,
            seed=request.seed,
            stop=request.stops,
            ignore_end=request.ignore_eos and request.limit is not None,
            minimum=request.min_tokens,
        )
    try:
        return recite(text_for(asked, generator(question, request.seed)), limit=limit, stop=request.stops)
    except UnsupportedSchemaError as error:
        raise ApiError(400, str(error), param="response_format") from error


def _logprobs(plan: Plan, tokens: Sequence[str], before: int = 0) -> dict[str, Any] | None:
    """Return the log probabilities of tokens, where they were asked for.

    Args:
        plan: The answer.
        tokens: Tokens of one choice.
        before: Characters of that choice before them.
    """
    top = plan.request.likeliest
    if top is None:
        return None
    return of_chat(tokens, top) if plan.chat else of_completion(tokens, top, before)


def _finish(plan: Plan, job: Job) -> None:
    job.generated = plan.generated
    reasons = {choice.finish_reason for choice in plan.choices}
    job.finish_reason = "length" if "length" in reasons else "stop"


async def whole_answer(plan: Plan, replica: Replica) -> dict[str, Any]:
    """Generate all, then answer at once."""
    engine, job = engine_of(replica), plan.job()
    job.steps = max(len(choice.tokens) for choice in plan.choices)
    async with engine.admit(job):
        await engine.first_token(job)
        await engine.next_tokens(job.steps - 1)
        _finish(plan, job)
    choices: list[dict[str, Any]] = []
    for index, choice in enumerate(plan.choices):
        echoed = plan.prompts[index] if isinstance(plan.request, CompletionRequest) and plan.request.echo else ""
        logprobs = _logprobs(plan, choice.tokens, len(echoed))
        end = {"logprobs": logprobs, "finish_reason": choice.finish_reason, "stop_reason": None}
        if isinstance(plan.request, CompletionRequest):
            choices.append({"index": index, "text": echoed + choice.text, **end})
        else:
            message: dict[str, Any] = {"role": "assistant", "content": choice.text, "refusal": None, "tool_calls": []}
            choices.append({"index": index, "message": message, **end})
    return {
        "id": plan.ident,
        "object": "chat.completion" if plan.chat else "text_completion",
        "created": plan.created,
        "model": plan.model,
        "system_fingerprint": _fingerprint(plan.model),
        "choices": choices,
        "usage": plan.usage(),
    }


def _fingerprint(model: str) -> str:
    return "fp_" + hashlib.blake2b(model.encode(), digest_size=5).hexdigest()


def _event(plan: Plan, choices: list[dict[str, Any]], usage: dict[str, Any] | None, *, with_usage: bool) -> bytes:
    chunk: dict[str, Any] = {
        "id": plan.ident,
        "object": "chat.completion.chunk" if plan.chat else "text_completion",
        "created": plan.created,
        "model": plan.model,
        "choices": choices,
    }
    if with_usage:
        chunk["usage"] = usage
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def _choice(plan: Plan, index: int, text: str | None, finish: str | None, before: int = 0) -> dict[str, Any]:
    logprobs = None if text is None else _logprobs(plan, [text], before)
    common: dict[str, Any] = {"index": index, "logprobs": logprobs, "finish_reason": finish}
    if plan.chat:
        return common | {"delta": {} if text is None else {"content": text}}
    return common | {"text": text or ""}


async def _events(plan: Plan, replica: Replica, gone: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
    """Give the events of a stream: role first (chat), then the tokens, the end of each choice, usage, DONE."""
    engine, job = engine_of(replica), plan.job()
    options = plan.request.stream_options
    with_usage = options is not None and options.include_usage
    running = options is not None and options.continuous_usage_stats
    longest = max(len(choice.tokens) for choice in plan.choices)
    sent = [0] * len(plan.choices)
    async with engine.admit(job):
        await engine.first_token(job)
        if plan.chat:
            for index in range(len(plan.choices)):
                first = {"index": index, "delta": {"role": "assistant", "content": ""}, "logprobs": None}
                yield _event(plan, [first | {"finish_reason": None}], None, with_usage=False)
        for step in range(longest):
            if step:
                await engine.next_tokens()
            if engine.speed.token and await gone():
                return
            for index, choice in enumerate(plan.choices):
                if step < len(choice.tokens):
                    job.generated += 1
                    usage = plan.usage(job.generated) if running else None
                    token = choice.tokens[step]
                    yield _event(plan, [_choice(plan, index, token, None, sent[index])], usage, with_usage=running)
                    sent[index] += len(token)
        for index, choice in enumerate(plan.choices):
            yield _event(plan, [_choice(plan, index, None, choice.finish_reason)], None, with_usage=False)
        _finish(plan, job)
    if with_usage:
        yield _event(plan, [], plan.usage(), with_usage=True)
    yield DONE


class EventStream(Response):
    """A response of server-sent events, written as they come; those that come together go together."""

    def __init__(self, events: AsyncIterator[bytes], headers: dict[str, str], *, paced: bool) -> None:
        super().__init__(headers=headers | {"content-type": "text/event-stream; charset=utf-8"})
        del self.headers["content-length"]
        self._events = events
        self._paced = paced

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        del scope, receive
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        together: list[bytes] = []
        async for event in self._events:
            if self._paced:
                await send({"type": "http.response.body", "body": event, "more_body": True})
            else:
                together.append(event)
        await send({"type": "http.response.body", "body": b"".join(together), "more_body": False})


def stream_answer(
    plan: Plan, replica: Replica, headers: dict[str, str], gone: Callable[[], Awaitable[bool]]
) -> EventStream:
    """Answer as server-sent events while generating."""
    speed = replica.behaviour.speed
    return EventStream(_events(plan, replica, gone), headers, paced=bool(speed.first_token or speed.token))
