from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.proving.ground.plugins.module_utils import processes
from ansible_collections.proving.ground.plugins.module_utils.program_definitions import ProgramsError
from ansible_collections.proving.ground.plugins.module_utils.program_supervisor import Supervisor
from ansible_collections.proving.ground.plugins.modules.supervised_programs import bring_back, bring_down, bring_up

# Says that it is ready by a file, and writes down what it saw of the programs before it.
SERVE = "import pathlib, signal, sys; pathlib.Path(sys.argv[1]).touch(); signal.pause()"
STUBBORN = "import pathlib, signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SERVE.split(";", 1)[1]


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "sim"
    yield place
    bring_down(parameters(place, []), check=False)


def parameters(directory: Path, programs: list[dict[str, Any]]) -> dict[str, Any]:
    return {"directory": str(directory), "run_id": "test", "programs": programs, "progress_file": None}


def program(
    directory: Path, name: str, *, code: str = SERVE, after: tuple[str, ...] = (), **rest: Any
) -> dict[str, Any]:
    ready = directory.parent / f"{name}.ready"
    command = [sys.executable, "-c", code, str(ready)]
    return {"name": name, "command": command, "after": list(after), "ready": {"file": str(ready), "seconds": 20}} | rest


def left(directory: Path) -> list[processes.Process]:
    return list(processes.with_environment({"PROVING_GROUND_SUPERVISOR": str(directory)}))


def test_programs_start_in_the_order_of_their_needs_and_nothing_is_left(directory: Path) -> None:
    programs = [program(directory, "b", after=("a",)), program(directory, "a")]
    assert bring_up(parameters(directory, programs), check=False)["started"] == ["a", "b"]
    assert bring_down(parameters(directory, []), check=False)["stopped"] == ["a", "b"]
    assert left(directory) == []
    assert not (directory / "supervisor.sock").exists()


def test_a_second_call_changes_nothing(directory: Path) -> None:
    programs = [program(directory, "a")]
    bring_up(parameters(directory, programs), check=False)
    again = bring_up(parameters(directory, programs), check=False)
    assert (again["changed"], again["started"]) == (False, [])


def test_only_a_changed_program_is_started_again(directory: Path) -> None:
    one, two = program(directory, "a"), program(directory, "b")
    bring_up(parameters(directory, [one, two]), check=False)
    result = bring_up(parameters(directory, [one, two | {"environment": {"X": "1"}}]), check=False)
    assert (result["started"], result["stopped"]) == (["b"], ["b"])


def test_check_mode_tells_and_starts_nothing(directory: Path) -> None:
    result = bring_up(parameters(directory, [program(directory, "a")]), check=True)
    assert result["started"] == ["a"]
    assert left(directory) == []
    assert not directory.exists()


def test_a_program_that_ends_is_told_with_its_log(directory: Path) -> None:
    broken = program(directory, "broken", code="raise SystemExit('no such model')")
    with pytest.raises(ProgramsError, match=r"broken: ended .*\nno such model"):
        bring_up(parameters(directory, [broken]), check=False)


def test_a_program_that_is_not_ready_in_time_is_told_with_what_was_seen(directory: Path) -> None:
    slow = program(directory, "slow", ready={"tcp": "127.0.0.1:1", "seconds": 0.2})
    with pytest.raises(ProgramsError, match=r"slow: not ready after .*refused"):
        bring_up(parameters(directory, [slow]), check=False)


def test_a_need_that_does_not_run_is_told(directory: Path) -> None:
    with pytest.raises(ProgramsError, match="a needs nothing-like-it, which does not run"):
        bring_up(parameters(directory, [program(directory, "a", after=("nothing-like-it",))]), check=False)


def test_a_killed_program_stays_dead_until_it_is_wanted_again(directory: Path) -> None:
    bring_up(parameters(directory, [program(directory, "a")]), check=False)
    with Supervisor(directory, "test") as supervisor:
        os.kill(supervisor.leftovers({"a"})["a"][0].pid, signal.SIGKILL)
        supervisor.await_end({"a"})
        assert supervisor.leftovers({"a"}) == {}
    (directory.parent / "a.ready").unlink()
    assert bring_up(parameters(directory, [program(directory, "a")]), check=False)["started"] == ["a"]


def test_a_stubborn_program_is_killed(directory: Path) -> None:
    bring_up(parameters(directory, [program(directory, "a", code=STUBBORN, stop_seconds=1)]), check=False)
    bring_down(parameters(directory, []), check=False)
    assert left(directory) == []


