from __future__ import annotations

import fcntl
import io
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from proving_ground.ownership.clean import write_context
from proving_ground.ownership.state import RunState
from proving_ground.pipeline import disturbing
from proving_ground.pipeline.disturbing import Disturbed, disturb_run
from proving_ground.pipeline.phases import PhaseContext, PhaseOutcome
from proving_ground.pipeline.stopping import Stopping

ASKED = {"action": "restart_program", "program": "operator"}


class Playbook:
    """Stands in for the playbook: keeps what it was given."""

    def __init__(self) -> None:
        self.ran: list[dict[str, Any]] = []
        self.outcome = PhaseOutcome("disturb", "passed", 0.1)

    def __call__(self, name: str, context: PhaseContext, *, stopping: Stopping, log: Path) -> PhaseOutcome:
        assert name == "disturb"
        assert stopping is not None
        log.parent.mkdir(exist_ok=True)
        log.touch()
        self.ran.append(context.variables)
        return self.outcome


@pytest.fixture
def playbook(monkeypatch: pytest.MonkeyPatch) -> Playbook:
    made = Playbook()
    monkeypatch.setattr(disturbing, "run_phase", made)
    return made


@pytest.fixture
def state(tmp_path: Path) -> RunState:
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks/destroy.yml").touch()
    state = RunState("r1", tmp_path / "r1")
    state.directory.mkdir()
    context = PhaseContext(tmp_path, state.directory, "r1", (tmp_path,), {"proving_ground_run_id": "r1"})
    write_context(state, context)
    return state


def ask(state: RunState, since: int | None = None, asked: dict[str, str] | None = None) -> Disturbed:
    moment = time.monotonic_ns() if since is None else since
    return disturb_run(asked or ASKED, [state], since=moment, stopping=Stopping(20))


def test_the_playbook_gets_the_request_beside_the_variables_of_the_run(state: RunState, playbook: Playbook) -> None:
    assert ask(state) == Disturbed()
    assert playbook.ran == [{"proving_ground_run_id": "r1", "proving_ground_disturbance": ASKED}]


def test_a_failure_has_the_cause_of_the_playbook(state: RunState, playbook: Playbook) -> None:
    playbook.outcome = PhaseOutcome("disturb", "failed", 0.1, "it broke (task: Restart)")
    assert ask(state) == Disturbed("it broke (task: Restart)")


def test_a_request_made_before_the_same_one_began_is_served_by_it(state: RunState, playbook: Playbook) -> None:
    before = time.monotonic_ns()
    assert not ask(state).shared
    assert ask(state, since=before) == Disturbed(shared=True)
    assert len(playbook.ran) == 1


def test_a_request_made_after_the_last_one_began_is_done_anew(state: RunState, playbook: Playbook) -> None:
    ask(state)
    assert not ask(state).shared
    assert len(playbook.ran) == 2


def test_one_request_does_not_serve_another(state: RunState, playbook: Playbook) -> None:
    before = time.monotonic_ns()
    ask(state)
    assert not ask(state, since=before, asked=ASKED | {"program": "other"}).shared
    assert len(playbook.ran) == 2


def test_a_failed_one_serves_nobody(state: RunState, playbook: Playbook) -> None:
    before = time.monotonic_ns()
    playbook.outcome = PhaseOutcome("disturb", "failed", 0.1, "no")
    ask(state)
    playbook.outcome = PhaseOutcome("disturb", "passed", 0.1)
    assert not ask(state, since=before).shared


def test_who_waits_for_another_gives_up_at_the_time_limit(state: RunState, playbook: Playbook) -> None:
    with (state.directory / "disturb.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        ended = disturb_run(ASKED, [state], since=0, stopping=Stopping(0.05))
    assert ended == Disturbed("not done after 180 s")
    assert playbook.ran == []


def test_who_waits_for_another_goes_on_after_it(state: RunState, playbook: Playbook) -> None:
    with (state.directory / "disturb.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        waiting = threading.Thread(target=lambda: ask(state))
        waiting.start()
        waiting.join(0.2)
        assert playbook.ran == []
        fcntl.flock(stream, fcntl.LOCK_UN)
        waiting.join(20)
    assert len(playbook.ran) == 1


def test_the_state_directory_that_knows_the_platform_is_taken(
    state: RunState, playbook: Playbook, tmp_path: Path
) -> None:
    stranger = RunState("r1", tmp_path / "stranger")
    stranger.directory.mkdir()
    assert disturb_run(ASKED, [stranger, state], since=0, stopping=Stopping(20)) == Disturbed()
    assert len(playbook.ran) == 1


@pytest.mark.parametrize("content", ["", "x", "\x00", "1e9"])
def test_a_broken_note_of_the_last_one_is_none(state: RunState, playbook: Playbook, content: str) -> None:
    before = time.monotonic_ns()
    ask(state)
    (note,) = state.directory.glob("disturbed-*")
    note.write_text(content)
    assert not ask(state, since=before).shared
    assert len(playbook.ran) == 2


@pytest.mark.usefixtures("playbook")
def test_the_process_answers_in_json(
    state: RunState, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(ASKED)))
    assert disturbing.main(["--run-id=r1", f"--state-dir={state.directory}"]) == 0
    assert json.loads(capsys.readouterr().out) == {"cause": "", "shared": False}


def test_a_run_id_that_is_none_is_a_cause(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(ASKED)))
    disturbing.main(["--run-id=../x", f"--state-dir={tmp_path}"])
    assert "is not usable" in json.loads(capsys.readouterr().out)["cause"]
