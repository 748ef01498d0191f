"""Verdicts on bodies and events."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from proving_ground.openai_api.conformity import judge, schema, schema_names
from proving_ground.openai_api.differences import Difference, Differences, differences_of

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


CALL: dict[str, Any] = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CUSTOM: dict[str, Any] = {"id": "c", "type": "custom", "custom": {"name": "f", "input": "text"}}


def calling(*calls: dict[str, Any]) -> dict[str, Any]:
    return changed(lambda d: d["choices"][0]["message"].update(tool_calls=list(calls)))


def test_a_message_may_call_functions_and_tools_of_its_own() -> None:
    verdict = judge("chat-completion", calling(CALL, CUSTOM))
    assert verdict.judged == "conform", str(verdict)


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        ({**CALL, "type": "other"}, "type:enum"),
        ({"id": "c", "type": "function"}, "function:required"),
        ({"id": "c", "type": "custom", "function": CALL["function"]}, "custom:required"),
        ({**CUSTOM, "custom": {"name": "f"}}, "custom.input:required"),
        ({**CALL, "function": {"name": "f"}}, "function.arguments:required"),
    ],
)
def test_a_call_has_what_its_type_names(call: dict[str, Any], rule: str) -> None:
    (finding,) = judge("chat-completion", calling(call)).violations
    assert finding.rule == f"chat-completion.choices[].message.tool_calls[].{rule}"


def test_a_call_without_a_type_is_a_violation() -> None:
    found = judge("chat-completion", calling({"id": "c", "function": CALL["function"]})).violations
    assert [finding.rule.rpartition(".")[2] for finding in found] == ["type:required"]


@pytest.mark.parametrize("name", ["chat-completion", "chat-chunk"])
@pytest.mark.parametrize(("tier", "judged"), [("fast", "conform"), ("priority", "conform"), ("slow", "violation")])
def test_the_tier_of_a_service_is_one_of_those_that_there_are(name: str, tier: str, judged: str) -> None:
    assert judge(name, {**GOOD[name], "service_tier": tier}).judged == judged


@pytest.mark.parametrize("name", ["chat-completion", "chat-chunk", "completion", "completion-chunk"])
@pytest.mark.parametrize(("count", "judged"), [(7, "conform"), ("7", "violation")])
def test_tokens_are_counted_by_kind(name: str, count: object, judged: str) -> None:
    prompt = dict.fromkeys(
        ("audio_tokens", "cached_tokens", "cache_write_tokens", "image_tokens", "text_tokens"), count
    )
    answer = dict.fromkeys(("audio_tokens", "reasoning_tokens", "text_tokens"), count)
    usage = {**USAGE, "prompt_tokens_details": prompt, "completion_tokens_details": answer}
    assert judge(name, {**GOOD[name], "usage": usage}).judged == judged


@pytest.mark.parametrize("name", ["completion", "completion-chunk"])
@pytest.mark.parametrize(("probability", "judged"), [(-0.5, "conform"), ("likely", "violation"), (None, "violation")])
def test_the_likeliest_tokens_of_a_completion_have_numbers(name: str, probability: object, judged: str) -> None:
    document = copy.deepcopy(GOOD[name])
    document["choices"][0]["logprobs"] = {"tokens": ["a"], "top_logprobs": [None, {" the": probability}]}
    assert judge(name, document).judged == judged


@pytest.mark.parametrize(("date", "judged"), [("2027-01-01", "conform"), (None, "conform"), (7, "violation")])
def test_a_model_may_tell_until_when_it_is_served(date: object, judged: str) -> None:
    model = {**GOOD["models"]["data"][0], "shutdown_date": date}
    assert judge("models", {"object": "list", "data": [model]}).judged == judged


@pytest.mark.parametrize(("metadata", "judged"), [({"a": "b"}, "conform"), (None, "conform"), ("a", "violation")])
def test_an_answer_may_repeat_the_metadata_of_its_request(metadata: object, judged: str) -> None:
    assert judge("chat-completion", {**CHAT, "metadata": metadata}).judged == judged


@pytest.mark.parametrize("server", ["llama.cpp", "vllm"])
@pytest.mark.parametrize("name", ["chat-completion", "chat-chunk"])
def test_probabilities_without_those_of_a_refusal_are_a_known_difference(server: str, name: str) -> None:
    document = copy.deepcopy(GOOD[name])
    document["choices"][0]["logprobs"] = {"content": []}
    rule = f"{name}.choices[].logprobs.refusal:required"
    assert [finding.rule for finding in judge(name, document).violations] == [rule]
    assert not judge(name, document, differences_of(server)).violations
