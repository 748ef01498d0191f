"""The factory openai over real HTTP: what an OpenAI client sees."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Callable

    Stage = Any
    Play = Callable[..., None]

HELLO = [{"role": "user", "content": "Hello there"}]


async def url_of(s: Stage, **annotations: str) -> str:
    s.pod("a", **({"model": "org/m"} | annotations))
    await s.ready("a")
    return str(s.address("a"))


def events(text: str) -> list[dict[str, Any]]:
    parts = text.split("\n\n")
    assert parts[-2:] == ["data: [DONE]", ""]
    return [json.loads(part.removeprefix("data: ")) for part in parts[:-2]]


def test_a_chat_is_completed_with_usage_that_adds_up(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        url = await url_of(s)
        body = {"model": "org/m", "messages": HELLO, "max_tokens": 7, "ignore_eos": True, "seed": 1}
        answers = [(await s.client.post(f"{url}/v1/chat/completions", json=body)).json() for _ in range(2)]
        message = answers[0]["choices"][0]
        usage = answers[0]["usage"]
        assert message["finish_reason"] == "length"
        assert usage["completion_tokens"] == 7
        assert usage["total_tokens"] == usage["prompt_tokens"] + 7
        assert message["message"] == answers[1]["choices"][0]["message"]

    play(scenario)


def test_a_stream_says_the_same_as_a_whole_answer(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        url = await url_of(s)
        body = {"model": "org/m", "messages": HELLO}
        whole = (await s.client.post(f"{url}/v1/chat/completions", json=body)).json()
        options = {"stream": True, "stream_options": {"include_usage": True}}
        answer = await s.client.post(f"{url}/v1/chat/completions", json=body | options)
        assert answer.headers["content-type"].startswith("text/event-stream")
        first, *middle, last, usage = events(answer.text)
        assert first["choices"][0]["delta"]["role"] == "assistant"
        text = "".join(event["choices"][0]["delta"]["content"] for event in middle)
        assert text == whole["choices"][0]["message"]["content"]
        assert last["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
        assert (usage["choices"], usage["usage"]) == ([], whole["usage"])

    play(scenario)


def test_a_paced_stream_comes_token_by_token(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        url = await url_of(s, token_seconds="0.01")
        body = {"messages": HELLO, "max_tokens": 3, "ignore_eos": True, "stream": True}
        parts = []
        async with s.client.stream("POST", f"{url}/v1/chat/completions", json=body) as answer:
            parts = [part async for part in answer.aiter_bytes()]
        assert len(parts) >= 3
        assert len(events(b"".join(parts).decode())) == 5

    play(scenario)


@pytest.mark.parametrize(
    ("prompt", "choices"), [("x", 1), (["x", "y"], 2), ([1, 2, 3], 1), ([[1], [2, 3]], 2), ("", 1)]
)
def test_each_form_of_prompt_is_completed(play: Play, prompt: Any, choices: int) -> None:
    async def scenario(s: Stage) -> None:
        url = await url_of(s)
        answer = (await s.client.post(f"{url}/v1/completions", json={"prompt": prompt})).json()
        assert [choice["index"] for choice in answer["choices"]] == list(range(choices))
        assert answer["object"] == "text_completion"

    play(scenario)


def test_several_choices_differ(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        url = await url_of(s)
        answer = (await s.client.post(f"{url}/v1/completions", json={"prompt": "x", "n": 3})).json()
        assert len({choice["text"] for choice in answer["choices"]}) == 3

    play(scenario)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"messages": []}',
        b'{"messages": [{"role": "king", "content": "x"}]}',
        b'{"messages": "x"}',
        b'{"messages": [{"role": "user", "content": "x"}], "max_tokens": 0}',
        b'{"messages": [{"role": "user", "content": "x"}], "temperature": 9}',
        b'{"messages": [{"role": "user", "content": "x"}], "n": 1000000}',
        b'{"messages": [{"role": "user", "content": "x"}], "max_tokens": 99999999}',
    ],
)
def test_a_body_that_cannot_be_answered_is_a_400_in_the_apis_shape(play: Play, body: bytes) -> None:
    async def scenario(s: Stage) -> None:
        url = await url_of(s)
        answer = await s.client.post(f"{url}/v1/chat/completions", content=body)
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert (error["type"], error["code"]) == ("BadRequestError", 400)
        assert error["message"]

    play(scenario)


def test_another_model_is_a_404_that_names_it(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        url = await url_of(s)
        answer = await s.client.post(f"{url}/v1/completions", json={"model": "org/other", "prompt": "x"})
        assert answer.status_code == 404
        assert "org/other" in answer.json()["error"]["message"]

    play(scenario)


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/v1/completions", 405)])
def test_an_unknown_path_or_method_is_refused(play: Play, method: str, path: str, status: int) -> None:
    async def scenario(s: Stage) -> None:
        url = await url_of(s)
        assert (await s.client.request(method, f"{url}{path}")).status_code == status

    play(scenario)


def test_a_request_id_is_given_back_or_made(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        url = await url_of(s)
        own = await s.client.get(f"{url}/v1/models", headers={"X-Request-Id": "mine"})
        assert own.headers["x-request-id"] == "mine"
        assert (await s.client.get(f"{url}/v1/models")).headers["x-request-id"]

    play(scenario)


def test_a_wrong_model_names_another_and_denies_its_own(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        url = await url_of(s, fault="wrong-model")
        named = (await s.client.get(f"{url}/v1/models")).json()["data"][0]["id"]
        assert named != "org/m"
        refused = await s.client.post(f"{url}/v1/completions", json={"model": "org/m", "prompt": "x"})
        assert refused.status_code == 404
        answer = await s.client.post(f"{url}/v1/completions", json={"prompt": "x"})
        assert answer.json()["model"] == named

    play(scenario)


def test_a_broken_endpoint_answers_500_and_stays_healthy(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        url = await url_of(s, fault="endpoint-500")
        answer = await s.client.post(f"{url}/v1/completions", json={"prompt": "x"})
        assert answer.status_code == 500
        assert answer.json()["error"]["type"] == "InternalServerError"
        assert (await s.client.get(f"{url}/health")).status_code == 200

    play(scenario)


def test_metrics_follow_the_requests_of_that_pod_alone(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        url = await url_of(s)
        s.pod("b")
        await s.ready("b")
        for _ in range(3):
            await s.client.post(f"{url}/v1/completions", json={"prompt": "x", "max_tokens": 4, "ignore_eos": True})
        for pod, requests in (("a", 3), ("b", 0)):
            text = (await s.client.get(f"{s.address(pod)}/metrics")).text
            values = {
                (sample.name, sample.labels.get("finished_reason")): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            }
            assert values["vllm:request_success_total", "length"] == requests
            assert values["vllm:generation_tokens_total", None] == 4 * requests
            assert values["vllm:num_requests_running", None] == 0

    play(scenario)


def test_requests_beyond_the_limit_wait_and_are_counted_so(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        url = await url_of(s, max_running="1", first_token_seconds="0.2")
        body = {"prompt": "x", "max_tokens": 1}
        requests = [asyncio.create_task(s.client.post(f"{url}/v1/completions", json=body)) for _ in range(3)]
        replica = s.fleet.pod("ns", "a").replica
        await s.until(lambda: "engine" in replica.memory and replica.memory["engine"].metrics.waiting == 2)
        text = (await s.client.get(f"{url}/metrics")).text
        assert 'vllm:num_requests_running{engine="0",model_name="org/m"} 1.0' in text
        assert 'vllm:num_requests_waiting{engine="0",model_name="org/m"} 2.0' in text
        assert [answer.status_code for answer in await asyncio.gather(*requests)] == [200] * 3

    play(scenario)


def test_log_probabilities_are_of_the_tokens_and_the_same_in_a_stream(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        url = await url_of(s)
        body = {"prompt": "Hello", "max_tokens": 5, "ignore_eos": True, "logprobs": 2, "echo": True}
        choice = (await s.client.post(f"{url}/v1/completions", json=body)).json()["choices"][0]
        told = choice["logprobs"]
        assert "Hello" + "".join(told["tokens"]) == choice["text"]
        assert told["text_offset"][0] == len("Hello")
        assert [len(top) for top in told["top_logprobs"]] == [2] * 5

        chat = {"messages": HELLO, "max_tokens": 5, "ignore_eos": True, "logprobs": True, "top_logprobs": 1}
        whole = (await s.client.post(f"{url}/v1/chat/completions", json=chat)).json()["choices"][0]
        stream = await s.client.post(f"{url}/v1/chat/completions", json={**chat, "stream": True})
        parts = [event["choices"][0]["logprobs"] for event in events(stream.text)]
        assert [entry for part in parts if part for entry in part["content"]] == whole["logprobs"]["content"]
        refused = await s.client.post(f"{url}/v1/chat/completions", json={**chat, "logprobs": False})
        assert refused.status_code == 400

    play(scenario)


def test_an_answer_has_the_form_that_was_asked_for(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        url = await url_of(s)

        async def ask(form: dict[str, Any], **more: Any) -> Any:
            return await s.client.post(
                f"{url}/v1/chat/completions", json={"messages": HELLO, "response_format": form, **more}
            )

        schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
        kept = (await ask({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}})).json()
        assert isinstance(json.loads(kept["choices"][0]["message"]["content"])["n"], int)
        assert (await ask({"type": "json_object"})).json()["choices"][0]["message"]["content"] == "{}"
        cut = (await ask({"type": "json_object"}, max_tokens=1)).json()["choices"][0]
        assert (cut["message"]["content"], cut["finish_reason"]) == ("{", "length")
        assert (await ask({"type": "json_schema"})).status_code == 400
        impossible = {"type": "string", "pattern": "^a$"}
        refused = await ask({"type": "json_schema", "json_schema": {"name": "n", "schema": impossible}})
        assert refused.json()["error"]["param"] == "response_format"

    play(scenario)
