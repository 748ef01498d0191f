"""What requests are drawn from, and what must hold for any of them."""

from __future__ import annotations

import base64
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from proving_ground.errors import InfrastructureError
from proving_ground.openai_api.differences import Difference, Differences
from proving_ground.openai_api.fuzzing.document import NAMES, openapi, request_schema
from proving_ground.openai_api.fuzzing.exchanges import Exchange, answered, unanswered
from proving_ground.openai_api.fuzzing.judging import curl, findings, judged
from proving_ground.openai_api.fuzzing.running import Plan, command, settings

URL = "http://127.0.0.1:1"
CHAT, COMPLETIONS, EMBEDDINGS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
JSON = "application/json"
PARSE_ERROR = "json-exception-parse-error"


def told(message: str) -> bytes:
    return json.dumps({"error": {"message": message, "type": "bad", "param": None, "code": None}}).encode()


ERROR = told("no")
NOTHING = Differences()
SECRET = "top-secret"


def exchange(status: int = 400, answer: bytes = ERROR, kind: str = JSON, **more: Any) -> Exchange:
    told = {"path": COMPLETIONS, "content_type": JSON, "body": b"{}"} | more
    return Exchange(status=status, answer=answer, answer_type=kind, **told)


def rules(one: Exchange, differences: Differences = NOTHING) -> list[str]:
    return [finding.rule for finding in findings(one, differences) if not finding.tolerated]


