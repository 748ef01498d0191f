"""The sessions are those of stages.yml and the project's own, and the CI script calls the test command."""

from __future__ import annotations

import importlib.util
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def noxfile() -> ModuleType:
    spec = importlib.util.spec_from_file_location("project_noxfile", ROOT / "noxfile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stages() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "stages.yml").read_text())["stages"])


def test_the_stages_are_read_as_a_yaml_library_reads_them(noxfile: ModuleType) -> None:
    read = {name: stage["description"] for name, stage in stages().items()}
    assert read == noxfile.STAGES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("stages:\n", {}),
        ("other:\n  nightly:\n    description: no\nstages:\n  weekly:\n    description: yes\n", {"weekly": "yes"}),
        ("# stages:\nstages: # all\n  a: # x\n    marks: m\n    description: 'one: two'\n", {"a": "one: two"}),
        ("stages:\r\n  a:\r\n    description: b\r\n", {"a": "b"}),
        ("stages:\n  a:\n    marks: m\n  b:\n    description: c\nend: 1\n  z:\n", {"a": "", "b": "c"}),
    ],
)
def test_the_plain_form_of_stages_is_understood(noxfile: ModuleType, text: str, expected: dict[str, str]) -> None:
    assert noxfile.read_stages(text) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], []),
        (["-s", "lint", "nightly"], ["nightly"]),
        (["-s", "nightly", "weekly"], ["nightly", "weekly"]),
        (["-s", "nightly", "-s", "weekly"], ["nightly", "weekly"]),
        (["--session=nightly", "-sweekly", "-e", "nightly"], ["nightly", "weekly"]),
        (["-s", "nightly", "-v", "weekly", "--", "-s", "pre_merge"], ["nightly"]),
    ],
)
def test_the_stages_that_a_call_names_are_found(noxfile: ModuleType, arguments: list[str], expected: list[str]) -> None:
    assert noxfile.stages_asked_for(arguments) == expected


def test_the_noxfile_does_not_import_the_package() -> None:
    text = (ROOT / "noxfile.py").read_text()
    assert "import proving_ground" not in text
    assert "from proving_ground" not in text


def test_every_session_says_what_it_does_in_one_line(noxfile: ModuleType) -> None:
    for name in noxfile.OWN_SESSIONS:
        assert getattr(noxfile, name).__doc__.splitlines()[0].endswith((".", "."))
    for name in noxfile.STAGES:
        assert noxfile.stage_session(name).__doc__.startswith(f"Stage: {noxfile.STAGES[name]}.\n")


def test_the_environment_is_another_one_for_another_lock(
    noxfile: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = noxfile.environment_key()
    assert before == noxfile.environment_key()
    (tmp_path / "lock").write_text("nox==1\n")
    monkeypatch.setattr(noxfile, "LOCK", tmp_path / "lock")
    assert noxfile.environment_key() != before


def test_ci_calls_the_test_command_of_the_readme() -> None:
    script = ROOT / ".ci" / "run"
    assert os.stat(script).st_mode & stat.S_IXUSR
    assert "exec ./nox -s tests" in script.read_text()
    assert "./nox -s tests" in (ROOT / "README.md").read_text()
