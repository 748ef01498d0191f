from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from proving_ground.models.table import Table

ROWS = ("r,aim-a,1,alone", "r,aim-b,1,skip", "r,aim-c,1,private,hfToken")


@pytest.fixture
def csv(table_of: Callable[..., Table]) -> Path:
    return table_of(*ROWS).path


def test_preview_shows_every_row_and_writes_nothing(csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "preview", str(csv)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [["2", "runs"], ["3", "skipped"], ["4", "runs"]]
    assert "aim-r-aim-a-1" in lines[1]
    assert "2 models, 1 skipped" in lines
    assert "values.yaml needs hfToken, first for line 4 (aim-c)" in lines
    assert [path.name for path in csv.parent.iterdir()] == ["models.csv"]


def test_preview_in_full_prints_the_files(csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "preview", "--full", str(csv)]) == 0
    assert "kind: AIMService" in capsys.readouterr().out


def test_a_dry_run_shows_everything_and_writes_nothing(csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "generate", "--dry-run", str(csv)]) == 0
    out = capsys.readouterr().out
    assert "new        " in out
    assert "kind: AIMService" in out
    assert "nothing was written" in out
    assert [path.name for path in csv.parent.iterdir()] == ["models.csv"]


def test_generate_writes_beside_the_table_without_values(csv: Path) -> None:
    assert main(["models", "generate", str(csv)]) == 0
    made = sorted(path.name for path in csv.parent.iterdir())
    assert made == ["aim-r-aim-a-1", "aim-r-aim-c-1", "models.csv", "secret-hftoken.yaml", "secret-imagepull.yaml"]


def test_generating_a_suite_s_table_leaves_the_suite_alone(
    csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (csv.parent / "suite.yml").write_text("name: aim\ndescription: Models.\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["models", "generate", str(csv)]) == 0
    assert (tmp_path / "elsewhere/artifacts/generated/aim/aim-r-aim-a-1").is_dir()
    assert not (csv.parent / "aim-r-aim-a-1").exists()


def test_templates_beside_the_table_are_used(csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (csv.parent / "templates").mkdir()
    assert main(["models", "generate", str(csv)]) == 3
    assert "template service-base.yaml is missing" in capsys.readouterr().err


def test_every_problem_of_a_table_is_a_line(csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    csv.write_text("registry,name,version,skip\nr,aim-x,1,maybe\nr,,1,no\n")
    assert main(["models", "preview", str(csv)]) == 3
    assert [line.partition("models.csv")[2][:3] for line in capsys.readouterr().err.splitlines()] == [":2:", ":3:"]


def test_a_missing_table_is_a_configuration_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "generate", str(tmp_path / "no.csv")]) == 3
    assert "no such file" in capsys.readouterr().err


def test_tests_need_values_where_a_row_does(csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "test", str(csv)]) == 3
    assert "no values file, and line 4 (aim-c) needs imagePullSecret" in capsys.readouterr().err
    assert [path.name for path in csv.parent.iterdir()] == ["models.csv"]


def test_skipping_the_tests_needs_no_values(csv: Path) -> None:
    assert main(["models", "test", "--skip-tests", str(csv)]) == 0
    assert (csv.parent / "aim-r-aim-a-1").is_dir()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--kubeconfig", "/nowhere"], "no such kubeconfig"),
        (["--engine", "chainsaw", "--kubeconfig", __file__], "chainsaw is not on PATH"),
    ],
)
def test_tests_say_what_they_lack(
    table_of: Callable[..., Table],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    problem: str,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["models", "test", str(table_of(ROWS[0]).path), *arguments]) == 3
    assert problem in capsys.readouterr().err


def test_a_table_of_skipped_rows_has_nothing_to_run(
    table_of: Callable[..., Table], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "test", str(table_of("r,aim-a,1,skip").path)]) == 3
    assert "every row is skipped" in capsys.readouterr().err


def test_chainsaw_gets_the_folders_the_values_and_the_configuration(
    csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin/chainsaw"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/arguments\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    values = csv.parent / "values.yaml"
    values.write_text('imagePullSecret: \'{"auths": {"r": {}}}\'\nhfToken: hf_x\n')
    values.chmod(0o600)
    (csv.parent / ".chainsaw.yaml").write_text("kind: Configuration\n")
    arguments = ["--engine", "chainsaw", "--kubeconfig", __file__, "--parallel", "7"]
    assert main(["models", "test", str(csv), *arguments]) == 1
    base = str(csv.parent)
    assert (tmp_path / "arguments").read_text().split() == [
        "test", "--parallel", "7", "--config", f"{base}/.chainsaw.yaml", "--values", f"{base}/values.yaml",
        f"{base}/aim-r-aim-a-1", f"{base}/aim-r-aim-c-1",
    ]  # fmt: skip
