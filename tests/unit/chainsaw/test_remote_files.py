"""Files at an address."""

from __future__ import annotations

import asyncio
import functools
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from proving_ground.chainsaw import remote_files
from proving_ground.chainsaw.lookups import resolve
from proving_ground.chainsaw.resources import load_resources
from proving_ground.errors import ConfigurationError, InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POD = b"apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\n"


class Handler(BaseHTTPRequestHandler):
    """Answers by path, and counts what it is asked."""

    asked: ClassVar[list[str]] = []
    answers: ClassVar[dict[str, list[tuple[int, bytes]]]] = {}

    def do_GET(self) -> None:
        self.asked.append(self.path)
        answers = self.answers.get(self.path, [(404, b"")])
        status, content = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        if status == 302:
            self.send_header("Location", content.decode())
            content = b""
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(remote_files, "_texts", {})
    monkeypatch.setattr(remote_files, "_PAUSES", (0.0, 0.0))
    monkeypatch.setattr(Handler, "asked", [])
    monkeypatch.setattr(Handler, "answers", {})
    monkeypatch.setenv("no_proxy", "*")
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=functools.partial(listening.serve_forever, poll_interval=0.01))
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}"
    listening.shutdown()
    thread.join()
    listening.server_close()


def load(address: str, tmp_path: Path, **options: Any) -> Any:
    compute = functools.partial(load_resources, address, tmp_path, {}, remote=True, **options)
    return asyncio.run(resolve(object(), compute))  # type: ignore[arg-type]  # the cluster is never asked


def test_a_file_is_fetched_once(server: str, tmp_path: Path) -> None:
    Handler.answers["/a.yaml"] = [(200, POD)]

    first, second = load(f"{server}/a.yaml", tmp_path), load(f"{server}/a.yaml", tmp_path, tree=True)

    assert [resource.obj["metadata"]["name"] for resource in (*first, *second)] == ["x", "x"]
    assert Handler.asked == ["/a.yaml"]


def test_a_server_that_recovers_is_asked_again(server: str, tmp_path: Path) -> None:
    Handler.answers["/a.yaml"] = [(503, b""), (429, b""), (200, POD)]

    assert len(load(f"{server}/a.yaml", tmp_path)) == 1


@pytest.mark.parametrize(("status", "times"), [(404, 1), (403, 1), (503, 3)])
def test_a_file_that_cannot_be_had_is_told_with_its_address(
    server: str, tmp_path: Path, status: int, times: int
) -> None:
    Handler.answers["/a.yaml?token=1"] = [(status, b"")]

    with pytest.raises(InfrastructureError, match=f"HTTP {status}") as caught:
        load(f"{server}/a.yaml?token=1", tmp_path)

    assert caught.value.where == f"{server}/a.yaml"
    assert len(Handler.asked) == times


def test_a_redirection_leads_to_http_only(server: str, tmp_path: Path) -> None:
    Handler.answers["/here"] = [(302, b"/there")]
    Handler.answers["/there"] = [(200, POD)]
    Handler.answers["/file"] = [(302, b"file:///etc/hostname")]

    assert len(load(f"{server}/here", tmp_path)) == 1
    with pytest.raises(InfrastructureError, match="cannot be fetched"):
        load(f"{server}/file", tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"\xff", "not text"), (b"#" * (8 * 1024 * 1024 + 1), "larger than 8 MiB")],
)
def test_what_is_no_text_or_too_large_is_refused(server: str, tmp_path: Path, content: bytes, reason: str) -> None:
    Handler.answers["/a"] = [(200, content)]

    with pytest.raises(InfrastructureError, match=reason):
        load(f"{server}/a", tmp_path)

    assert len(Handler.asked) == 1


def test_a_mistake_in_the_file_is_told_with_address_and_line(server: str, tmp_path: Path) -> None:
    Handler.answers["/a"] = [(200, POD + b"spec: {a: (b ==)}\n")]

    with pytest.raises(ConfigurationError, match="ends too early") as caught:
        load(f"{server}/a", tmp_path)

    assert caught.value.where == f"{server}/a:5"


@pytest.mark.parametrize(
    "address", ["ftp://example.org/a", "file:///etc/passwd", "git::https://x/y", "http://", "http://["]
)
def test_other_addresses_are_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(ConfigurationError, match="only http and https"):
        load_resources(address, tmp_path, remote=True)


def test_nothing_is_fetched_unless_allowed(server: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="only where a run allows"):
        load_resources(f"{server}/a", tmp_path)

    assert Handler.asked == []
