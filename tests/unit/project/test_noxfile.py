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


@pytest.mark.parametrize(
    ("code", "report", "expected"),
    [
        (0, '<testsuites><testsuite tests="5" skipped="1" failures="0" errors="0"/></testsuites>', (4, 0)),
        (1, '<testsuites><testsuite tests="5" skipped="0" failures="2" errors="1"/></testsuites>', (2, 3)),
        (2, "<testsuites>", (0, 1)),
        (4, None, (0, 1)),
    ],
)
def test_what_pytest_counted_is_counted(
    noxfile: ModuleType, tmp_path: Path, code: int, report: str | None, expected: tuple[int, int]
) -> None:
    if report is not None:
        (tmp_path / "report.xml").write_text(report)
    tally = noxfile.read_tally(code, tmp_path / "report.xml")
    assert (tally.code, tally.passed, tally.failed) == (code, *expected)


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


class Molecule:
    """Takes what molecule is told, in place of it: one word of what it does, and of which scenario."""

    def __init__(self, noxfile: ModuleType) -> None:
        self.noxfile = noxfile
        self.done: list[str] = []
        self.codes: dict[str, int] = {}
        self.interrupted_by = ""

    def __call__(self, _session: object, _env: object, *command: str, **_options: bool) -> int:
        on_hosts = "molecule/lab.yml" in command
        what = f"{'test' if 'test' in command else 'destroy'} {command[-1]}{' on hosts' if on_hosts else ''}"
        self.done.append(what)
        if what == self.interrupted_by:
            self.noxfile.INTERRUPTIONS.append(2)
        return self.codes.get(what, 0)


