"""Models of a hub and of a web server, fetched by the real client from servers on loopback."""

from __future__ import annotations

import hashlib
import http.server
import json
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from .running import COMMAND, prepare, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY, FILE, COMMIT = "org/Tiny-GGUF", "Tiny-Instruct-F32.gguf", "c" * 40


@pytest.fixture(scope="session")
def tiny() -> bytes:
    """A GGUF that llama.cpp can load."""
    made = prepare("--model=random")
    assert made.returncode == 0, made.stderr
    return Path(json.loads(made.stdout)["model_path"]).read_bytes()


class Hub(http.server.BaseHTTPRequestHandler):
    """Serves one file as a model hub does: with its commit, and its SHA-256 as entity tag."""

    content = b""
    tag = ""
    breaks = 0
    port = 0
    asked: ClassVar[list[tuple[str, str, str, str]]]

    def do_GET(self) -> None:
        hub = type(self)
        part = self.headers.get("Range") or ""
        hub.asked.append((self.command, self.path, part, self.headers.get("Authorization") or ""))
        if self.path not in {f"/{REPOSITORY}/resolve/{revision}/{FILE}" for revision in ("main", COMMIT)}:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = int(part.removeprefix("bytes=").split("-")[0]) if part else 0
        body = hub.content[start:]
        self.send_response(206 if part else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hub.tag}"')
        self.send_header("Content-Length", str(len(body)))
        if part:
            self.send_header("Content-Range", f"bytes {start}-{len(hub.content) - 1}/{len(hub.content)}")
        self.end_headers()
        if self.command == "GET":
            if hub.breaks:
                hub.breaks -= 1
                body = body[: len(body) // 2]
                self.close_connection = True
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(tiny: bytes) -> Iterator[type[Hub]]:
    class Own(Hub):
        content = tiny
        tag = hashlib.sha256(tiny).hexdigest()
        asked: ClassVar[list[tuple[str, str, str, str]]] = []

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Own)
    Own.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield Own
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cache(tmp_path: Path, tiny: bytes) -> Path:
    """A cache without models, with the environment of the user's."""
    assert tiny
    from proving_ground.ownership.state import cache_home  # noqa: PLC0415

    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/environments").symlink_to(cache_home() / "servers/environments")
    return tmp_path / "cache"


def have(hub: type[Hub], cache: Path, *arguments: str, **env: str) -> dict[str, Any]:
    address = {"HF_ENDPOINT": f"http://127.0.0.1:{hub.port}", "HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1"}
    options = [f"--cache={cache}", f"--hub-repository={REPOSITORY}", f"--hub-file={FILE}"]
    made = prepare(*options, *arguments, env={**address, **env})
    assert made.returncode == 0, made.stderr
    return dict(json.loads(made.stdout))


def test_a_file_of_the_hub_is_fetched_verified_and_served(hub: type[Hub], cache: Path, tmp_path: Path) -> None:
    told = have(hub, cache)
    assert (told["model"], told["model_kind"], told["model_note"]) == ("Tiny-Instruct", "real", "")
    hub.asked.clear()
    assert have(hub, cache) == told
    assert hub.asked == []
    with serving(tmp_path / "server", f"--model={told['model_path']}", "--model-id=tiny") as server:
        assert server.state["model_kind"] == "real"
        assert server.complete(prompt="a", max_tokens=2)["model"] == "tiny"


def test_a_broken_download_is_gone_on_with(hub: type[Hub], cache: Path) -> None:
    # The client keeps what came in steps of 10 MiB.
    hub.content, hub.breaks = b"GGUF" + bytes(24 << 20), 1
    hub.tag = hashlib.sha256(hub.content).hexdigest()
    told = have(hub, cache)
    assert Path(told["model_path"]).read_bytes() == hub.content
    assert [part for command, _, part, _ in hub.asked if command == "GET"] == ["", f"bytes={10 << 20}-"]


def test_a_file_that_is_not_what_the_hub_says_is_not_served(hub: type[Hub], cache: Path) -> None:
    hub.tag = "0" * 64
    told = have(hub, cache)
    assert told["model_kind"] == "random"
    assert "expected SHA-256 000" in told["model_note"]
    assert not list(cache.glob(f"models/**/{FILE}"))


def test_a_file_that_the_hub_does_not_have_is_said(hub: type[Hub], cache: Path) -> None:
    told = have(hub, cache, "--hub-file=other.gguf")
    assert told["model_kind"] == "random"
    assert "random weights instead of other.gguf" in told["model_note"]


def test_a_token_is_sent_and_told_to_nobody(hub: type[Hub], cache: Path) -> None:
    told = have(hub, cache, HF_TOKEN="hf_sesame")
    assert {authorization for *_, authorization in hub.asked} == {"Bearer hf_sesame"}
    assert "sesame" not in json.dumps(told)


def test_a_hub_that_cannot_be_reached_costs_seconds_once(cache: Path) -> None:
    silent = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1"}
    began = time.monotonic()
    first = prepare(f"--cache={cache}", env=silent)
    assert time.monotonic() - began < 6
    assert json.loads(first.stdout)["model_kind"] == "random"
    assert "127.0.0.1:9 did not give it" in first.stderr
    assert json.loads((cache / "models/hub.json").read_text())["endpoint"] == "http://127.0.0.1:9"


def test_a_url_of_ones_own_is_fetched_and_verified(hub: type[Hub], cache: Path, tiny: bytes) -> None:
    url = f"http://127.0.0.1:{hub.port}/{REPOSITORY}/resolve/main/{FILE}"
    digest = hashlib.sha256(tiny).hexdigest()
    told = have(hub, cache, f"--model={url}", f"--model-sha256={digest}")
    assert (told["model"], told["model_kind"]) == ("Tiny-Instruct", "real")
    refused = prepare(f"--cache={cache}", f"--model={url}", f"--model-sha256={'0' * 64}")
    assert refused.returncode == 2
    assert "expected SHA-256 000" in refused.stderr


def test_two_runs_at_once_make_environment_and_model_once(tmp_path: Path, tiny: bytes) -> None:
    assert tiny
    command = [*COMMAND, "--prepare", "--model=random", f"--cache={tmp_path}"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [each.communicate(timeout=300) for each in both]
    assert [each.returncode for each in both] == [0, 0], outputs
    told = [json.loads(output) for output, _ in outputs]
    assert sorted(each["changed"] for each in told) == [False, True]
    assert told[0]["model_path"] == told[1]["model_path"]
    assert "waiting for process" in "".join(errors for _, errors in outputs)
