from __future__ import annotations

from pathlib import Path

import pytest

from proving_ground.errors import ConfigurationError
from proving_ground.pipeline.project import Project, suite_files


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "tests/suites").mkdir(parents=True)
    return Project(tmp_path)


def add(project: Project, place: str, name: str = "") -> Path:
    """Make a suite in a folder, named as the folder unless told otherwise."""
    folder = project.root / "tests/suites" / place
    folder.mkdir(parents=True)
    (folder / "suite.yml").write_text(f"name: {name or folder.name}\ndescription: d\n")
    return folder


def test_suites_are_found_in_their_own_folder_and_in_that_of_a_family(project: Project) -> None:
    add(project, "scaling/zebra")
    add(project, "aim")
    add(project, "scaling/ape")
    assert [(each.definition.name, each.directory.parent.name) for each in project.suites()] == [
        ("aim", "suites"),
        ("ape", "scaling"),
        ("zebra", "scaling"),
    ]


def test_a_folder_within_a_suite_is_no_suite(project: Project) -> None:
    add(project, "aim")
    add(project, "aim/models", name="other")
    assert [each.definition.name for each in project.suites()] == ["aim"]


def test_a_folder_two_levels_within_a_family_is_no_suite(project: Project) -> None:
    add(project, "scaling/deep/deeper")
    assert project.suites() == []


def test_what_a_family_shares_is_no_suite(project: Project) -> None:
    add(project, "scaling/ape")
    (project.root / "tests/suites/scaling/configs").mkdir()
    (project.root / "tests/suites/scaling/conftest.py").touch()
    assert suite_files(project.root / "tests/suites") == [project.root / "tests/suites/scaling/ape/suite.yml"]


def test_two_suites_of_one_name_are_refused_with_both_files(project: Project) -> None:
    first, second = add(project, "aim/ape"), add(project, "scaling/ape")
    with pytest.raises(ConfigurationError, match=r"'ape', which .* has too") as caught:
        project.suites()
    assert str(first / "suite.yml") in str(caught.value)
    assert caught.value.where == str(second / "suite.yml")


def test_a_suite_in_a_family_has_the_name_of_its_own_folder(project: Project) -> None:
    add(project, "scaling/ape", name="scaling-ape")
    with pytest.raises(ConfigurationError, match="expected its folder's, 'ape'"):
        project.suites()


def test_a_project_without_suites_has_none(tmp_path: Path) -> None:
    assert Project(tmp_path).suites() == []
