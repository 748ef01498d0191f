"""Fragments of the changelog are such that a release can be made from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
CONFIGURATION: dict[str, Any] = yaml.safe_load((ROOT / "changelogs/config.yaml").read_text())
FRAGMENTS = sorted((ROOT / "changelogs" / CONFIGURATION["notesdir"]).iterdir())


def faults(fragment: object) -> list[str]:
    """Return what is wrong with a fragment, by the configuration of antsibull-changelog."""
    if not isinstance(fragment, dict) or not fragment:
        return ["expected a mapping of sections"]
    prelude = CONFIGURATION["prelude_section_name"]
    sections = [name for name, _title in CONFIGURATION["sections"]] + [CONFIGURATION["trivial_section_name"]]
    found = [f"{name}: unknown section" for name in fragment if name not in {prelude, *sections}]
    if prelude in fragment and not (isinstance(fragment[prelude], str) and fragment[prelude].strip()):
        found.append(f"{prelude}: expected a text")
    for name in sections:
        entries = fragment.get(name, ["none"])
        if not (isinstance(entries, list) and entries and all(isinstance(e, str) and e.strip() for e in entries)):
            found.append(f"{name}: expected a list of texts")
    return found


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_every_fragment_is_yaml_of_known_sections(path: Path) -> None:
    assert path.suffix in {".yml", ".yaml"}
    assert faults(yaml.safe_load(path.read_text(encoding="utf-8"))) == []


def test_one_fragment_at_most_has_a_summary() -> None:
    prelude = CONFIGURATION["prelude_section_name"]
    assert len([path for path in FRAGMENTS if prelude in yaml.safe_load(path.read_text(encoding="utf-8"))]) <= 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected a mapping"),
        ("- a", "expected a mapping"),
        ("new_things: [a]", "new_things: unknown section"),
        ("bugfixes: a", "bugfixes: expected a list"),
        ("bugfixes: []", "bugfixes: expected a list"),
        ("bugfixes: ['']", "bugfixes: expected a list"),
        ("bugfixes: [{a: b}]", "bugfixes: expected a list"),
        ("release_summary: [a]", "release_summary: expected a text"),
    ],
)
def test_a_malformed_fragment_is_noticed(text: str, expected: str) -> None:
    [fault] = faults(yaml.safe_load(text))
    assert fault.startswith(expected)
