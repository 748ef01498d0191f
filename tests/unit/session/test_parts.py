"""Which jobs a call names, in which order they begin, and what they run."""

from __future__ import annotations

from pathlib import Path

import parts
import pytest
from jobs import Job
from programs import Programs
from tallies import Tally

FOLDERS = parts.integration_folders()


@pytest.fixture(autouse=True)
def missing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What this machine lacks for lab hosts: nothing, until a test says so."""
    lacks = [""]
    monkeypatch.setattr(parts.scenarios, "missing_for_lab_hosts", lambda: lacks[0])
    return lacks


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A project with one scenario here, and two on hosts."""
    for name, text in {
        "aim": "",
        "node": "# covers: worker\nshared_state: true\n",
        "run": "shared_state: true",
    }.items():
        (tmp_path / "molecule" / name).mkdir(parents=True)
        (tmp_path / "molecule" / name / "molecule.yml").write_text(f"---\n{text}")
    monkeypatch.setattr(parts, "ROOT", tmp_path)
    return tmp_path


class Noting(Programs):
    """Notes what it is to run, and ends it with a code."""

    def __init__(self, code: int = 0) -> None:
        super().__init__(Path())
        self.commands: list[list[str]] = []
        self._code = code

    def run(self, *command: str, **_options: object) -> int:  # type: ignore[override]
        self.commands.append([Path(command[0]).name.rstrip("0123456789."), *command[1:]])
        return self._code


def named(*words: str, options: tuple[str, ...] = ()) -> list[str]:
    return [job.name for job in parts.chosen(list(words), list(options))]


def work(job: Job, code: int = 0) -> tuple[list[list[str]], Tally]:
    programs = Noting(code)
    tally = job.work(programs.run, programs)
    return programs.commands, tally


