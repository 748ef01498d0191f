"""The sessions are those of stages.yml and the project's own, and the CI script calls the test command."""

from __future__ import annotations

import importlib.util
import os
import stat
import subprocess
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


class Session:
    """Takes what a session is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def log(self, line: str) -> None:
        self.said.append(line)

    def warn(self, line: str) -> None:
        self.said.append(line)

    def error(self, line: str) -> None:
        raise RuntimeError(line)


@pytest.fixture
def commands(noxfile: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """Pretend the commands that make an environment, below tmp_path; return them as they come."""
    done: list[list[str]] = []

    def pretend(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        done.append(command)
        if command[1] == "venv":
            (Path(command[-1]) / "bin").mkdir(parents=True)
        return subprocess.CompletedProcess(command, int((tmp_path / "fail").exists() and "--requirement" in command))

    monkeypatch.setattr(noxfile, "ROOT", tmp_path)
    monkeypatch.setattr(noxfile, "NOX", tmp_path / ".nox")
    monkeypatch.setattr(noxfile, "_uv", lambda: "uv")
    monkeypatch.setattr(noxfile.subprocess, "run", pretend)
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    return done


def test_the_environment_is_made_once_from_the_hashed_lock(
    noxfile: ModuleType, commands: list[list[str]], tmp_path: Path
) -> None:
    first = noxfile.ensure_environment(Session())
    assert [command[1:3] for command in commands] == [["venv", "--quiet"], ["pip", "install"], ["pip", "install"]]
    assert {"--require-hashes", str(ROOT / "requirements.lock")} <= set(commands[1])
    assert {"--no-deps", "--no-build-isolation", str(tmp_path)} <= set(commands[2])
    assert noxfile.ensure_environment(Session()) == first
    assert len(commands) == 3
    assert (tmp_path / ".nox/collections/ansible_collections/proving/ground").resolve() == tmp_path


def test_an_environment_that_was_interrupted_is_made_anew(
    noxfile: ModuleType, commands: list[list[str]], tmp_path: Path
) -> None:
    (tmp_path / "fail").touch()
    with pytest.raises(RuntimeError, match="could not make the Python environment: uv pip install"):
        noxfile.ensure_environment(Session())
    (tmp_path / "fail").unlink()
    noxfile.ensure_environment(Session())
    assert [command[1] for command in commands] == ["venv", "pip", "venv", "pip", "pip"]


def test_only_the_project_is_installed_again_where_its_metadata_changed(
    noxfile: ModuleType, commands: list[list[str]], tmp_path: Path
) -> None:
    noxfile.ensure_environment(Session())
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    noxfile.ensure_environment(Session())
    assert [command[1] for command in commands] == ["venv", "pip", "pip", "pip"]
    assert "--editable" in commands[-1]


def test_ci_calls_the_test_command_of_the_readme() -> None:
    script = ROOT / ".ci" / "run"
    assert os.stat(script).st_mode & stat.S_IXUSR
    assert "exec ./nox -s tests" in script.read_text()
    assert "./nox -s tests" in (ROOT / "README.md").read_text()
