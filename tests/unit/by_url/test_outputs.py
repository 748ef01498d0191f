"""Where results go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.by_url import outputs
from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_is_made_and_one_that_is_there_is_fine(tmp_path: Path) -> None:
    for _ in range(2):
        outputs.make_folder(tmp_path / "a" / "b", "--artifacts")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in ("file", "file/inside"):
        with pytest.raises(ConfigurationError, match="cannot be made") as refused:
            outputs.make_folder(tmp_path / place, "--artifacts")
        assert refused.value.where == "--artifacts"


def test_a_file_in_a_folder_that_is_there_can_be_written(tmp_path: Path) -> None:
    outputs.check_file(tmp_path / "report.json", "--json-report")
    assert not list(tmp_path.iterdir())


def test_a_file_without_a_folder_or_that_is_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no folder"):
        outputs.check_file(tmp_path / "nowhere" / "report.json", "--json-report")
    with pytest.raises(ConfigurationError, match="found the folder"):
        outputs.check_file(tmp_path, "--json-report")


def test_a_folder_that_nobody_may_write_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs.os, "access", lambda *_: False)
    with pytest.raises(ConfigurationError, match="nothing can be written to"):
        outputs.check_file(tmp_path / "report.json", "--json-report")
    with pytest.raises(ConfigurationError, match="nothing can be written to"):
        outputs.make_folder(tmp_path, "--artifacts")
