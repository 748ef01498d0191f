from __future__ import annotations

import hashlib
import io
import socket
import tarfile
import threading
import time
from typing import TYPE_CHECKING

import pytest
from ansible_collections.proving.ground.plugins.module_utils.tool_acquisition import Request, acquire
from ansible_collections.proving.ground.plugins.module_utils.tool_catalogue import ToolError
from ansible_collections.proving.ground.plugins.module_utils.tool_download import Downloader

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Publisher, Workshop


def test_a_release_file_is_downloaded_and_verified(workshop: Workshop, publisher: Publisher) -> None:
    workshop.describe(one=publisher.publish("one"), two=publisher.publish("two"))
    outcome = acquire(Request(**workshop.arguments(source="download")))
    assert outcome.sources == {"one": "download", "two": "download"}
    assert workshop.said() == ["downloading one v1.0.0", "downloading two v1.0.0"]
    assert sorted(publisher.asked) == ["/one", "/one.sha256", "/two", "/two.sha256"]


def test_auto_downloads_before_it_builds_and_builds_what_is_not_published(
    workshop: Workshop, publisher: Publisher
) -> None:
    workshop.describe(one=publisher.publish("one"))
    outcome = acquire(Request(**workshop.arguments(source="auto")))
    assert outcome.sources == {"one": "download", "two": "build"}
    assert outcome.warnings == ["two has no release files"]


def test_a_tool_is_taken_out_of_its_archive(workshop: Workshop, publisher: Publisher) -> None:
    content, stream = b"#!/bin/sh\necho one v1.0.0\n", io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        member = tarfile.TarInfo("one-v1.0.0/one")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    described = publisher.publish("one", stream.getvalue())
    described["download"]["member"] = "one-{version}/one"
    workshop.describe(one=described)
    outcome = acquire(Request(**workshop.arguments(source="download", tools=["one"])))
    assert outcome.sources == {"one": "download"}


def test_an_archive_without_the_tool_is_refused(workshop: Workshop, publisher: Publisher) -> None:
    described = publisher.publish("one", b"no archive at all")
    described["download"]["member"] = "one"
    workshop.describe(one=described)
    with pytest.raises(ToolError, match="/one: expected the file one in the archive"):
        acquire(Request(**workshop.arguments(source="download", tools=["one"])))


def test_a_file_that_is_not_what_its_publisher_says_is_never_used(workshop: Workshop, publisher: Publisher) -> None:
    workshop.describe(one=publisher.publish("one"))
    publisher.files["/one"] = b"#!/bin/sh\necho one v1.0.0 # changed\n"
    with pytest.raises(
        ToolError, match=r"/one: expected SHA-256 [0-9a-f]{64}, found [0-9a-f]{64}; the file was not used"
    ):
        acquire(Request(**workshop.arguments(source="download", tools=["one"])))
    assert not (workshop.cache / "bin").exists()


def test_auto_tells_of_such_a_file_and_builds_instead(workshop: Workshop, publisher: Publisher) -> None:
    workshop.describe(one=publisher.publish("one"))
    publisher.files["/one.sha256"] = hashlib.sha256(b"another").hexdigest().encode()
    outcome = acquire(Request(**workshop.arguments(source="auto", tools=["one"])))
    assert outcome.sources == {"one": "build"}
    assert "the file was not used" in outcome.warnings[0]


@pytest.mark.parametrize("fault", ["truncated", "500"])
def test_a_transfer_that_breaks_once_is_tried_again(workshop: Workshop, publisher: Publisher, fault: str) -> None:
    workshop.describe(one=publisher.publish("one"))
    publisher.broken["/one"] = [fault]
    outcome = acquire(Request(**workshop.arguments(source="download", tools=["one"])))
    assert outcome.sources == {"one": "download"}
    assert publisher.asked.count("/one") == 2


@pytest.mark.parametrize(("fault", "reason"), [("truncated", "IncompleteRead"), ("500", "HTTP 500")])
def test_a_transfer_that_breaks_twice_has_failed(
    workshop: Workshop, publisher: Publisher, fault: str, reason: str
) -> None:
    workshop.describe(one=publisher.publish("one"))
    publisher.broken["/one"] = [fault] * 3
    with pytest.raises(ToolError, match=f"/one: {reason}"):
        acquire(Request(**workshop.arguments(source="download", tools=["one"])))
    assert publisher.asked.count("/one") == 2
    assert not (workshop.cache / "bin").exists()


def test_a_file_that_is_not_published_is_asked_for_once(workshop: Workshop, publisher: Publisher) -> None:
    workshop.describe(one=publisher.publish("one"))
    del publisher.files["/one"]
    with pytest.raises(ToolError, match="/one: HTTP 404 Not Found"):
        acquire(Request(**workshop.arguments(source="download", tools=["one"])))
    assert publisher.asked.count("/one") == 1


def test_nothing_is_downloaded_without_a_checksum(workshop: Workshop, publisher: Publisher) -> None:
    workshop.describe(one=publisher.publish("one"))
    publisher.files["/one.sha256"] = b"<html>sign in</html>"
    with pytest.raises(ToolError, match="expected the SHA-256 of one, found none"):
        acquire(Request(**workshop.arguments(source="download", tools=["one"])))
    assert "/one" not in publisher.asked


def unreachable() -> str:
    """Return a loopback address that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_auto_builds_where_the_host_cannot_be_reached_and_says_so_once(workshop: Workshop) -> None:
    url = unreachable()
    described = {"download": {"url": f"{url}/x", "checksum_url": f"{url}/x.sha256"}}
    workshop.describe(one=described, two=described)
    outcome = acquire(Request(**workshop.arguments(source="auto")))
    assert outcome.sources == {"one": "build", "two": "build"}
    assert len(outcome.warnings) == 1
    assert "cannot be reached (Connection refused)" in outcome.warnings[0]


def test_what_cannot_be_reached_is_remembered_for_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = unreachable()
    first = Downloader(patience=1.0, memory=tmp_path / "memory.json")
    first.probe([url])
    tries: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda *given, **_options: tries.append(given))
    second = Downloader(patience=1.0, memory=tmp_path / "memory.json")
    second.probe([url])
    assert second.unreachable == first.unreachable
    assert list(first.unreachable.values()) == ["Connection refused"]
    assert tries == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": 1}'])
def test_a_broken_memory_is_no_reason_to_fail(tmp_path: Path, content: str) -> None:
    (tmp_path / "memory.json").write_text(content)
    Downloader(patience=1.0, memory=tmp_path / "memory.json").probe([])


def test_hosts_that_do_not_answer_are_given_up_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def connect(*_given: object, **_options: object) -> None:
        released.wait(20)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    downloader = Downloader(patience=0.1)
    began = time.monotonic()
    downloader.probe([f"https://host-{number}.invalid/x" for number in range(20)])
    released.set()
    assert set(downloader.unreachable.values()) == {"no answer within 0.2 s"}
    assert len(downloader.unreachable) == 20
    assert time.monotonic() - began < 10, "they were given up one after the other"
