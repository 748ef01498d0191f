"""NVIDIA Dynamo with two mock engines: what suites and the role rely on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from proving_ground.servers import dynamo

from .running import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ADDRESS = "127.58.0.1"
UP_SECONDS = 90.0
CHAT = {"model": "mock", "max_tokens": 6, "messages": [{"role": "user", "content": "Hello"}]}


@dataclass
class Running:
    """A server of which all workers are there."""

    told: dict[str, Any]
    processes: dict[str, subprocess.Popen[bytes]]
    client: httpx.Client

    def workers(self) -> int:
        instances = self.client.get("/health").json()["instances"]
        return sum(each["endpoint"] == "generate" for each in instances)


def wait(until: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if until():
                return
        time.sleep(0.1)
    pytest.fail(f"not within {seconds:g} s: {what}")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("dynamo")
    options = [f"--address={ADDRESS}", f"--port={free_port(ADDRESS)}", f"--directory={folder}"]
    asked = dynamo.wanted(dynamo.parser().parse_args(options))
    told = dynamo.prepare(asked, cache=None, progress=None)
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for program in told["programs"]:
            with (folder / f"{program['name']}.log").open("wb") as log:
                processes[program["name"]] = subprocess.Popen(
                    program["command"],
                    env={**os.environ, **program["environment"]},
                    cwd=program["working_directory"],
                    stdout=log,
                    stderr=log,
                )
        with httpx.Client(base_url=told["url"], timeout=30, trust_env=False) as client:
            server = Running(told, processes, client)
            wait(lambda: server.workers() == 2, UP_SECONDS, f"two workers; logs are in {folder}")
            wait(lambda: client.get("/v1/models").json()["data"], UP_SECONDS, "a model")
            yield server
    finally:
        for process in reversed(processes.values()):
            process.send_signal(signal.SIGTERM)
        for process in processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def listening(pid: int) -> set[str]:
    """Return the addresses that a process listens on, as hexadecimal of the kernel's."""
    links = [os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink()]
    sockets = {link[8:-1] for link in links if link.startswith("socket:[")}
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    return {row[1].partition(":")[0] for row in rows if row[3] == "0A" and row[9] in sockets}


def test_the_model_is_listed_and_answers(running: Running) -> None:
    assert [model["id"] for model in running.client.get("/v1/models").json()["data"]] == ["mock"]
    answer = running.client.post("/v1/chat/completions", json=CHAT).json()
    assert (answer["usage"]["completion_tokens"], answer["choices"][0]["finish_reason"]) == (6, "length")


def test_whatever_its_engines_draw_the_answer_is_the_same_text(running: Running) -> None:
    texts = {
        running.client.post("/v1/chat/completions", json=CHAT | {"max_tokens": 200}).json()["choices"][0]["message"][
            "content"
        ]
        for _ in range(3)
    }
    assert texts == {" λόγος" * 200}


def test_an_answer_is_streamed_token_by_token(running: Running) -> None:
    with running.client.stream("POST", "/v1/chat/completions", json=CHAT | {"stream": True}) as answer:
        lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line.startswith("data: {")]
    deltas = [json.loads(line)["choices"][0]["delta"] for line in lines]
    assert [delta["content"] for delta in deltas if delta.get("content")] == [" λόγος"] * 6


def test_the_file_has_the_process_id_of_the_frontend(running: Running) -> None:
    pid = int(Path(running.told["pid_file"]).read_text())
    assert pid == running.processes[dynamo.FRONTEND].pid


def test_nothing_listens_on_every_address(running: Running) -> None:
    for process in running.processes.values():
        found = listening(process.pid)
        assert found
        assert all(set(address) != {"0"} for address in found)


def test_what_was_read_of_the_model_is_kept_in_the_directory_of_the_run(running: Running) -> None:
    private = Path(running.told["pid_file"]).parent
    assert list((private / ".cache/dynamo").rglob("tokenizer.json"))


def test_requests_are_answered_after_a_worker_is_killed(running: Running) -> None:
    victim = running.processes["dynamo-worker-2"]
    victim.kill()
    victim.wait()
    wait(lambda: running.workers() == 1, 60, "one worker less")
    answers = [running.client.post("/v1/chat/completions", json=CHAT) for _ in range(6)]
    assert {answer.status_code for answer in answers} == {200}
