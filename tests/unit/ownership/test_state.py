from __future__ import annotations

import dataclasses
import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import pytest

from proving_ground.errors import ConfigurationError
from proving_ground.ownership.clean import clean
from proving_ground.ownership.processes import TAG, ProcessId, current, end, identify, tagged, tags
from proving_ground.ownership.state import RunState, new_owner

DEAD = ProcessId(pid=2**22 - 1, started=1, boot="another")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROVING_GROUND_STATE", str(tmp_path))
    return tmp_path


def claimed(run_id: str = "r1", *, process: ProcessId | None = None, kept: bool = False, hours: float = 1) -> RunState:
    state = RunState.of(run_id)
    owner = new_owner(
        run_id, stage="nightly", inventory="sim", artifacts=Path("/a"), lifetime=dt.timedelta(hours=hours)
    )
    state.claim(dataclasses.replace(owner, process=process or owner.process, kept=kept))
    return state


def test_the_state_directory_is_private() -> None:
    state = claimed()
    assert state.directory.stat().st_mode & 0o777 == 0o700
    assert (state.directory / "owner.json").stat().st_mode & 0o777 == 0o600


def test_an_owner_reads_back_as_written() -> None:
    owner = claimed().owner()
    assert owner is not None
    assert owner.process == current()
    assert not owner.leftover


def test_a_second_run_of_the_same_name_is_refused() -> None:
    claimed()
    with pytest.raises(ConfigurationError, match="exists already"):
        claimed()


def test_a_run_whose_process_died_is_a_leftover_unless_kept() -> None:
    claimed("dead", process=DEAD)
    claimed("kept", process=DEAD, kept=True)
    claimed("expired", process=DEAD, kept=True, hours=-1)
    claimed("living")
    result = clean()
    assert sorted(result.removed) == ["dead", "expired"]
    assert [line.split(":")[0] for line in sorted(result.living)] == ["kept", "living"]


def test_a_kept_run_is_removed_when_it_is_named() -> None:
    state = claimed("kept", process=DEAD, kept=True)
    assert clean(["kept"]).removed == ["kept"]
    assert not state.directory.exists()


def test_a_living_run_is_never_removed() -> None:
    state = claimed("living")
    assert clean(["living"], kept_too=True).removed == []
    assert state.directory.exists()


def test_a_run_that_is_being_started_is_left_alone(home: Path) -> None:
    (home / "runs/new").mkdir(parents=True)
    assert clean().removed == []


def test_dry_run_removes_nothing() -> None:
    state = claimed("dead", process=DEAD)
    assert len(clean(dry_run=True).removed) == 1
    assert state.directory.exists()


def test_an_unknown_run_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="left nothing"):
        clean(["nothing"])


def test_tagged_processes_are_found_and_ended_even_if_they_ignore_sigterm() -> None:
    code = "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True); signal.pause()"
    with subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | {TAG: "tag-test"}, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        found = tagged("tag-test")
        assert [entry.pid for entry in found] == [process.pid]
        assert tagged("tag-tes") == []
        assert end(found, patience=0.2) == []


def test_a_process_number_that_was_reused_is_another_process() -> None:
    mine = current()
    assert mine.alive
    assert not dataclasses.replace(mine, started=mine.started - 1).alive
    assert identify(DEAD.pid) is None


def test_processes_of_a_run_of_the_same_name_in_another_state_directory_are_left_alone(home: Path) -> None:
    environment = os.environ | tags("same-name", home / "runs/same-name")
    with subprocess.Popen(
        [sys.executable, "-c", "print('up', flush=True); input()"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        assert tagged("same-name", home / "other/same-name") == []
        assert [entry.pid for entry in tagged("same-name", home / "runs/same-name")] == [process.pid]
        assert [entry.pid for entry in tagged("same-name")] == [process.pid]
        process.communicate(b"\n")
