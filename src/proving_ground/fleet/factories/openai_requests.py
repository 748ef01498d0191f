"""What the OpenAI API's completion requests may hold, as far as the mock obeys it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Stop = str | list[str] | None


class StreamOptions(BaseModel):
    """What a stream is to hold beside its text."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    include_usage: bool = False
    continuous_usage_stats: bool = False


class _Common(BaseModel):
    """What chat and plain completions share; fields that change nothing in a mock are let through."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model: str | None = None
    n: Annotated[int, Field(ge=1, le=128)] = 1
    seed: int | None = None
    stop: Stop = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    ignore_eos: bool = False
    min_tokens: Annotated[int, Field(ge=0)] = 0

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings."""
        return () if self.stop is None else (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)


class Message(BaseModel):
    """A message of a chat."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    role: Literal["developer", "system", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None

    @property
    def text(self) -> str:
        """The text of its content; parts that are no text count as nothing."""
        if isinstance(self.content, list):
            return " ".join(str(part.get("text") or "") for part in self.content)
        return self.content or ""


class JsonSchema(BaseModel):
    """A schema that an answer is to keep."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    content: Annotated[dict[str, Any] | None, Field(alias="schema")] = None


class ResponseFormat(BaseModel):
    """The form that an answer is to have."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    @model_validator(mode="after")
    def _schema_is_there(self) -> Self:
        if self.type == "json_schema" and (self.json_schema is None or self.json_schema.content is None):
            raise ValueError("type json_schema needs a json_schema with a schema")
        return self

    @property
    def asked(self) -> dict[str, Any] | None:
        """The schema that the answer is to keep; None: any text."""
        if self.type == "json_object":
            return {"type": "object"}
        return self.json_schema.content if self.type == "json_schema" and self.json_schema else None


class ChatRequest(_Common):
    """The body of ``POST /v1/chat/completions``."""

    messages: Annotated[list[Message], Field(min_length=1)]
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None

    @model_validator(mode="after")
    def _log_probabilities_are_asked_for(self) -> Self:
        if self.top_logprobs and not self.logprobs:
            raise ValueError("top_logprobs needs logprobs to be true")
        return self

    @property
    def likeliest(self) -> int | None:
        """How many of the likeliest tokens are to be told for each; None: no log probability."""
        return (self.top_logprobs or 0) if self.logprobs else None

    @property
    def prompts(self) -> list[tuple[str, int | None]]:
        """The one prompt, and None: its tokens are to be counted."""
        return [("\n".join(f"{message.role}: {message.text}" for message in self.messages), None)]

    @property
    def limit(self) -> int | None:
        """The most tokens to generate."""
        return self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens


class CompletionRequest(_Common):
    """The body of ``POST /v1/completions``."""

    prompt: str | list[str] | list[int] | list[list[int]]
    max_tokens: Annotated[int, Field(ge=1)] | None = 16
    echo: bool = False
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None

    @property
    def likeliest(self) -> int | None:
        """How many of the likeliest tokens are to be told for each; None: no log probability."""
        return self.logprobs

    @property
    def prompts(self) -> list[tuple[str, int | None]]:
        """Each prompt as text, with its number of tokens where it came as tokens."""
        prompt = self.prompt
        if isinstance(prompt, str):
            return [(prompt, None)]
        if prompt and all(isinstance(part, int) for part in prompt):
            return [(" ".join(map(str, prompt)), len(prompt))]
        return [
            (part, None) if isinstance(part, str) else (" ".join(map(str, part)), len(part))
            for part in prompt
            if not isinstance(part, int)
        ]

    @property
    def limit(self) -> int | None:
        """The most tokens to generate."""
        return self.max_tokens