def test_one_program_is_stopped_and_the_others_run_on(directory: Path) -> None:
    bring_up(parameters(directory, [program(directory, "a"), program(directory, "b")]), check=False)
    assert bring_down(parameters(directory, [{"name": "a"}]), check=False)["stopped"] == ["a"]
    assert set(Supervisor(directory, "test").leftovers()) == {"", "b"}
    assert not bring_down(parameters(directory, [{"name": "a"}]), check=False)["changed"]


def test_programs_without_their_supervisord_are_ended(directory: Path) -> None:
    bring_up(parameters(directory, [program(directory, "a"), program(directory, "b", after=("a",))]), check=False)
    supervisor = Supervisor(directory, "test").leftovers()[""][0]
    os.kill(supervisor.pid, signal.SIGKILL)
    assert bring_down(parameters(directory, []), check=False)["stopped"] == ["a", "b"]
    assert left(directory) == []
    assert not (directory / "supervisor.sock").exists()


def test_programs_without_their_supervisord_are_replaced(directory: Path) -> None:
    programs = [program(directory, "a")]
    bring_up(parameters(directory, programs), check=False)
    before = Supervisor(directory, "test").leftovers()
    os.kill(before[""][0].pid, signal.SIGKILL)
    assert bring_up(parameters(directory, programs), check=False)["started"] == ["a"]
    assert not before["a"][0].alive


def test_a_long_directory_works_and_leaves_no_socket(tmp_path: Path) -> None:
    directory = tmp_path / ("long-" * 20) / "sim"
    directory.parent.mkdir()
    bring_up(parameters(directory, [program(directory, "a")]), check=False)
    socket = Supervisor(directory, "test").socket
    assert socket.parent != directory
    assert socket.parent.stat().st_mode & 0o777 == 0o700
    bring_down(parameters(directory, []), check=False)
    assert left(directory) == []
    assert not socket.exists()


def test_stopping_where_nothing_is_changes_nothing(directory: Path) -> None:
    assert not bring_down(parameters(directory, []), check=False)["changed"]
    assert not directory.exists()


def test_one_program_is_restarted_as_it_was_told_at_its_start(directory: Path) -> None:
    bring_up(parameters(directory, [program(directory, "a"), program(directory, "b", after=("a",))]), check=False)
    before = Supervisor(directory, "test").leftovers()
    result = bring_back(parameters(directory, [{"name": "a"}]), check=False)
    assert (result["started"], result["stopped"]) == (["a"], ["a"])
    after = Supervisor(directory, "test").leftovers()
    assert after["b"] == before["b"]
    assert after["a"] != before["a"]
    assert (directory.parent / "a.ready").exists()


def test_a_killed_program_can_be_restarted(directory: Path) -> None:
    bring_up(parameters(directory, [program(directory, "a")]), check=False)
    with Supervisor(directory, "test") as supervisor:
        os.kill(supervisor.leftovers({"a"})["a"][0].pid, signal.SIGKILL)
        supervisor.await_end({"a"})
    assert bring_back(parameters(directory, [{"name": "a"}]), check=False)["stopped"] == []
    assert set(Supervisor(directory, "test").leftovers()) == {"", "a"}


def test_a_program_that_does_not_come_back_is_told_with_its_log(directory: Path) -> None:
    once = (
        "import pathlib, signal, sys; ready = pathlib.Path(sys.argv[1]); once = ready.with_suffix('.once')\n"
        "if once.exists(): sys.exit('never again')\n"
        "once.touch(); ready.touch(); signal.pause()"
    )
    bring_up(parameters(directory, [program(directory, "a", code=once)]), check=False)
    with pytest.raises(ProgramsError, match=r"a: ended .*\nnever again"):
        bring_back(parameters(directory, [{"name": "a"}]), check=False)


def test_only_programs_that_are_there_are_restarted(directory: Path) -> None:
    with pytest.raises(ProgramsError, match="no programs run in"):
        bring_back(parameters(directory, [{"name": "a"}]), check=False)
    bring_up(parameters(directory, [program(directory, "a")]), check=False)
    with pytest.raises(ProgramsError, match="no program is named to be restarted"):
        bring_back(parameters(directory, []), check=False)
    with pytest.raises(ProgramsError, match="no program is named b; there are a"):
        bring_back(parameters(directory, [{"name": "a"}, {"name": "b"}]), check=False)


def test_check_mode_restarts_nothing(directory: Path) -> None:
    bring_up(parameters(directory, [program(directory, "a")]), check=False)
    before = Supervisor(directory, "test").leftovers()
    assert bring_back(parameters(directory, [{"name": "a"}]), check=True)["started"] == ["a"]
    assert Supervisor(directory, "test").leftovers() == before
