from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proving_ground import cli
from proving_ground.history.store import Store
from tests.unit.history.made import noisy

if TYPE_CHECKING:
    from collections.abc import Callable

GATES = """gates:
  - kind: relative
    metric: load/*/*
    samples: {baseline: 5, candidate: 3}
"""


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROVING_GROUND_HISTORY", str(tmp_path / "history.sqlite"))
    (tmp_path / "gates.yml").write_text(GATES)
    with Store.open() as store:
        store.add(noisy(range(10), metrics=8) + noisy(range(10, 13), metrics=8, factor=1.2))
    return tmp_path


@pytest.fixture
def run(history: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    del history

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = cli.main(["history", *words])
        except SystemExit as end:
            code = int(str(end.code))
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def test_runs_are_listed_the_latest_first(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = run("list", "--limit", "2")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["RUN", "run-12", "run-11", "2"]
    listed = json.loads(run("list", "--output", "json", "--limit", "2")[1])
    assert [each["run_id"] for each in listed] == ["run-12", "run-11"]


def test_a_run_is_shown_with_its_measurements(run: Callable[..., tuple[int, str, str]]) -> None:
    assert "load/chat/m0_ms" in run("show", "run-3")[1]
    shown = json.loads(run("show", "run-3", "--output", "json")[1])
    assert len(shown[0]["measurements"]) == 8


def test_a_gate_ends_with_one_where_runs_are_slower(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = run("gate", "--gates", "gates.yml")
    assert code == 1
    assert out.startswith("regression: load/chat/")
    told = json.loads(run("gate", "run-12", "--gates", "gates.yml", "--output", "json")[1])
    assert told["outcome"] == "regression"
    assert len(told["judgements"]) == 8


def test_a_gate_ends_with_nought_where_they_are_not(run: Callable[..., tuple[int, str, str]]) -> None:
    assert run("gate", "run-9", "--gates", "gates.yml")[0] == 0


def test_too_little_history_passes_only_where_it_may(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = run("gate", "run-3", "--gates", "gates.yml")
    assert (code, out.split(":")[0]) == (0, "insufficient history")
    assert run("gate", "run-3", "--gates", "gates.yml", "--require-history")[0] == 1


def test_the_gates_of_a_stage_are_used(run: Callable[..., tuple[int, str, str]], history: Path) -> None:
    (history / "playbooks").mkdir()
    (history / "stages.yml").write_text(
        "stages:\n  nightly:\n    description: x\n    gates:\n"
        "      - {kind: absolute, metric: load/*/m0_ms, at_most: 105}\n  weekly: {description: y}\n"
    )
    assert run("gate", "run-12")[0] == 1
    assert run("gate", "run-12", "--stage", "weekly")[0] == 3
    code, _, err = run("gate", "run-12", "--stage", "nightlyy")
    assert code == 3
    assert "nightly" in err


@pytest.mark.parametrize(
    "words",
    [
        ("show", "run-99"),
        ("gate", "--gates", "absent.yml"),
        ("gate", "--stage", "nightly"),
        ("compare", "run-99", "run-1"),
        ("list", "--limit", "0"),
        ("list", "--history", "mysql://x"),
        ("list", "--history", "/dev/null/x"),
        ("import", "absent.json"),
        ("import", "gates.yml", "--time", "yesterday"),
        ("baseline", "set", "main", "run-1"),
        ("baseline", "set", "a/b", "run-1"),
        ("baseline", "label", "a,b", "run-1"),
        ("baseline", "remove", "absent"),
        ("plot", "--metric", "nothing"),
    ],
)
def test_what_is_wrong_ends_with_three_and_one_line(
    run: Callable[..., tuple[int, str, str]], words: tuple[str, ...]
) -> None:
    code, out, err = run(*words)
    assert (code, out) == (3, "")
    assert err.count("\n") == 1


def test_a_baseline_is_named_used_and_forgotten(run: Callable[..., tuple[int, str, str]]) -> None:
    assert run("baseline", "set", "v1", "run-0", "run-1", "run-2")[0] == 0
    assert run("baseline", "list")[1] == "v1: run-2, run-1, run-0\n"
    code, out, _ = run("compare", "v1", "run-10", "run-11", "run-12")
    assert (code, out.split(":")[0]) == (0, "regression")
    assert run("baseline", "remove", "v1")[0] == 0
    assert run("baseline", "list")[1] == ""


def test_runs_are_compared_by_name(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = run("compare", "run-1", "run-2", "--output", "json")
    assert code == 0
    assert json.loads(out)["outcome"] == "insufficient history"
    assert run("compare", "last_good", "run-12")[0] == 0


def test_labels_are_given_to_runs(run: Callable[..., tuple[int, str, str]]) -> None:
    run("baseline", "label", "release", "run-4")
    assert "run-4" in run("list", "--label", "release")[1]


def test_an_export_goes_into_another_history(run: Callable[..., tuple[int, str, str]], history: Path) -> None:
    assert run("export", "--file", "e.jsonl")[0] == 0
    assert "imported 13 runs with 104 measurements" in run("import", "e.jsonl", "--history", "other.sqlite")[1]
    again = run("export", "--history", "other.sqlite")[1]
    assert again == (history / "e.jsonl").read_text()
    assert run("export", "--format", "csv")[1].count("\n") == 105


def test_importing_again_changes_nothing(run: Callable[..., tuple[int, str, str]]) -> None:
    before = run("export")[1]
    run("export", "--file", "e.jsonl")
    run("import", "e.jsonl")
    assert run("export")[1] == before


def test_one_bad_file_keeps_all_others_out(run: Callable[..., tuple[int, str, str]], history: Path) -> None:
    run("export", "--file", "e.jsonl")
    (history / "bad.json").write_text("{")
    assert run("import", "e.jsonl", "bad.json", "--history", "other.sqlite")[0] == 3
    assert not (history / "other.sqlite").exists()


def test_trends_are_drawn_into_a_page(run: Callable[..., tuple[int, str, str]], history: Path) -> None:
    code, out, _ = run("plot", "--metric", "*/m[01]_ms", "--gates", "gates.yml")
    assert code == 0
    assert "2 trends drawn into trends.html" in out
    assert (history / "trends.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("words", [("list",), ("show", "run-1"), ("gate", "--gates", "gates.yml"), ("export",)])
def test_what_only_reads_makes_no_history(
    run: Callable[..., tuple[int, str, str]], history: Path, words: tuple[str, ...]
) -> None:
    code, out, err = run(*words, "--history", "absent/new.sqlite")
    assert (code, out) == (3, "")
    assert f"{history}/absent/new.sqlite: there is no history yet" in err
    assert not (history / "absent").exists()


def test_an_empty_history_says_so(run: Callable[..., tuple[int, str, str]]) -> None:
    Store.open("new.sqlite").close()
    assert run("list", "--history", "new.sqlite")[1] == "the history is empty\n"
    assert run("gate", "--gates", "gates.yml", "--history", "new.sqlite")[0] == 3


def test_a_refused_history_is_not_changed(run: Callable[..., tuple[int, str, str]], history: Path) -> None:
    Path("bad.sqlite").write_bytes(b"no database")
    assert run("list", "--history", "bad.sqlite")[0] == 3
    assert (history / "bad.sqlite").read_bytes() == b"no database"
