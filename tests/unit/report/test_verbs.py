from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.cli import main
from proving_ground.report.write import write_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from proving_ground.contracts.results import Results


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, Results], str]:
    def write(name: str, results: Results) -> str:
        (tmp_path / name).mkdir()
        write_all(tmp_path / name, results.model_copy(update={"run_id": name}))
        return str(tmp_path / name)

    return write


def test_show_tells_the_verdict_first_and_ends_with_its_exit_code(
    written: Callable[[str, Results], str], results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["results", "show", written("one", results)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("failed: aim/fails:")
    assert lines[2] == "1 passed, 1 failed, 1 errors, 1 skipped, 1 not selected"
    assert any(line.startswith("skipped  aim/skips") and line.endswith("row says so") for line in lines)
    assert all(line.isprintable() for line in lines)


def test_show_finds_a_run_by_its_id(
    written: Callable[[str, Results], str], make_run: Callable[..., Results], make_check: Any, tmp_path: Path
) -> None:
    written("one", make_run(make_check("a")))
    assert main(["results", "show", "one", "--artifacts", str(tmp_path)]) == 0


def test_an_unknown_run_is_a_configuration_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results", "show", "no-such-run", "--artifacts", str(tmp_path)]) == 3
    assert "no run 'no-such-run'" in capsys.readouterr().err


def test_diff_ends_with_one_where_something_fails_that_did_not_before(
    written: Callable[[str, Results], str],
    make_run: Callable[..., Results],
    make_check: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    good, bad = written("good", make_run(make_check("a"))), written("bad", make_run(make_check("a", "failed")))
    assert main(["results", "diff", good, bad]) == 1
    assert "failing now (1):\naim/a  passed -> failed  2.0s -> 2.0s  it broke" in capsys.readouterr().out
    assert main(["results", "diff", bad, good]) == 0
    assert "fixed (1):" in capsys.readouterr().out
    assert main(["results", "diff", good, good]) == 0
    assert "no check changed" in capsys.readouterr().out
