"""Programs are run to their ends, and none outlives an interruption that it should not."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from programs import Programs


@pytest.fixture
def interrupt_once(tmp_path: Path) -> Callable[[int], None]:
    """Interrupt this process as soon as there are so many files called ready-<n>."""

    def begin(number: int) -> None:
        def watch() -> None:
            deadline = time.monotonic() + 20
            while len(list(tmp_path.glob("ready-*"))) < number and time.monotonic() < deadline:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=watch).start()

    return begin


def test_the_exit_code_is_the_programs_and_its_output_goes_where_it_should(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs, (tmp_path / "log").open("wb") as log:
        assert programs.run("sh", "-c", "echo out; echo err >&2; exit 7", output=log) == 7
        assert programs.run("sh", "-c", "kill -9 $$") == 137
    assert (tmp_path / "log").read_text() == "out\nerr\n"


def test_an_interruption_is_handed_to_all_under_way_and_nothing_further_begins(
    tmp_path: Path, interrupt_once: Callable[[int], None]
) -> None:
    script = "trap 'echo cleaned >cleaned-$0; exit 5' INT; touch ready-$0; while :; do sleep 0.01; done"
    codes: list[int] = []
    with Programs(tmp_path) as programs:
        threads = [
            threading.Thread(target=lambda n=n: codes.append(programs.run("sh", "-c", script, str(n)))) for n in (1, 2)
        ]
        for thread in threads:
            thread.start()
        interrupt_once(2)
        for thread in threads:
            thread.join(30)
        assert programs.interrupted
        assert programs.run("sh", "-c", "touch begun") == 130
        assert programs.run("sh", "-c", "touch tidied", interruptible=False) == 0
    assert codes == [5, 5]
    assert {path.name for path in tmp_path.iterdir()} == {"cleaned-1", "cleaned-2", "ready-1", "ready-2", "tidied"}


def test_what_cannot_be_interrupted_goes_on_to_its_end(tmp_path: Path, interrupt_once: Callable[[int], None]) -> None:
    with Programs(tmp_path) as programs:
        interrupt_once(1)
        script = "touch ready-1; for i in $(seq 50); do sleep 0.01; done; exit 3"
        assert programs.run("sh", "-c", script, interruptible=False) == 3
        assert programs.interrupted


def test_nothing_that_a_program_started_outlives_its_interruption(
    tmp_path: Path, interrupt_once: Callable[[int], None]
) -> None:
    # The program ends at once, and leaves one behind that takes its time.
    left = "trap 'sleep 0.3; echo ended >ended; exit' INT; touch ready-1; while :; do sleep 0.01; done"
    # A shell's background job ignores SIGINT, and cannot trap what it ignores; Python's starts anew.
    code = f"import subprocess; subprocess.Popen(['sh', '-c', {left!r}]); import time; time.sleep(60)"
    with Programs(tmp_path) as programs:
        interrupt_once(1)
        assert programs.run(sys.executable, "-c", code, group=True) != 0
    assert (tmp_path / "ended").exists()


def test_signals_are_afterwards_what_they_were(tmp_path: Path) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    with Programs(tmp_path):
        assert [signal.getsignal(number) for number in numbers] != before
    assert [signal.getsignal(number) for number in numbers] == before


def test_a_program_that_does_not_exist_is_told_and_others_run(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        with pytest.raises(FileNotFoundError):
            programs.run("no-such-program")
        assert programs.run("true") == 0
