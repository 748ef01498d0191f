"""The jobs that there are, part by part."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import scenarios
from jobs import Job
from tallies import Tally, read_tally

if TYPE_CHECKING:
    from jobs import Run
    from programs import Programs

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("lint", "unit", "integration", "molecule", "pre_merge", "lab")
PROGRAMS = "programs"
"""No part of the tests: it gets Kubernetes' programs into the user's cache, which builds them where it is cold."""
SIM, LAB = f"{PROGRAMS}:sim", f"{PROGRAMS}:lab"
WITHOUT_A_PLATFORM = frozenset({"binaries", "fleet", "history", "plugin", "project"})
"""Folders of integration tests that need no program of Kubernetes'."""
ONE_PLATFORM = frozenset({"aim", "chainsaw", "guides", "kube"})
"""Folders of integration tests that share a simulated platform, which takes longer to make than many of them."""
ON_LAB_HOSTS = "on_hosts"
LONGEST = (
    SIM,
    LAB,
    "lint:ansible-lint",
    "unit",
    "integration:lab",
    f"molecule:{ON_LAB_HOSTS}",
    f"integration:{'+'.join(sorted(ONE_PLATFORM))}",
)
"""What begins before all others."""
NO_TESTS = 5
"""Pytest's exit code where its options select none; in other folders they do."""
LINTERS = {
    "ruff": (("ruff", "check", "."), ("ruff", "format", "--check", ".")),
    "mypy": (("mypy",),),
    "yamllint": (("yamllint", "--strict", "."),),
    "ansible-lint": (("ansible-lint", "--offline"),),
    "codespell": (("codespell",),),
    "shellcheck": (("shellcheck", "nox", ".ci/run"),),
}


def chosen(words: list[str], options: list[str]) -> list[Job]:
    """Return the jobs that words name, in the order in which they are to begin; all where nothing is named.

    Args:
        words: Parts, and jobs as ``part:name``.
        options: Further ones of pytest.

    Raises:
        ValueError: There is no such part or job, or this machine cannot have it.
    """
    asked: dict[str, list[str]] = {}
    for word in words or PARTS:
        part, _, name = word.partition(":")
        if part not in PARTS:
            raise ValueError(f"unknown part {part!r}: expected {', '.join(PARTS)} (pytest's own options after --)")
        asked.setdefault(part, []).append(name)
    jobs = [job for part in PARTS if part in asked for job in _jobs(part, _names(asked[part]), options)]
    needed = {name for job in jobs for name in job.after}
    jobs += [Job(name, partial(_get_programs, name), after) for name, after in _PROGRAMS.items() if name in needed]
    return sorted(jobs, key=lambda job: LONGEST.index(job.name) if job.name in LONGEST else len(LONGEST))


def _names(words: list[str]) -> list[str]:
    """Return the names of a part's jobs; none, for all, where the whole part is named, too."""
    return words if all(words) else []


_PROGRAMS = {SIM: frozenset[str](), LAB: frozenset({SIM})}


def _jobs(part: str, names: list[str], options: list[str]) -> list[Job]:
    if part == "lint":
        return [Job(f"lint:{name}", partial(_lint, name)) for name in _known("linter", names, list(LINTERS))]
    if part == "molecule":
        return _molecule(names)
    if part == "integration":
        folders = _known("folder of tests", names, integration_folders())
        together = [name for name in folders if name in ONE_PLATFORM]
        groups = [[name] for name in folders if name not in ONE_PLATFORM] + ([together] if together else [])
        return [_integration(group, options) for group in groups]
    if names:
        raise ValueError(f"{part}:{names[0]}: {part} is one job, and has no names")
    return [_alone(part, options)]


def _alone(part: str, options: list[str]) -> Job:
    if part == "unit":
        return Job(part, partial(_pytest, part, ["tests/unit"], options))
    if part == "pre_merge":
        return Job(part, _pre_merge, frozenset({SIM}))
    if missing := scenarios.missing_for_lab_hosts():
        return Job(part, partial(_not_run, ["pre_merge on lab"], missing))
    return Job(part, partial(_pre_merge, options=("--inventory", "lab")), frozenset({SIM, LAB}), labs=True)


def _known(what: str, names: list[str], known: list[str]) -> list[str]:
    for name in names:
        if name not in known:
            raise ValueError(f"unknown {what} {name!r}: expected {', '.join(known)}")
    return list(dict.fromkeys(names)) or known


def integration_folders() -> list[str]:
    """Return the folders of integration tests."""
    return sorted({file.parent.name for file in (ROOT / "tests/integration").glob("*/test_*.py")})


def _integration(folders: list[str], options: list[str]) -> Job:
    name = f"integration:{'+'.join(folders)}"
    work = partial(_pytest, name.replace(":", "-"), [f"tests/integration/{folder}" for folder in folders], options)
    if WITHOUT_A_PLATFORM.issuperset(folders):
        return Job(name, work)
    on_lab = "lab" in folders and not scenarios.missing_for_lab_hosts()
    return Job(name, work, frozenset({SIM, LAB} if on_lab else {SIM}), labs=on_lab)


def _molecule(names: list[str]) -> list[Job]:
    known = scenarios.read_scenarios(ROOT / "molecule")
    wanted = scenarios.scenarios_of(names, known)
    jobs = [
        Job(f"molecule:{name}", partial(scenarios.here, name), frozenset({SIM}))
        for name in wanted
        if not known[name].on_hosts
    ]
    hosted = [name for name in wanted if known[name].on_hosts]
    if not hosted:
        return jobs
    if missing := scenarios.missing_for_lab_hosts():
        if names:
            raise ValueError(f"lab hosts need {missing} on this machine, and {', '.join(hosted)} need lab hosts")
        return [*jobs, Job(f"molecule:{ON_LAB_HOSTS}", partial(_not_run, hosted, missing))]
    work = partial(scenarios.on_hosts, hosted)
    return [*jobs, Job(f"molecule:{ON_LAB_HOSTS}", work, frozenset({SIM, LAB}), labs=True)]


def _not_run(what: list[str], missing: str, _run: Run, _programs: Programs) -> Tally:
    return Tally(not_run=len(what), names=(f"{', '.join(what)}: lab hosts need {missing} on this machine",))


def _lint(name: str, run: Run, _programs: Programs) -> Tally:
    return Tally.of([(" ".join(command), run(*command)) for command in LINTERS[name]])


def _pytest(name: str, paths: list[str], options: list[str], run: Run, _programs: Programs) -> Tally:
    report = ROOT / ".nox/tests" / f"{name}.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    code = run(sys.executable, "-m", "pytest", *paths, "--color=no", f"--junit-xml={report}", *options)
    if code == NO_TESTS and options:
        return Tally()
    return read_tally(code, report)


def _pre_merge(run: Run, _programs: Programs, *, options: tuple[str, ...] = ()) -> Tally:
    words = ("run", "pre_merge", *options)
    return Tally.of([(" ".join(words), run(sys.executable, "-m", "proving_ground", *words))])


def _get_programs(name: str, run: Run, _programs: Programs) -> Tally:
    inventory = f"inventories/{name.partition(':')[2]}"
    code = run("ansible-playbook", "-i", inventory, "playbooks/tools.yml", group=True)
    # Programs that could be had are no test that passed.
    return Tally.of([(f"{name}: ansible-playbook playbooks/tools.yml", code)])._replace(passed=0)
