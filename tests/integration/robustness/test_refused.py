"""What a run refuses, before it makes anything: one line that says what, where and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Place

ROOT = Path(__file__).parents[3]
HEADER = "skip,registry,name,version,unoptimized,hfToken,private,timeout,concurrent\n"
ROW = "no,amdenterpriseai,aim-qwen-qwen3-8b,0.8.4,,,,10m,\n"


def refused(place: Place, *arguments: str, **environment: str) -> str:
    """Return the one line of a run that is refused before it has a directory."""
    done = place.call("run", "nightly", *place.options("refused", *arguments), **environment)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert not (place.artifacts / "refused").exists()
    assert not (place.state / "runs/refused").exists()
    return f"{done.returncode} {line}"


def test_an_unknown_suite_is_refused_with_the_nearest_name(place: Place) -> None:
    line = refused(place, "--only", "platfrom")  # codespell:ignore platfrom
    assert line == "3 proving-ground: --only: suite 'platfrom' does not exist (did you mean platform?)"


def test_an_artifacts_directory_that_cannot_be_written_is_named(place: Place) -> None:
    place.artifacts.parent.mkdir(parents=True, exist_ok=True)
    place.artifacts.write_text("a file")
    line = refused(place)
    assert line.startswith(f"2 proving-ground: {place.artifacts}/refused: ")
    assert "--artifacts" in line


@pytest.mark.parametrize("name", ["state", "state/runs"])
def test_a_state_directory_that_cannot_be_written_is_named(place: Place, name: str) -> None:
    file = place.state.parent / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("a file")
    line = refused(place)
    assert line.startswith(f"2 proving-ground: {place.state}/runs/refused: the state directory cannot be made")
    assert "PROVING_GROUND_STATE" in line
    file.unlink()


def test_broken_values_are_refused_with_their_line_and_without_their_text(place: Place, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("hfToken: hf_secretsecret\nimagePullSecret: 'hf_secretsecret\n")
    line = refused(place, "--values", str(values))
    assert line.startswith(f"3 proving-ground: {values}:")
    assert "hf_secretsecret" not in line


def validated(place: Place, *arguments: str, **environment: str) -> str:
    """Return the verdict's line of a run that its first phase refuses."""
    done = place.call("run", "nightly", *place.options("refused", *arguments), **environment)
    assert done.returncode == 3, done.stdout + done.stderr
    assert done.stderr == ""
    assert not (place.state / "runs/refused").exists()
    assert "  create" not in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("configuration: validate: ")]
    return line.removeprefix("configuration: validate: ")


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("simulated_nodes_profiles=nonsense", "simulated_nodes_profiles"),
        ("simulated_nodes_counts={h9000: 2}", "there is no profile h9000; known: h100, h200, mi300x"),
    ],
)
def test_variables_that_a_role_refuses_are_refused_before_anything_is_made(
    place: Place, variable: str, said: str
) -> None:
    assert said in validated(place, "-e", variable)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "expected a file: {}"),
        (HEADER.encode() + ROW.encode() + b"no,amdenterpriseai,aim-x,1,no,no,no,soon,yes\n", "{}:3: column timeout"),
    ],
    ids=["missing", "bad timeout"],
)
def test_a_table_of_models_that_cannot_be_used_is_refused_before_anything_is_made(
    place: Place, tmp_path: Path, content: bytes | None, said: str
) -> None:
    table = tmp_path / "models.csv"
    if content is not None:
        table.write_bytes(content)
    assert validated(place, "-e", f"aim_engine_models_csv={table}").startswith(said.format(table))


def test_broken_values_beside_the_table_are_refused_with_their_line(place: Place, tmp_path: Path) -> None:
    table = tmp_path / "models.csv"
    table.write_text(HEADER + ROW)
    (tmp_path / "values.yaml").write_text("hfToken: x\n  broken: [\n")
    line = validated(place, "-e", f"aim_engine_models_csv={table}")
    assert line.startswith(f"{tmp_path / 'values.yaml'}:2:9: is not valid YAML")
