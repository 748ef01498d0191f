"""Downloads that are gone on with, from a server on loopback that breaks off."""

from __future__ import annotations

import hashlib
import http.server
import threading
from typing import TYPE_CHECKING, ClassVar

import pytest

from proving_ground.errors import InfrastructureError
from proving_ground.servers.download import download

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = bytes(range(256)) * 4000


class Shop(http.server.BaseHTTPRequestHandler):
    """Gives CONTENT; what a test sets on the class decides how."""

    content = CONTENT
    tag = '"one"'
    breaks = 0
    status = 0
    url = ""
    ranges: ClassVar[list[str]]

    def do_GET(self) -> None:
        shop = type(self)
        asked = self.headers.get("Range", "")
        shop.ranges.append(asked)
        if shop.status:
            self.send_error(shop.status)
            return
        same = bool(asked) and self.headers.get("If-Range") == shop.tag
        start = int(asked.removeprefix("bytes=").rstrip("-")) if same else 0
        body = shop.content[start:]
        self.send_response(206 if same else 200)
        self.send_header("Content-Length", str(len(body)))
        if shop.tag:
            self.send_header("ETag", shop.tag)
        self.end_headers()
        if shop.breaks:
            shop.breaks -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def shop() -> Iterator[type[Shop]]:
    class Own(Shop):
        ranges: ClassVar[list[str]] = []

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Own)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    Own.url = f"http://127.0.0.1:{server.server_port}/model.gguf"
    yield Own
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_download_that_broke_off_is_gone_on_with(shop: type[Shop], tmp_path: Path) -> None:
    shop.breaks = 2
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    path = download(shop.url, tmp_path / "a/model.gguf", sha256=sha256, say=str)
    assert path.read_bytes() == CONTENT
    half, rest = len(CONTENT) // 2, len(CONTENT) // 2 + len(CONTENT) // 4
    assert shop.ranges == ["", f"bytes={half}-", f"bytes={rest}-"]
    assert [file.name for file in path.parent.iterdir()] == ["model.gguf"]


def test_what_a_run_left_is_gone_on_with_by_the_next(shop: type[Shop], tmp_path: Path) -> None:
    shop.breaks = 3
    with pytest.raises(InfrastructureError, match=r"cannot be fetched.*the next try goes on from there"):
        download(shop.url, tmp_path / "model.gguf", say=str)
    assert not (tmp_path / "model.gguf").exists()
    assert download(shop.url, tmp_path / "model.gguf", say=str).read_bytes() == CONTENT
    assert shop.ranges[-1] != ""


def test_a_file_that_changed_meanwhile_is_fetched_from_its_beginning(shop: type[Shop], tmp_path: Path) -> None:
    shop.breaks = 3
    with pytest.raises(InfrastructureError):
        download(shop.url, tmp_path / "model.gguf", say=str)
    shop.content, shop.tag = CONTENT[::-1], '"two"'
    path = download(shop.url, tmp_path / "model.gguf", say=str)
    assert path.read_bytes() == CONTENT[::-1]


def test_without_an_entity_tag_it_begins_anew(shop: type[Shop], tmp_path: Path) -> None:
    shop.breaks, shop.tag = 1, ""
    assert download(shop.url, tmp_path / "model.gguf", say=str).read_bytes() == CONTENT
    assert shop.ranges == ["", ""]


def test_a_file_that_is_there_is_not_fetched(shop: type[Shop], tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"kept")
    assert download(shop.url, tmp_path / "model.gguf", say=str).read_bytes() == b"kept"
    assert shop.ranges == []


def test_a_file_with_another_digest_is_removed(shop: type[Shop], tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match=f"expected SHA-256 {'0' * 64}, found"):
        download(shop.url, tmp_path / "model.gguf", sha256="0" * 64, say=str)
    assert list(tmp_path.iterdir()) in ([], [tmp_path / ".model.gguf.tag"])


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (401, 1), (503, 3)])
def test_what_may_pass_is_tried_again(shop: type[Shop], tmp_path: Path, status: int, tries: int) -> None:
    shop.status = status
    with pytest.raises(InfrastructureError, match=f"HTTP {status}"):
        download(shop.url, tmp_path / "model.gguf", say=str)
    assert len(shop.ranges) == tries
