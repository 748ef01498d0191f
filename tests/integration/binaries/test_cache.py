from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ansible_collections.proving.ground.plugins.module_utils.tool_acquisition import Request, acquire
from ansible_collections.proving.ground.plugins.module_utils.tool_catalogue import ToolError

from .conftest import Workshop, ended, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator


def binaries(workshop: Workshop) -> list[str]:
    return sorted(path.name for path in (workshop.cache / "bin").rglob("*") if path.is_file())


@pytest.fixture
def holding(workshop: Workshop) -> Iterator[Path]:
    hold = workshop.go.parent / "hold"
    hold.touch()
    yield hold
    hold.unlink(missing_ok=True)


def test_tools_of_one_manifest_are_built_by_one_call_of_go(workshop: Workshop) -> None:
    outcome = acquire(Request(**workshop.arguments()))
    assert outcome.changed
    assert outcome.sources == {"one": "build", "two": "build"}
    assert len(workshop.calls()) == 1
    answer = subprocess.run([outcome.paths["two"]], capture_output=True, text=True, check=True)
    assert answer.stdout == "two v1.0.0\n"


def test_a_build_is_pinned_static_and_keeps_the_goflags_of_the_user(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOFLAGS", "-buildvcs=false")
    acquire(Request(**workshop.arguments()))
    [call] = workshop.calls()
    assert "CGO_ENABLED=0 GOFLAGS=-buildvcs=false build -v -mod=readonly -trimpath -ldflags -s -w" in call


def test_another_version_is_built_from_its_own_manifest_and_lies_beside_the_pinned_one(workshop: Workshop) -> None:
    workshop.describe_other_version("v0.9.0", "m-0.9")
    older = acquire(Request(**workshop.arguments(tools=["one"], versions={"one": "v0.9.0"})))
    pinned = acquire(Request(**workshop.arguments(tools=["one"])))
    for outcome, version in ((older, "v0.9.0"), (pinned, "v1.0.0")):
        answer = subprocess.run([outcome.paths["one"]], capture_output=True, text=True, check=True)
        assert answer.stdout == f"one {version}\n"


def test_tools_of_two_versions_are_built_by_a_call_of_go_for_each_manifest(workshop: Workshop) -> None:
    workshop.describe_other_version("v0.9.0", "m-0.9")
    outcome = acquire(Request(**workshop.arguments(versions={"one": "v0.9.0"})))
    assert outcome.sources == {"one": "build", "two": "build"}
    assert [call.split()[-1] for call in workshop.calls()] == ["example.test/m/one", "example.test/m/two"]


def test_a_second_call_does_nothing(workshop: Workshop) -> None:
    first = acquire(Request(**workshop.arguments()))
    said = workshop.said()
    second = acquire(Request(**workshop.arguments()))
    assert not second.changed
    assert second.paths == first.paths
    assert second.sources == {"one": "cache", "two": "cache"}
    assert (len(workshop.calls()), workshop.said()) == (1, said)


def test_only_what_is_missing_is_built(workshop: Workshop) -> None:
    acquire(Request(**workshop.arguments(tools=["one"])))
    acquire(Request(**workshop.arguments()))
    assert workshop.calls()[1].endswith(" example.test/m/two")


def test_what_is_built_and_how_long_it_takes_is_told(workshop: Workshop) -> None:
    acquire(Request(**workshop.arguments()))
    assert workshop.said() == ["building one, two v1.0.0 (first time only, about 2 minutes)"]


def test_check_mode_tells_and_writes_nothing(workshop: Workshop) -> None:
    outcome = acquire(Request(**workshop.arguments(check_mode=True)))
    assert outcome.changed
    assert outcome.paths["one"].startswith(str(workshop.cache / "bin" / "one" / "v1.0.0-"))
    assert not workshop.cache.exists()


def test_two_callers_at_once_build_once_and_the_second_says_that_it_waits(workshop: Workshop, holding: Path) -> None:
    first = workshop.start()
    eventually(workshop.calls, workshop.said)
    second = workshop.start()
    eventually(lambda: any("waiting" in line for line in workshop.said()), workshop.said)
    assert f"waiting for another run (process {first.pid}) that gets one, two" in workshop.said()
    holding.unlink()
    outcomes = [json.loads(process.communicate(timeout=20)[0]) for process in (first, second)]
    assert outcomes[0]["paths"] == outcomes[1]["paths"]
    assert [outcome["sources"]["one"] for outcome in outcomes] == ["build", "cache"]
    assert len(workshop.calls()) == 1


def test_what_a_killed_run_left_is_never_used_and_the_next_run_removes_it(workshop: Workshop, holding: Path) -> None:
    killed = workshop.start()
    eventually(workshop.calls, workshop.said)
    killed.kill()
    killed.communicate(timeout=20)
    assert list((workshop.cache / "work" / "m").iterdir()), "nothing was left: the test shows nothing"
    assert not (workshop.cache / "bin").exists()
    holding.unlink()
    outcome = acquire(Request(**workshop.arguments()))
    assert outcome.sources == {"one": "build", "two": "build"}
    assert binaries(workshop) == ["one", "two"]
    assert not list((workshop.cache / "work" / "m").iterdir())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.usefixtures("holding")
def test_go_ends_with_the_run_that_started_it(workshop: Workshop, number: signal.Signals) -> None:
    run = workshop.start()
    eventually(workshop.calls, workshop.said)
    go = int(workshop.calls()[0].split()[0])
    assert not ended(go)
    os.kill(run.pid, number)
    run.communicate(timeout=20)
    eventually(lambda: ended(go), lambda: f"process {go} lives")


def test_a_failed_build_names_the_cause_and_keeps_its_log(workshop: Workshop) -> None:
    (workshop.go.parent / "fail").touch()
    with pytest.raises(ToolError, match=r"go build of one, two in .* ended with 1: x\.go:1:1: undefined: y") as caught:
        acquire(Request(**workshop.arguments()))
    assert str(workshop.cache / "logs" / "build-m.log") in str(caught.value)
    assert "example.test/m/one\n" in (workshop.cache / "logs" / "build-m.log").read_text()
    assert not (workshop.cache / "bin").exists()


@pytest.mark.usefixtures("holding")
def test_a_build_that_does_not_end_is_ended(workshop: Workshop) -> None:
    with pytest.raises(ToolError, match="go did not end within"):
        acquire(Request(**workshop.arguments(timeout=0.3)))


def test_a_binary_of_another_version_than_was_asked_for_is_not_kept(workshop: Workshop) -> None:
    workshop.describe(one={"version": "v2.0.0"})
    with pytest.raises(ToolError, match=r"one by build: expected version v2\.0\.0, found 1\.0\.0"):
        acquire(Request(**workshop.arguments()))
    assert not (workshop.cache / "bin" / "one").exists()


def test_a_cache_that_cannot_be_written_is_named_with_what_to_do(workshop: Workshop) -> None:
    (workshop.directory / "file").touch()
    cache = workshop.directory / "file" / "cache"
    with pytest.raises(ToolError) as caught:
        acquire(Request(**workshop.arguments(cache_dir=cache)))
    line = str(caught.value)
    assert line.startswith(f"cannot write to the cache {cache}: Not a directory (")
    assert "PROVING_GROUND_CACHE" in line
    assert "\n" not in line


@pytest.mark.parametrize("code", [errno.EROFS, errno.ENOSPC, errno.EACCES])
def test_a_read_only_or_full_disk_is_one_line(workshop: Workshop, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(path: Path, *_arguments: object, **_options: object) -> None:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ToolError, match=f"cannot write to the cache .*: {os.strerror(code)} "):
        acquire(Request(**workshop.arguments()))


def test_a_read_only_cache_that_holds_the_tools_is_enough(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    filled = acquire(Request(**workshop.arguments()))

    def refuse(path: Path, *_arguments: object, **_options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    for name in ("mkdir", "chmod", "replace", "unlink"):
        monkeypatch.setattr(Path, name, refuse)
    assert acquire(Request(**workshop.arguments())).paths == filled.paths


@pytest.mark.parametrize("content", [b"", b"not executable"])
def test_an_empty_or_not_executable_file_in_the_cache_is_not_a_tool(workshop: Workshop, content: bytes) -> None:
    path = Path(acquire(Request(**workshop.arguments())).paths["one"])
    path.write_bytes(content)
    path.chmod(0o755 if not content else 0o644)
    assert acquire(Request(**workshop.arguments())).sources == {"one": "build", "two": "cache"}


def test_installed_tools_are_used_where_they_are(workshop: Workshop) -> None:
    expected = {name: str(workshop.install(name, "1.0.0")) for name in ("one", "two")}
    outcome = acquire(Request(**workshop.arguments(source="path")))
    assert (outcome.paths, outcome.changed) == (expected, False)
    assert not workshop.cache.exists()


def test_an_installed_tool_of_another_version_is_refused_unless_allowed(workshop: Workshop) -> None:
    file = workshop.install("one", "1.0.1")
    with pytest.raises(ToolError, match=r"installed/one: expected version v1\.0\.0, found 1\.0\.1"):
        acquire(Request(**workshop.arguments(source="path", tools=["one"])))
    allowed = acquire(Request(**workshop.arguments(source="path", tools=["one"], allow_other_versions=True)))
    assert allowed.paths == {"one": str(file)}


def test_a_tool_that_is_not_installed_is_named(workshop: Workshop) -> None:
    with pytest.raises(ToolError, match=r"one is not in .*installed \(install v1\.0\.0"):
        acquire(Request(**workshop.arguments(source="path")))


def test_auto_copies_an_installed_tool_of_exactly_the_version_and_builds_the_other(workshop: Workshop) -> None:
    workshop.install("one", "v1.0.0")
    workshop.install("two", "v0.9.0")
    outcome = acquire(Request(**workshop.arguments(source="auto")))
    assert outcome.sources == {"one": "path", "two": "build"}
    assert outcome.paths["one"].startswith(str(workshop.cache))
