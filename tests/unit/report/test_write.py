from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.contracts.results import Results
from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.report import write
from proving_ground.report.read import load
from proving_ground.report.write import write_all

if TYPE_CHECKING:
    from pathlib import Path

    from proving_ground.contracts.platform import Platform

FILES = ["ctrf.json", "junit.xml", "report.html", "results.json", "summary.md"]


def test_every_report_is_written(tmp_path: Path, results: Results) -> None:
    write_all(tmp_path, results)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    assert load(str(tmp_path), tmp_path) == results


def test_what_the_run_left_is_told(tmp_path: Path, results: Results, platform: Platform) -> None:
    (tmp_path / "platform.json").write_text(platform.model_dump_json())
    write_all(tmp_path, results)
    assert "https://127.64.0.1:6443" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"schema_version": 99}', b"[]\n\n\x00"])
def test_broken_files_of_the_run_do_not_keep_the_report_from_being_written(
    tmp_path: Path, results: Results, content: bytes
) -> None:
    for name in ("platform.json", "run.json", "timeline.jsonl"):
        (tmp_path / name).write_bytes(content)
    write_all(tmp_path, results)
    assert "No platform came into being" in (tmp_path / "report.html").read_text()


def test_results_are_there_even_when_a_report_cannot_be_made(
    tmp_path: Path, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> str:
        raise InfrastructureError("no space left")

    monkeypatch.setattr(write, "junit_xml", fails)
    with pytest.raises(InfrastructureError):
        write_all(tmp_path, results)
    assert Results.model_validate_json((tmp_path / "results.json").read_bytes()) == results


def test_a_run_is_found_by_id_directory_and_file(tmp_path: Path, results: Results) -> None:
    folder = tmp_path / "artifacts/20260102-abc"
    folder.mkdir(parents=True)
    write_all(folder, results)
    for name in ("20260102-abc", str(folder), str(folder / "results.json")):
        assert load(name, tmp_path / "artifacts") == results


def test_an_unknown_run_names_the_latest(tmp_path: Path, results: Results) -> None:
    (tmp_path / "20260102-abc").mkdir()
    write_all(tmp_path / "20260102-abc", results)
    with pytest.raises(ConfigurationError, match=r"no run 'other'.*the latest are 20260102-abc"):
        load("other", tmp_path)


@pytest.mark.parametrize("content", ["", "{}", "\x00", '{"run_id": 1}'])
def test_broken_results_are_refused_in_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        load(str(tmp_path), tmp_path)
    assert "\n" not in str(caught.value)
