from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.models.generation import generate, plan
from proving_ground.models.templates import MARKER, load_templates

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from proving_ground.models.generation import Plan
    from proving_ground.models.table import Table

A, B = "r,aim-a,1", "r,aim-b,1"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def planned(table_of: Callable[..., Table], out: Path) -> Callable[..., Plan]:
    return lambda *rows: plan(table_of(*rows), load_templates(), out)


@pytest.fixture
def made(planned: Callable[..., Plan]) -> Callable[..., Plan]:
    def make(*rows: str) -> Plan:
        result = planned(*rows)
        generate(result)
        return result

    return make


def changes(result: Plan) -> dict[str, str]:
    return {folder.path.name: folder.change for folder in result.folders}


def test_each_active_row_gets_a_folder_of_two_marked_files(made: Callable[..., Plan], out: Path) -> None:
    made(A, f"{B},skip")
    assert [path.name for path in out.iterdir()] == ["aim-r-aim-a-1"]
    files = {path.name: path.read_text() for path in (out / "aim-r-aim-a-1").iterdir()}
    assert sorted(files) == ["chainsaw-test.yaml", "service.yaml"]
    assert all(text.startswith(f"{MARKER}\n") for text in files.values())


def test_planning_writes_nothing(planned: Callable[..., Plan], out: Path) -> None:
    assert changes(planned(A)) == {"aim-r-aim-a-1": "new"}
    assert not out.exists()


def test_a_second_time_nothing_is_touched(made: Callable[..., Plan], out: Path) -> None:
    made(A, "r,aim-c,1,private")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    again = made(A, "r,aim-c,1,private")
    assert set(changes(again).values()) == {"unchanged"}
    assert not again.shared
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_a_changed_row_changes_only_its_file(made: Callable[..., Plan], out: Path) -> None:
    made(A, B)
    test = out / "aim-r-aim-a-1/chainsaw-test.yaml"
    before = test.stat().st_mtime_ns
    assert changes(made(f"{A},unoptimized", B)) == {"aim-r-aim-a-1": "changed", "aim-r-aim-b-1": "unchanged"}
    assert "allowUnoptimized" in (out / "aim-r-aim-a-1/service.yaml").read_text()
    assert test.stat().st_mtime_ns == before


def test_a_stale_folder_of_ours_is_removed(made: Callable[..., Plan], out: Path) -> None:
    made(A, B)
    assert changes(made(B)) == {"aim-r-aim-b-1": "unchanged", "aim-r-aim-a-1": "removed"}
    assert [path.name for path in out.iterdir()] == ["aim-r-aim-b-1"]


def test_a_stale_folder_keeps_files_that_are_not_ours(made: Callable[..., Plan], out: Path) -> None:
    made(A, B)
    (out / "aim-r-aim-a-1/notes.txt").write_text("mine")
    assert changes(made(B))["aim-r-aim-a-1"] == "kept"
    assert [path.name for path in (out / "aim-r-aim-a-1").iterdir()] == ["notes.txt"]


def test_a_foreign_folder_is_not_touched(made: Callable[..., Plan], out: Path) -> None:
    (out / "aim-mine").mkdir(parents=True)
    (out / "aim-mine/chainsaw-test.yaml").write_text("kind: Test\n")
    made(A)
    assert (out / "aim-mine/chainsaw-test.yaml").read_text() == "kind: Test\n"


def test_a_link_to_a_folder_is_not_followed(made: Callable[..., Plan], out: Path, tmp_path: Path) -> None:
    made(A)
    elsewhere = tmp_path / "elsewhere"
    (out / "aim-r-aim-a-1").rename(elsewhere)
    (out / "aim-linked").symlink_to(elsewhere)
    made(B)
    assert sorted(path.name for path in elsewhere.iterdir()) == ["chainsaw-test.yaml", "service.yaml"]


def test_a_foreign_folder_in_the_way_is_refused_before_anything_is_written(
    planned: Callable[..., Plan], out: Path
) -> None:
    (out / "aim-r-aim-b-1").mkdir(parents=True)
    (out / "aim-r-aim-b-1/service.yaml").write_text("kind: AIMService\n")
    with pytest.raises(ConfigurationError, match=r"aim-r-aim-b-1: is needed for r/aim-b:1 but was not generated"):
        planned(A, B)
    assert not (out / "aim-r-aim-a-1").exists()


def test_a_file_in_the_way_is_refused(planned: Callable[..., Plan], out: Path) -> None:
    out.mkdir()
    (out / "aim-r-aim-a-1").write_text("")
    with pytest.raises(ConfigurationError, match="expected no such file"):
        planned(A)


def test_an_empty_folder_in_the_way_is_used(made: Callable[..., Plan], out: Path) -> None:
    (out / "aim-r-aim-a-1").mkdir(parents=True)
    made(A)
    assert (out / "aim-r-aim-a-1/service.yaml").exists()


def test_shared_secrets_are_written_where_a_row_needs_them(made: Callable[..., Plan], out: Path) -> None:
    made(A)
    assert not (out / "secret-imagepull.yaml").exists()
    made(f"{A},private", f"{B},hfToken")
    assert "$values.imagePullSecret" in (out / "secret-imagepull.yaml").read_text()
    assert "$values.hfToken" in (out / "secret-hftoken.yaml").read_text()


def test_a_team_s_own_secret_file_is_left_alone(made: Callable[..., Plan], out: Path) -> None:
    out.mkdir()
    (out / "secret-imagepull.yaml").write_text("own: true\n")
    made(f"{A},private")
    assert (out / "secret-imagepull.yaml").read_text() == "own: true\n"


def test_what_lies_beside_the_table_goes_along(made: Callable[..., Plan], out: Path, tmp_path: Path) -> None:
    (tmp_path / "secret-imagepull.yaml").write_text("own: true\n")
    (tmp_path / ".chainsaw.yaml").write_text("kind: Configuration\n")
    made(f"{A},private")
    assert (out / "secret-imagepull.yaml").read_text() == f"{MARKER}\nown: true\n"
    assert (out / ".chainsaw.yaml").read_text() == f"{MARKER}\nkind: Configuration\n"


def test_an_output_that_cannot_be_made_is_refused(planned: Callable[..., Plan], out: Path) -> None:
    out.write_text("")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        generate(planned(A))


def test_a_folder_that_cannot_be_completed_leaves_nothing_half_done(
    planned: Callable[..., Plan], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = planned(A)
    monkeypatch.setattr("pathlib.Path.rename", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(InfrastructureError, match="No space left on device"):
        generate(result)
    assert list(out.iterdir()) == []
