"""What the command says and ends with."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from jobs import Job, Run
from programs import Programs
from tallies import Tally


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The command, in a directory of its own."""
    path = Path(__file__).parents[2] / "session/__main__.py"
    spec = importlib.util.spec_from_file_location("tests_session_main", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys.modules["parts"], "ROOT", tmp_path)
    return module


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have jobs of these names that come to these tallies."""

    def have(**tallies: Tally) -> None:
        def job(name: str, tally: Tally) -> Job:
            def work(_run: Run, programs: Programs) -> Tally:
                programs.interrupted = programs.interrupted or tally.code == 130
                return tally

            return Job(name, work)

        monkeypatch.setattr(sys.modules["parts"], "chosen", lambda *_: [job(*item) for item in tallies.items()])

    return have


def test_the_last_lines_name_what_failed_and_count(
    session: ModuleType, jobs: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    jobs(lint=Tally(0, 7, 0), unit=Tally(1, 3, 1, names=("a.test_b: no",)), lab=Tally(0, 0, 0, 1, names=("no root",)))
    (Path(sys.modules["parts"].ROOT) / ".nox/tests").mkdir(parents=True)
    (Path(sys.modules["parts"].ROOT) / ".nox/tests/unit.log").write_text("its output\n")
    assert session.main(["--jobs", "1"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:] == ["failed: unit", "  a.test_b: no", "10 passed, 1 failed, 1 not run"]
    assert "3 jobs, 1 at a time; what each prints is in .nox/tests/" in lines[0]


@pytest.mark.parametrize("code", [0, 2])
def test_the_exit_code_is_that_of_the_first_part_that_failed(
    session: ModuleType, jobs: Callable[..., None], code: int
) -> None:
    jobs(unit=Tally(code, 1, int(bool(code)), names=("x",)))
    assert session.main([]) == code


def test_an_interruption_ends_with_130(session: ModuleType, jobs: Callable[..., None]) -> None:
    jobs(unit=Tally(130, 0, 1, names=("x",)))
    assert session.main([]) == 130


def test_options_that_select_no_test_at_all_are_a_mistake(
    session: ModuleType, jobs: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    jobs(unit=Tally())
    assert session.main(["unit", "--", "-k", "nothing"]) == 3
    assert "no test was selected by -k nothing" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--jobs"], ["--jobs", "0"], ["--jobs", "many", "unit"]])
def test_a_number_of_jobs_that_is_none_is_refused(
    session: ModuleType, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert session.main(words) == 3
    assert "--jobs: expected a number from 1" in capsys.readouterr().err


def test_an_unknown_part_is_refused(session: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert session.main(["everything"]) == 3
    assert "tests: unknown part 'everything': expected lint, unit" in capsys.readouterr().err
