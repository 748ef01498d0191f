"""Finding the Configuration of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proving_ground.chainsaw.run import find_configuration

if TYPE_CHECKING:
    from pathlib import Path


def test_the_nearest_configuration_holds_wherever_the_run_was_started(tmp_path: Path) -> None:
    test = tmp_path / "suite" / "test"
    test.mkdir(parents=True)
    (tmp_path / ".chainsaw.yaml").touch()

    assert find_configuration(test, tmp_path) == tmp_path / ".chainsaw.yaml"
    (tmp_path / "suite" / ".chainsaw.yaml").touch()
    assert find_configuration(test, tmp_path) == tmp_path / "suite" / ".chainsaw.yaml"


def test_no_folder_above_the_root_is_asked(tmp_path: Path) -> None:
    test = tmp_path / "suite" / "test"
    test.mkdir(parents=True)
    (tmp_path / ".chainsaw.yaml").touch()

    assert find_configuration(test, tmp_path / "suite") is None
