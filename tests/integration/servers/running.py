"""Runs real llama.cpp servers with the model of random weights; the environment is the user's cached one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-m", "proving_ground.servers.llama"]
UP_SECONDS = 120.0


def free_port(host: str = "127.0.0.1") -> int:
    with socket.create_server((host, 0)) as server:
        return int(server.getsockname()[1])


def prepare(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "--prepare", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, **(env or {})},
    )


@dataclass
class Server:
    """A server that answers."""

    process: subprocess.Popen[bytes]
    url: str
    state: dict[str, Any]
    client: httpx.Client

    def complete(self, **body: Any) -> dict[str, Any]:
        answer = self.client.post("/v1/completions", json={"model": "random", **body})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@contextlib.contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[Server]:
    """Run a server until the context ends."""
    folder.mkdir(parents=True, exist_ok=True)
    url, state = f"http://127.0.0.1:{free_port()}", folder / "state.json"
    command = [*COMMAND, "--model=random", f"--address={url.removeprefix('http://')}", f"--state={state}", *arguments]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            deadline = time.monotonic() + UP_SECONDS
            while time.monotonic() < deadline and process.poll() is None:
                with contextlib.suppress(httpx.TransportError):
                    if client.get("/health").status_code == 200:
                        break
                time.sleep(0.05)
            else:
                pytest.fail(f"no server: {(folder / 'log').read_text()}")
            yield Server(process, url, json.loads(state.read_text()), client)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
