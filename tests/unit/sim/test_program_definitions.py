from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.proving.ground.plugins.module_utils import program_definitions as definitions
from ansible_collections.proving.ground.plugins.module_utils.program_readiness import is_ready, last_lines

HOSTILE = "a 'b' \"c\" $HOME `id` % ; # \\ \n é"


def program(**changes: Any) -> definitions.Program:
    return definitions.parse([{"name": "one", "command": ["true"], **changes}])[0]


@pytest.mark.parametrize("name", ["", "../x", "A", "a b", "a\n", "x" * 64])
def test_a_name_that_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(definitions.ProgramsError, match="program name"):
        program(name=name)


def test_a_name_that_is_there_twice_is_refused() -> None:
    with pytest.raises(definitions.ProgramsError, match="twice"):
        definitions.parse([{"name": "a", "command": ["x"]}] * 2)


@pytest.mark.parametrize("command", [None, []])
def test_a_program_without_command_is_refused(command: object) -> None:
    with pytest.raises(definitions.ProgramsError, match="no command"):
        program(command=command)


def test_what_others_need_stops_last() -> None:
    after = {"etcd": [], "api": ["etcd"], "kwok": ["api"], "scheduler": ["api"]}
    assert definitions.stop_order(after) == [["kwok", "scheduler"], ["api"], ["etcd"]]


def test_needs_that_are_not_there_do_not_count() -> None:
    assert definitions.stop_order({"fleet": ["api"]}) == [["fleet"]]


def test_programs_that_wait_for_each_other_are_refused() -> None:
    with pytest.raises(definitions.ProgramsError, match="circle: a, b"):
        definitions.stop_order({"a": ["b"], "b": ["a"], "c": []})


def test_arguments_and_environment_arrive_as_they_are(tmp_path: Path) -> None:
    one = program(command=["printf", "%s|", HOSTILE, ""], environment={"HOSTILE": HOSTILE})
    text = definitions.script(one, tmp_path, "r1").replace("exec ", "echo $PROVING_GROUND_RUN_ID $HOSTILE >&2\nexec ")
    done = subprocess.run(["/bin/sh", "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout == f"{HOSTILE}||"
    assert done.stderr.startswith("r1 a 'b' \"c\" $HOME `id` % ; # \\")


def test_a_changed_file_that_is_watched_changes_the_definition(tmp_path: Path) -> None:
    file = tmp_path / "stages.yaml"
    texts = []
    for content in ("one", "two"):
        file.write_text(content)
        texts.append(definitions.script(program(watch=[str(file)]), tmp_path, "r"))
    assert texts[0] != texts[1]


def test_a_short_directory_holds_the_socket() -> None:
    assert definitions.socket_path(Path("/run/sim")) == Path("/run/sim/supervisor.sock")


def test_a_long_directory_gets_a_short_socket_of_its_own() -> None:
    paths = {definitions.socket_path(Path("/") / ("x" * 120) / name) for name in ("a", "b")}
    assert len(paths) == 2
    assert all(len(os.fsencode(path)) <= definitions.SOCKET_LIMIT for path in paths)


def test_a_directory_that_is_a_link_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(definitions.ProgramsError, match="only you may write to"):
        definitions.make_private(tmp_path / "link")


def test_a_directory_that_others_may_write_to_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(definitions.ProgramsError, match="only you may write to"):
        definitions.make_private(tmp_path / "open")


@pytest.mark.parametrize("value", ["a\nb", "a ;b", "a #b"])
def test_what_supervisord_cannot_quote_is_refused(value: str) -> None:
    with pytest.raises(definitions.ProgramsError, match="line break"):
        definitions.ini(value)


def test_a_program_without_probe_is_ready() -> None:
    assert is_ready({}) == ""


def test_a_probe_says_what_it_saw(tmp_path: Path) -> None:
    assert "does not exist" in is_ready({"file": str(tmp_path / "absent")})
    assert "refused" in is_ready({"tcp": "127.0.0.1:1"})
    assert "refused" in is_ready({"url": "http://127.0.0.1:1/"})


@pytest.mark.parametrize(
    "probe", [{"tcp": "nonsense"}, {"url": "nonsense"}, {"url": "https://127.0.0.1:1", "ca": "/no"}]
)
def test_a_probe_that_makes_no_sense_is_not_ready(probe: dict[str, str]) -> None:
    assert is_ready(probe)


def test_the_last_lines_of_a_log_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"".join(b"line %d \xff\n" % n for n in range(5000)))
    assert last_lines(log, 2).splitlines() == ["line 4998 \ufffd", "line 4999 \ufffd"]


def test_a_missing_log_is_told(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "absent") == "(its log is empty)"