@pytest.fixture
def scenarios(noxfile: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Molecule:
    """Two scenarios on this machine, two on hosts, of which one is for several roles; what they need is there."""
    texts = {
        "alone": "---\n# On this machine.\n",
        "by_itself": "---\nscenario: {name: by_itself}\n",
        "default": "---\nshared_state: true\n",
        "many": "---\n# covers: first, second,\n# covers: third\nshared_state: true\n",
        "one": "---\nshared_state: true  # on hosts\n",
    }
    for name, text in texts.items():
        (tmp_path / "molecule" / name).mkdir(parents=True)
        (tmp_path / "molecule" / name / "molecule.yml").write_text(text)
    (tmp_path / "molecule" / "inventory").mkdir()
    molecule = Molecule(noxfile)
    monkeypatch.setattr(noxfile, "ROOT", tmp_path)
    monkeypatch.setattr(noxfile, "NOX", tmp_path)
    monkeypatch.setattr(noxfile, "INTERRUPTIONS", [])
    monkeypatch.setattr(noxfile, "run", molecule)
    monkeypatch.setattr(noxfile, "missing_for_lab_hosts", lambda: "")
    return molecule


REMOVED = "destroy default on hosts"


def test_scenarios_on_hosts_run_after_the_others_and_their_hosts_are_removed(
    noxfile: ModuleType, scenarios: Molecule
) -> None:
    tally = noxfile._molecule(Session(), {}, [])
    on_hosts = ["test many on hosts", "test one on hosts"]
    assert scenarios.done == ["test alone", "test by_itself", REMOVED, *on_hosts, REMOVED]
    assert tally == noxfile.Tally(0, 4, 0)


@pytest.mark.parametrize("word", ["many", "second", "third"])
def test_a_scenario_is_named_by_itself_or_by_a_role_that_it_is_for(
    noxfile: ModuleType, scenarios: Molecule, word: str
) -> None:
    noxfile._molecule(Session(), {}, [word, "many"])
    assert scenarios.done == [REMOVED, "test many on hosts", REMOVED]


@pytest.mark.parametrize("word", ["none", "default", ""])
def test_a_scenario_that_does_not_exist_is_a_configuration_error(
    noxfile: ModuleType, scenarios: Molecule, word: str
) -> None:
    session = Session()
    with pytest.raises(SystemExit, match="3"):
        noxfile._molecule(session, {}, ["alone", word])
    assert f"unknown scenario {word!r}" in session.said[0]
    assert scenarios.done == []


def test_a_scenario_after_one_that_failed_finds_new_hosts(noxfile: ModuleType, scenarios: Molecule) -> None:
    scenarios.codes["test many on hosts"] = 2
    tally = noxfile._molecule(Session(), {}, ["many", "one"])
    assert scenarios.done == [REMOVED, "test many on hosts", REMOVED, "test one on hosts", REMOVED]
    assert tally == noxfile.Tally(2, 1, 1)


def test_hosts_that_cannot_be_removed_are_a_failure(noxfile: ModuleType, scenarios: Molecule) -> None:
    scenarios.codes[REMOVED] = 1
    assert noxfile._molecule(Session(), {}, ["one"]).code == 1


@pytest.mark.parametrize(
    ("interrupted", "expected"),
    [
        ("test alone", ["test alone", "destroy alone"]),
        ("test many on hosts", ["test alone", "test by_itself", REMOVED, "test many on hosts", REMOVED]),
    ],
)
def test_what_an_interrupted_scenario_made_is_removed(
    noxfile: ModuleType, scenarios: Molecule, interrupted: str, expected: list[str]
) -> None:
    scenarios.interrupted_by = interrupted
    noxfile._molecule(Session(), {}, [])
    assert scenarios.done == expected


def test_scenarios_that_this_machine_cannot_have_hosts_for_are_counted_as_not_run(
    noxfile: ModuleType, scenarios: Molecule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noxfile, "missing_for_lab_hosts", lambda: "root")
    session = Session()
    assert noxfile._molecule(session, {}, []) == noxfile.Tally(0, 2, 0, not_run=2)
    assert session.said == ["not run, for lab hosts need root on this machine: many, one"]
    assert scenarios.done == ["test alone", "test by_itself"]


def test_a_named_scenario_that_this_machine_cannot_have_hosts_for_is_a_configuration_error(
    noxfile: ModuleType, scenarios: Molecule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noxfile, "missing_for_lab_hosts", lambda: "namespaces")
    with pytest.raises(SystemExit, match="3"):
        noxfile._molecule(Session(), {}, ["alone", "one"])
    assert scenarios.done == []


@pytest.mark.parametrize(
    ("user", "programs", "makes_namespaces", "expected"),
    [
        (1000, ["unshare", "podman"], True, "root"),
        (0, ["podman"], True, "namespaces"),
        (0, ["unshare", "podman"], False, "namespaces"),
        (0, ["unshare"], True, "podman"),
        (0, ["unshare", "apt-get"], True, ""),
        (0, ["unshare", "podman"], True, ""),
    ],
)
def test_what_a_machine_lacks_for_hosts_is_said(
    noxfile: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    user: int,
    programs: list[str],
    *,
    makes_namespaces: bool,
    expected: str,
) -> None:
    ran = subprocess.CompletedProcess([], int(not makes_namespaces))
    monkeypatch.setattr(noxfile.os, "geteuid", lambda: user)
    monkeypatch.setattr(noxfile.shutil, "which", lambda name: name if name in programs else None)
    monkeypatch.setattr(noxfile.subprocess, "run", lambda *_, **__: ran)
    assert noxfile.missing_for_lab_hosts() == expected


def test_nothing_that_a_program_started_outlives_its_interruption(
    noxfile: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # The program ends at once, and leaves one behind that takes its time.
    left = "trap 'sleep 0.3; echo ended >ended; exit' TERM; touch ready; while :; do sleep 0.01; done"
    script = f"trap : TERM; ({left}) & while [ ! -e ready ]; do sleep 0.01; done; kill -TERM $PPID; exit 130"
    monkeypatch.setattr(noxfile, "ROOT", tmp_path)
    monkeypatch.setattr(noxfile, "INTERRUPTIONS", [])
    code = noxfile.run(Session(), {"PATH": os.environ["PATH"]}, "sh", "-c", script, group=True)
    assert code == 130
    assert (tmp_path / "ended").exists()
