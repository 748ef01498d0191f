"""Verdicts on bodies and events."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from proving_ground.openai_api.conformity import judge, schema, schema_names
from proving_ground.openai_api.differences import Difference, Differences

if TYPE_CHECKING:
    from collections.abc import Callable

USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
COMMON = {"id": "x-1", "created": 1, "model": "m"}
CHAT: dict[str, Any] = {
    **COMMON,
    "object": "chat.completion",
    "usage": USAGE,
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "hello", "refusal": None},
            "finish_reason": "stop",
            "logprobs": None,
        }
    ],
}
GOOD: dict[str, dict[str, Any]] = {
    "models": {"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "us"}]},
    "chat-completion": CHAT,
    "completion": {
        **COMMON,
        "object": "text_completion",
        "choices": [{"index": 0, "text": "", "finish_reason": "length", "logprobs": None}],
    },
    "chat-chunk": {
        **COMMON,
        "object": "chat.completion.chunk",
        "usage": None,
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}],
    },
    "completion-chunk": {
        **COMMON,
        "object": "text_completion",
        "choices": [{"index": 0, "text": "a", "finish_reason": None, "logprobs": None}],
    },
    "embeddings": {
        "object": "list",
        "model": "m",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -1]}],
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    },
    "error": {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": None}},
}


def test_every_schema_is_one_and_has_a_good_example_here() -> None:
    assert set(schema_names()) == set(GOOD)
    for name in schema_names():
        Draft202012Validator.check_schema(dict(schema(name)))


@pytest.mark.parametrize("name", GOOD)
def test_a_good_document_conforms(name: str) -> None:
    verdict = judge(name, GOOD[name])
    assert verdict.judged == "conform", str(verdict)


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("document", [None, [], "text", 7, {}])
def test_what_is_no_such_document_is_a_violation(name: str, document: object) -> None:
    assert judge(name, document).judged == "violation"


@pytest.mark.parametrize("name", GOOD)
def test_every_required_field_is_missed(name: str) -> None:
    for field in schema(name)["required"]:
        document = {key: value for key, value in GOOD[name].items() if key != field}
        (finding,) = judge(name, document).violations
        assert (finding.path, finding.rule) == (f"$.{field}", f"{name}.{field}:required")


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    document = copy.deepcopy(CHAT)
    change(document)
    return document


@pytest.mark.parametrize(
    ("change", "rule", "path"),
    [
        (lambda d: d.update(object="chat"), "chat-completion.object:const", "$.object"),
        (lambda d: d.update(created="now"), "chat-completion.created:type", "$.created"),
        (lambda d: d.update(choices=[]), "chat-completion.choices:minItems", "$.choices"),
        (
            lambda d: d["choices"][0].update(finish_reason="done"),
            "chat-completion.choices[].finish_reason:enum",
            "$.choices[0].finish_reason",
        ),
        (
            lambda d: d["choices"][0]["message"].pop("refusal"),
            "chat-completion.choices[].message.refusal:required",
            "$.choices[0].message.refusal",
        ),
        (lambda d: d["usage"].update(total_tokens=-1), "chat-completion.usage.total_tokens:minimum", None),
    ],
)
def test_a_violation_names_its_rule_and_its_place(
    change: Callable[[dict[str, Any]], object], rule: str, path: str | None
) -> None:
    (finding,) = judge("chat-completion", changed(change)).violations
    assert finding.rule == rule
    assert path is None or finding.path == path


def test_further_fields_are_tolerated_and_told() -> None:
    verdict = judge("chat-completion", {**CHAT, "timings": {"cache": 1}})
    assert verdict.judged == "tolerated"
    assert verdict.tolerated[0].rule == "chat-completion.timings:extension"


def test_null_for_an_optional_field_is_tolerated_and_null_for_a_required_one_is_not() -> None:
    assert judge("chat-completion", {**CHAT, "usage": None}).judged == "tolerated"
    assert judge("chat-completion", {**CHAT, "model": None}).judged == "violation"


def test_a_known_difference_is_tolerated_with_its_reason() -> None:
    known = Difference(servers=["s"], rules=["error.error.code:*"], reason="repeats the status")
    document = {"error": {**GOOD["error"]["error"], "code": 400}}
    assert judge("error", document).judged == "violation"
    verdict = judge("error", document, Differences("s", (known,)))
    assert verdict.judged == "tolerated"
    assert "repeats the status" in str(verdict.tolerated[0])


def test_a_huge_value_is_cut_in_what_is_told() -> None:
    assert len(str(judge("chat-completion", {**CHAT, "created": "x" * 10_000}))) < 300