def test_nothing_named_is_every_part_and_programs_come_first() -> None:
    names = named()
    assert names[:2] == ["programs:sim", "programs:lab"]
    jobs = [name.partition(":")[2].split("+") for name in names if name.startswith("integration:")]
    assert sorted(folder for folders in jobs for folder in folders) == FOLDERS
    assert sorted(parts.ONE_PLATFORM) in jobs
    assert {"unit", "pre_merge", "lab", "lint:mypy", "molecule:on_hosts", "molecule:dynamo"} < set(names)
    assert len(names) == len(set(names))
    assert set(parts.LONGEST) < set(names)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["unit"], ["unit"]),
        (["lint:mypy", "lint:ruff"], ["lint:mypy", "lint:ruff"]),
        (["integration:plugin"], ["integration:plugin"]),
        (["integration:aim"], ["programs:sim", "integration:aim"]),
        (
            ["integration:kube", "integration:sim", "integration:aim"],
            ["programs:sim", "integration:sim", "integration:kube+aim"],
        ),
        (["integration:lab", "unit"], ["programs:sim", "programs:lab", "unit", "integration:lab"]),
        (["lint:mypy", "lint"], [f"lint:{name}" for name in parts.LINTERS]),
        (["lab"], ["programs:sim", "programs:lab", "lab"]),
        (["pre_merge"], ["programs:sim", "pre_merge"]),
    ],
)
def test_parts_and_jobs_are_chosen_by_name(words: list[str], expected: list[str]) -> None:
    found = named(*words)
    assert sorted(found) == sorted(expected)
    assert [name for name in found if name in parts.LONGEST] == [name for name in expected if name in parts.LONGEST]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("everything", "unknown part 'everything': expected lint, unit"),
        ("programs:sim", "unknown part 'programs'"),
        ("", "unknown part ''"),
        ("lint:pylint", "unknown linter 'pylint': expected ruff, mypy"),
        ("integration:none", "unknown folder of tests 'none': expected aim, "),
        ("molecule:none", "unknown scenario 'none': expected "),
        ("unit:chainsaw", "unit:chainsaw: unit is one job"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(word: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parts.chosen([word], [])


def test_pytest_is_run_on_the_folder_with_its_options_and_a_report(root: Path) -> None:
    (root / "tests/integration/plugin").mkdir(parents=True)
    (root / "tests/integration/plugin/test_it.py").touch()
    (job,) = parts.chosen(["integration:plugin"], ["-k", "cache"])
    report = root / ".nox/tests/integration-plugin.xml"
    commands, tally = work(job, 1)
    assert commands == [
        ["python", "-m", "pytest", "tests/integration/plugin", "--color=no", f"--junit-xml={report}", "-k", "cache"]
    ]
    assert tally == Tally(1, 0, 1, names=("pytest came to no report",))


def test_options_that_select_nothing_of_a_folder_are_no_failure() -> None:
    (job,) = parts.chosen(["unit"], ["-k", "cache"])
    assert work(job, parts.NO_TESTS)[1] == Tally()
    (job,) = parts.chosen(["unit"], [])
    assert work(job, parts.NO_TESTS)[1].failed == 1


def test_a_linter_with_two_commands_counts_both() -> None:
    (job,) = parts.chosen(["lint:ruff"], [])
    assert work(job) == ([["ruff", "check", "."], ["ruff", "format", "--check", "."]], Tally(0, 2, 0))


def test_a_stage_is_run_on_both_inventories() -> None:
    for part, options in (("pre_merge", []), ("lab", ["--inventory", "lab"])):
        job = parts.chosen([part], [])[-1]
        commands, tally = work(job, 2)
        assert commands == [["python", "-m", "proving_ground", "run", "pre_merge", *options]]
        assert tally == Tally(2, 0, 1, names=(f"{' '.join(['run', 'pre_merge', *options])}: exit code 2",))


def test_programs_are_got_with_the_playbook_and_are_no_test() -> None:
    sim, lab, *_ = parts.chosen(["lab"], [])
    assert lab.after == {"programs:sim"}
    assert work(sim) == ([["ansible-playbook", "-i", "inventories/sim", "playbooks/tools.yml"]], Tally())
    commands, tally = work(lab, 4)
    assert commands == [["ansible-playbook", "-i", "inventories/lab", "playbooks/tools.yml"]]
    assert (tally.code, tally.counts) == (4, (0, 1, 0))


@pytest.mark.usefixtures("root")
def test_scenarios_on_hosts_are_one_job_and_the_others_one_each() -> None:
    jobs = {job.name: job for job in parts.chosen(["molecule"], [])}
    assert set(jobs) == {"programs:sim", "programs:lab", "molecule:aim", "molecule:on_hosts"}
    assert jobs["molecule:on_hosts"].labs
    tests = [command[-1] for command in work(jobs["molecule:on_hosts"])[0] if "test" in command]
    assert tests == ["node", "run"]
    assert [command[-1] for command in work(jobs["molecule:aim"])[0]] == ["aim"]


@pytest.mark.usefixtures("root")
def test_a_machine_that_cannot_have_hosts_runs_what_it_can(missing: list[str]) -> None:
    missing[0] = "root"
    jobs = {job.name: job for job in parts.chosen(["molecule", "lab"], [])}
    assert set(jobs) == {"programs:sim", "molecule:aim", "molecule:on_hosts", "lab"}
    assert work(jobs["molecule:on_hosts"]) == (
        [],
        Tally(not_run=2, names=("node, run: lab hosts need root on this machine",)),
    )
    assert work(jobs["lab"])[1].not_run == 1


@pytest.mark.usefixtures("root")
def test_a_named_scenario_that_this_machine_cannot_have_hosts_for_is_refused(missing: list[str]) -> None:
    missing[0] = "namespaces"
    with pytest.raises(ValueError, match="lab hosts need namespaces on this machine, and node need lab hosts"):
        parts.chosen(["molecule:aim", "molecule:worker"], [])
