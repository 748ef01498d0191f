"""The llama.cpp server with its model of random weights: what suites rely on."""

from __future__ import annotations

import json
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from .running import COMMAND, Server, serving

STORY = {"prompt": "Tell me a story", "max_tokens": 60, "temperature": 0}


def text(answer: dict[str, Any]) -> str:
    return str(answer["choices"][0]["text"])


def events(server: Server, path: str, **body: Any) -> list[str]:
    with server.client.stream("POST", path, json={"model": "random", "stream": True, **body}) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        return [line.removeprefix("data: ") for line in answer.iter_lines() if line]


def resident(server: Server) -> int:
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def test_the_command_is_the_server_and_tells_what_it_serves(server: Server) -> None:
    assert server.state["pid"] == server.process.pid
    assert server.state["url"] == server.url
    assert (server.state["model"], server.state["model_kind"]) == ("random", "random")
    assert [model["id"] for model in server.client.get("/v1/models").json()["data"]] == ["random"]


def test_the_same_question_gets_the_same_answer_in_every_slot_beside_others(server: Server) -> None:
    questions = [STORY, {**STORY, "prompt": "Something else", "temperature": 1}] * 20
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda question: server.complete(**question), questions))
    assert {text(answer) for answer in answers[::2]} == {text(server.complete(**STORY))}


def test_another_question_gets_another_answer(server: Server) -> None:
    assert len({text(server.complete(**{**STORY, "prompt": f"Story {number}"})) for number in range(20)}) > 10


def test_a_streamed_answer_is_the_unstreamed_one(server: Server) -> None:
    *chunks, done = events(server, "/v1/completions", **STORY)
    assert done == "[DONE]"
    assert "".join(json.loads(chunk)["choices"][0]["text"] for chunk in chunks) == text(server.complete(**STORY))


def test_a_chat_is_never_empty_and_some_end_by_themselves(server: Server) -> None:
    def ask(number: int) -> dict[str, Any]:
        body = {"messages": [{"role": "user", "content": f"Question {number}."}], "max_tokens": 200, "temperature": 0}
        answer = server.client.post("/v1/chat/completions", json=body).json()
        return dict(answer["choices"][0])

    with ThreadPoolExecutor(8) as pool:
        choices = list(pool.map(ask, range(60)))
    assert all(choice["message"]["content"] for choice in choices)
    assert {choice["finish_reason"] for choice in choices} == {"stop", "length"}


def test_text_of_any_language_can_be_asked(server: Server) -> None:
    answer = server.complete(prompt="héllo 世界 🎉 \x00 ▁ <|im_end|>", max_tokens=5)
    assert answer["usage"]["prompt_tokens"] > 10
    text(answer).encode()


def test_an_answer_can_be_bound_to_a_schema(server: Server) -> None:
    schema = {"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"]}
    body = {
        "messages": [{"role": "user", "content": "True or false?"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
        "max_tokens": 200,
        "temperature": 0,
    }
    answer = server.client.post("/v1/chat/completions", json=body).json()
    assert isinstance(json.loads(answer["choices"][0]["message"]["content"])["x"], bool)


def test_embeddings_are_served_and_change_no_answer(server: Server, tmp_path: Path) -> None:
    data = server.client.post("/v1/embeddings", json={"model": "random", "input": ["a", "b"]}).json()["data"]
    assert [len(each["embedding"]) for each in data] == [64, 64]
    with serving(tmp_path, "--no-embeddings") as without:
        assert text(without.complete(**STORY)) == text(server.complete(**STORY))
        assert without.client.post("/v1/embeddings", json={"input": "a"}).status_code == 501


def test_what_does_not_fit_the_context_is_refused(server: Server) -> None:
    answer = server.client.post("/v1/completions", json={"prompt": "hello " * 3000, "max_tokens": 1})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "exceed_context_size_error")


def test_more_requests_than_slots_wait_and_are_answered(server: Server) -> None:
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda _: server.complete(**{**STORY, "max_tokens": 5}), range(48)))
    assert {answer["usage"]["completion_tokens"] for answer in answers} == {5}


def test_memory_does_not_grow_with_what_was_asked(server: Server) -> None:
    def ask(number: int) -> None:
        server.complete(prompt=f"{number} " * 60, max_tokens=20)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(60)))
        before = resident(server)
        list(pool.map(ask, range(60, 180)))
    assert resident(server) - before < 8 << 10  # KiB


def test_a_client_that_leaves_frees_its_slot(server: Server) -> None:
    body = {"prompt": "Go on", "max_tokens": 2000, "ignore_eos": True, "stream": True}
    with server.client.stream("POST", "/v1/completions", json=body) as answer:
        next(answer.iter_lines())
    busy = True
    for _ in range(200):
        busy = any(slot["is_processing"] for slot in server.client.get("/slots").json())
        if not busy:
            break
    assert not busy


def test_only_who_has_the_key_is_answered(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sesame\n")
    with serving(tmp_path / "server", f"--key-file={tmp_path / 'key'}") as locked:
        assert locked.client.get("/v1/models").status_code == 401
        assert locked.client.get("/v1/models", headers={"Authorization": "Bearer sesame"}).status_code == 200
        assert "sesame" not in Path(f"/proc/{locked.process.pid}/cmdline").read_text()


def test_a_port_that_is_taken_is_named(server: Server) -> None:
    address = server.url.removeprefix("http://")
    second = subprocess.run(
        [*COMMAND, "--model=random", f"--address={address}"], capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode == 2
    assert f"cannot listen on {address}: Address already in use" in second.stderr


@pytest.mark.parametrize("content", [b"GGUF", b"GGUF\x03\x00\x00\x00" + b"\xff" * 64])
def test_a_broken_model_ends_the_server_with_the_reason_in_its_log(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.gguf").write_bytes(content)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    ended = subprocess.run(
        [*COMMAND, f"--model={tmp_path / 'broken.gguf'}", f"--address=127.0.0.1:{port}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert "load model" in ended.stderr + ended.stdout