def asked(messages: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": messages or [{"role": "user", "content": "a"}], **more}


@pytest.mark.parametrize("name", sorted(NAMES.values()))
def test_the_schema_of_a_request_is_one(name: str) -> None:
    Draft202012Validator.check_schema(dict(request_schema(name)))


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("completion", {"model": "m", "prompt": "p"}),
        ("completion", {"model": "m", "prompt": ["p", "q"], "max_tokens": 1, "stop": ["a"], "logprobs": 5}),
        ("completion", {"model": "m", "prompt": [[1], [2, 3]], "stream": True, "stream_options": None}),
        ("chat-completion", {"model": "m", "messages": [{"role": "user", "content": "hello"}]}),
        ("chat-completion", {"model": "m", "messages": [{"role": "assistant", "content": None}]}),
        ("chat-completion", {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}),
        ("embeddings", {"model": "m", "input": "a"}),
        ("embeddings", {"model": "m", "input": [1, 2], "encoding_format": "base64"}),
        ("completion", {"model": "m", "prompt": None, "stream_options": {"include_obfuscation": False}}),
        ("completion", {"model": "m", "prompt": "p", "seed": -(2**63)}),
        *(("chat-completion", asked(reasoning_effort=effort)) for effort in ("none", "xhigh", "max", None)),
        *(("chat-completion", asked(verbosity=much)) for much in ("low", "medium", "high", None)),
        *(("chat-completion", asked(prompt_cache_retention=kept)) for kept in ("in_memory", "24h", None)),
        ("chat-completion", asked(service_tier="fast", prompt_cache_key="k", safety_identifier="u" * 64)),
        ("chat-completion", asked(metadata={"a" * 64: "b" * 512}, stream_options={"include_obfuscation": True})),
        ("chat-completion", asked(response_format={"type": "json_schema", "json_schema": {"name": "f"}})),
        ("chat-completion", asked(response_format={"type": "json_object"})),
        ("chat-completion", asked([{"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}])),
    ],
)
def test_what_the_reference_allows_is_allowed(name: str, body: dict[str, Any]) -> None:
    Draft202012Validator(dict(request_schema(name))).validate(body)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("completion", {"model": "m"}),
        ("completion", {"model": "m", "prompt": {"no": "text"}}),
        ("completion", {"model": "m", "prompt": "p", "temperature": 3}),
        ("completion", {"model": "m", "prompt": "p", "n": 0}),
        ("chat-completion", {"model": "m", "messages": []}),
        ("chat-completion", {"model": "m", "messages": [{"content": "no role"}]}),
        ("chat-completion", {"model": "m", "messages": [{"role": "stranger", "content": "a"}]}),
        ("chat-completion", {"model": "m", "messages": [{"role": "user", "content": "a"}], "top_logprobs": 21}),
        ("embeddings", {"model": "m", "input": []}),
        ("embeddings", {"model": "m", "input": ""}),
        ("completion", {"model": "m", "prompt": "p", "seed": 2**63}),
        ("chat-completion", asked(reasoning_effort="some")),
        ("chat-completion", asked(verbosity="none")),
        ("chat-completion", asked(prompt_cache_retention="1h")),
        ("chat-completion", asked(safety_identifier="u" * 65)),
        ("chat-completion", asked(metadata={str(key): "" for key in range(17)})),
        ("chat-completion", asked(metadata={"a": 1})),
        ("chat-completion", asked(stream_options={"include_obfuscation": "no"})),
        ("chat-completion", asked(response_format={"type": "json_schema"})),
        ("chat-completion", asked(response_format={"type": "json_schema", "json_schema": {"name": "a b"}})),
        ("chat-completion", asked([{"role": "user", "content": [{"type": "refusal", "refusal": "no"}]}])),
    ],
)
def test_what_the_reference_does_not_allow_is_not(name: str, body: dict[str, Any]) -> None:
    assert not Draft202012Validator(dict(request_schema(name))).is_valid(body)


def test_what_is_drawn_names_the_model_and_has_short_answers() -> None:
    for path, name in NAMES.items():
        operation = openapi("org/m")["paths"][path]["post"]
        schema = operation["requestBody"]["content"][JSON]["schema"]
        Draft202012Validator.check_schema(schema)
        assert schema["properties"]["model"] == {"enum": ["org/m"]}
        assert operation["operationId"] == name
        assert set(operation["responses"]) == {"200", "4XX"}
        if path != EMBEDDINGS:
            assert {"max_tokens", "stream"} <= set(schema["required"])
            assert schema["properties"]["max_tokens"]["maximum"] == 8


def test_drawing_from_a_schema_leaves_it_as_it_is() -> None:
    openapi("org/m")
    assert request_schema("completion")["properties"]["model"] == {"type": "string"}


def test_a_refusal_with_a_good_error_holds() -> None:
    assert rules(exchange()) == []


@pytest.mark.parametrize(
    ("one", "broken"),
    [
        (exchange(500), ["completion:status-500:no"]),
        (exchange(500, told("[json.exception.parse_error.101] at line 1")), [f"completion:status-500:{PARSE_ERROR}"]),
        (exchange(500, told('"model" is missing')), ["completion:status-500:model"]),
        (exchange(500, told("...")), ["completion:status-500"]),
        (exchange(503, b"", "text/plain"), ["completion:status-503", "error-content-type", "error:json"]),
        (exchange(302, b"", ""), ["completion:status-302"]),
        (exchange(400, b'{"detail": "no"}'), ["error.error:required"]),
        (exchange(415, b"", "", content_type="text/plain"), ["other-type:error-content-type", "other-type:error:json"]),
        (exchange(200, b"", "text/html"), ["completion:content-type", "completion:json"]),
        (exchange(200, b"[" * 100_000), ["completion:json"]),
        (exchange(200, b"[]"), ["completion:type"]),
        (exchange(200, b"\xff\xfe\x00"), ["completion:json"]),
        (exchange(0, b"", "", broken="reset"), ["connection"]),
        (exchange(0, b"", ""), []),
    ],
)
def test_what_does_not_hold_is_named(one: Exchange, broken: list[str]) -> None:
    assert rules(one) == broken


def test_streams_are_judged_as_streams() -> None:
    body = b'{"stream": true}'
    cases = {
        b"data: [DONE]\n\n": [],
        b"data: {}\n\ndata: [DONE]\n\n": ["completion-chunk.id:required", "completion-chunk.object:required"],
        b"nonsense\n\ndata: [DONE]\n\n": ["stream-framing"],
        b"data: null\n\ndata: [DONE]\n\n": ["stream-data"],
        b"data: [DONE]\n\ndata: [DONE]\n\n": ["stream-data"],
        b"": ["stream-done"],
        b'data: {"error": {"message": "broke"}}\n\ndata: [DONE]\n\n': ["error-in-stream"],
    }
    for answer, expected in cases.items():
        found = rules(exchange(200, answer, "text/event-stream; charset=utf-8", body=body))
        assert found[: len(expected)] == expected
        assert bool(found) == bool(expected)
    assert "completion:content-type" in rules(exchange(200, b"{}", body=body))


def test_a_stream_that_was_left_need_not_end() -> None:
    assert rules(exchange(200, b"data: {", "text/event-stream", body=b'{"stream": true}', cut=True)) == []


def test_a_known_difference_is_tolerated_with_its_reason() -> None:
    known = Difference(servers=["s"], rules=["completion:status-500:no"], reason="it is so")
    result = judged([exchange(500)], URL, Differences("s", (known,)))
    assert result.failures == []
    assert result.tolerated == {"completion:status-500:no": "it is so"}


def test_a_failure_is_one_line_with_the_shortest_plain_request() -> None:
    bodies = [b'{"prompt": "long"}', b"\x00", b'{"a": 1}']
    (failure,) = judged([exchange(500, body=body) for body in bodies], URL, NOTHING).failures
    assert failure.requests == 3
    assert shlex.split(failure.curl)[-2:] == ["--data-raw", '{"a": 1}']
    assert len(str(failure).splitlines()) == 1


@pytest.mark.parametrize("body", [b"\x00\xff", b"@/etc/passwd", b"two\nlines", "\u202e".encode()])
def test_a_body_that_no_shell_takes_is_encoded(body: bytes) -> None:
    line = curl(exchange(body=body), URL)
    assert line.startswith(f"echo {base64.b64encode(body).decode()} | base64 -d | curl ")
    assert line.isprintable()


def test_a_hostile_body_stays_one_word_of_the_shell() -> None:
    body = b"""{"prompt": "'; touch /tmp/x; $(id) `id`"}"""
    assert shlex.split(curl(exchange(body=body), URL))[-1] == body.decode()


def test_a_token_is_in_no_command_and_no_file() -> None:
    plan = Plan(URL, "m", token=SECRET)
    assert SECRET not in settings(plan)
    assert SECRET not in " ".join(command(plan, Path("python")))
    assert '"authorization: Bearer $TOKEN"' in curl(exchange(), URL, secret=True)


def test_seed_and_cases_are_handed_on() -> None:
    words = command(Plan(URL, "m", cases=7, seed=42), Path("python"))
    assert words[words.index("--seed") + 1] == "42"
    assert words[words.index("--max-examples") + 1] == "7"


@pytest.mark.parametrize(("bounds", "phases"), [(True, "coverage,fuzzing"), (False, "fuzzing")])
def test_requests_at_the_bounds_can_be_left_out(phases: str, *, bounds: bool) -> None:
    words = command(Plan(URL, "m", bounds=bounds), Path("python"))
    assert words[words.index("--phases") + 1] == phases


def test_a_last_line_that_was_cut_is_left_out() -> None:
    whole = {"path": CHAT, "content_type": JSON, "body": "e30=", "status": 400, "answer_type": JSON}
    whole |= {"answer": "", "cut": False}
    found = list(answered([json.dumps(whole), json.dumps(whole)[:40], ""]))
    assert found == [Exchange(CHAT, JSON, b"{}", 400, JSON)]


def _report(kind: str, label: str = f"POST {CHAT}", body: Any = None) -> list[str]:
    case = {"value": {"path": CHAT, "media_type": JSON, "body": body}}
    error = {"NonFatalError": {"label": label, "value": {"type": kind, "message": "gone\nfor good"}}}
    scenario = {"ScenarioFinished": {"recorder": {"label": f"POST {CHAT}", "cases": {"a": {"value": {}}, "b": case}}}}
    return [json.dumps(error), json.dumps(scenario)]


def test_what_came_too_late_is_no_broken_connection() -> None:
    (late,) = unanswered(_report("ReadTimeout", body={"a": 1}))
    assert (late.path, late.body, late.broken) == (CHAT, b'{"a": 1}', "")
    (broken,) = unanswered(_report("ConnectionError", body={"$base64": "AAE="}))
    assert broken.body == b"\x00\x01"
    assert broken.broken == "ConnectionError: gone for good"


def test_a_server_that_is_gone_is_a_broken_connection() -> None:
    (broken,) = unanswered(_report("ServerUnavailable", label="server"))
    assert "answers no more" in broken.broken


def test_what_breaks_schemathesis_itself_is_an_infrastructure_error() -> None:
    with pytest.raises(InfrastructureError, match="schemathesis broke off: Unsatisfiable: gone"):
        list(unanswered(_report("Unsatisfiable")))
