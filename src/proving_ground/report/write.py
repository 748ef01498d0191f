"""Writing everything that a run is told by, into its artifacts directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pydantic

from proving_ground.contracts.platform import Platform
from proving_ground.contracts.run import Run
from proving_ground.contracts.timeline import Entry
from proving_ground.files import write_atomically
from proving_ground.report.ctrf import ctrf_json
from proving_ground.report.html import report_html
from proving_ground.report.junit import junit_xml
from proving_ground.report.markdown import summary_md

if TYPE_CHECKING:
    from pathlib import Path

    from proving_ground.contracts.base import Contract
    from proving_ground.contracts.results import Results

ModelT = TypeVar("ModelT", bound="Contract")


def write_all(artifacts: Path, results: Results) -> None:
    """Write results.json, junit.xml, ctrf.json, summary.md and report.html, each atomically.

    What they tell of the platform, the run and the timeline is read from the files that the run left
    there so far; one that is absent or broken is left out. results.json comes first.

    Raises:
        InfrastructureError: A file cannot be written, for example because the disk is full.
    """
    write_atomically(artifacts / "results.json", results.model_dump_json(indent=1) + "\n")
    platform = _read(artifacts / "platform.json", Platform)
    run = _read(artifacts / "run.json", Run)
    write_atomically(artifacts / "junit.xml", junit_xml(results))
    write_atomically(artifacts / "ctrf.json", ctrf_json(results, platform, run))
    write_atomically(artifacts / "summary.md", summary_md(results))
    timeline = _timeline(artifacts / "timeline.jsonl")
    write_atomically(artifacts / "report.html", report_html(results, platform, timeline, run))


def _read(path: Path, model: type[ModelT]) -> ModelT | None:
    try:
        return model.model_validate_json(path.read_bytes())
    except (OSError, pydantic.ValidationError):
        return None


def _timeline(path: Path) -> list[Entry]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return []
    entries = []
    for line in lines:
        try:
            entries.append(Entry.model_validate_json(line))
        except pydantic.ValidationError:
            continue  # the last line of a killed run
    return entries
