"""The sessions: one for each stage of stages.yml, and those that look after the project itself.

    nox -l                                  what there is
    nox --usage nightly                     what a session does and takes
    nox -s nightly -- --inventory NAME      options stand after "--"

All sessions share one Python environment, .nox/env-<key>, keyed by requirements.lock and the Python.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree as ET

import nox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

ROOT = Path(__file__).resolve().parent
NOX = ROOT / ".nox"
LOCK = ROOT / "requirements.lock"
CONFIGURATION = 3
INTERRUPTED = 130
INTERRUPTIONS: list[int] = []
"""Signals that programs were handed; nothing further is started then."""
OWN_SESSIONS = ("tests", "lint", "molecule", "prove", "fuzz", "docs", "benchmark", "build")
TEST_PARTS = ("lint", "unit", "integration", "molecule", "pre_merge", "lab")
MOLECULE = ("molecule", "-c", "molecule/config.yml")
LAB_HOSTS = "default"
"""The scenario that creates and removes the hosts of others, as molecule would have it named."""

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["tests"]  # what nox alone does, as is usual
nox.options.error_on_missing_interpreters = True


# -- the environment -------------------------------------------------------------------------------------------------


def environment_key() -> str:
    """Return what the environment's name is made of: the lock, and the Python that it is for."""
    digest = hashlib.sha256(LOCK.read_bytes())
    digest.update(f"{sys.version}{platform.machine()}".encode())
    return digest.hexdigest()[:12]


def ensure_environment(session: nox.Session) -> dict[str, str]:
    """Make the shared environment unless it is complete, and return the variables that select it.

    Complete is what its marker says; one without a marker was interrupted and is made anew. A lock lets
    two calls at the same time make it once.
    """
    home = NOX / f"env-{environment_key()}"
    NOX.mkdir(exist_ok=True)
    with _locked(NOX / f"{home.name}.lock"):
        marker = home / "complete"
        if not marker.is_file():
            _make(session, home)
        # The project itself is installed again where its metadata, such as its console scripts, changed.
        state = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()).hexdigest()
        if not marker.is_file() or marker.read_text(encoding="utf-8") != state:
            _pip(session, home, "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
            marker.write_text(state, encoding="utf-8")
        collection = NOX / "collections" / "ansible_collections" / "proving" / "ground"
        if not collection.exists():
            collection.parent.mkdir(parents=True, exist_ok=True)
            collection.unlink(missing_ok=True)
            collection.symlink_to(ROOT, target_is_directory=True)
    return {
        "ANSIBLE_COLLECTIONS_PATH": str(NOX / "collections"),
        "PATH": os.pathsep.join([str(home / "bin"), os.environ.get("PATH", os.defpath)]),
        # Bytecode is kept, out of the tree, whatever the user's shell says: a stage starts some twenty Pythons,
        # and each takes twice as long without.
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(NOX / f"bytecode-{environment_key()}"),
        "VIRTUAL_ENV": str(home),
    }


def _make(session: nox.Session, home: Path) -> None:
    uv = _uv()
    how = "with uv, less than a minute" if uv else "with pip, some minutes"
    session.log(f"making the Python environment {home.relative_to(ROOT)} (once for each requirements.lock; {how})")
    began = time.monotonic()
    shutil.rmtree(home, ignore_errors=True)
    if uv:
        _quietly(session, [uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(home)])
    else:
        # virtualenv comes with nox and needs no ensurepip.
        _quietly(session, [sys.executable, "-m", "virtualenv", "--quiet", "--python", sys.executable, str(home)])
    _pip(session, home, "--require-hashes", "--requirement", str(LOCK))
    session.log(f"the Python environment took {time.monotonic() - began:.0f} s")


def _pip(session: nox.Session, home: Path, *arguments: str) -> None:
    uv, python = _uv(), str(home / "bin" / "python")
    install = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    _quietly(session, [*install, "--quiet", *arguments])


def _uv() -> str | None:
    """Return uv: beside this Python (the launcher brings it), or on PATH."""
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.is_file() else shutil.which("uv")


def _quietly(session: nox.Session, command: list[str]) -> None:
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        session.error(f"could not make the Python environment: {' '.join(command[:4])} ... failed, its reason is above")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


# -- running ---------------------------------------------------------------------------------------------------------


def run(
    session: nox.Session, env: dict[str, str], *command: str, group: bool = False, interruptible: bool = True
) -> int:
    """Run a program of the environment to its end, whatever that takes, and return its exit code.

    An interruption is handed to the program, which cleans up behind itself; ``session.run`` would kill it.

    Args:
        session: The session that runs it.
        env: Variables beside those of this process.
        command: The program and its arguments.
        group: An interruption is for the programs that it started, too; none of them outlives it.
        interruptible: Otherwise it goes on to its end, and nothing else is started after it.
    """
    session.log(" ".join(command))
    found = shutil.which(command[0], path=env["PATH"]) or command[0]
    process = subprocess.Popen([found, *command[1:]], cwd=ROOT, env={**os.environ, **env}, process_group=0)

    def hand_on(number: int, _frame: FrameType | None) -> None:
        INTERRUPTIONS.append(number)
        with contextlib.suppress(ProcessLookupError):
            if group:
                os.killpg(process.pid, number)
            elif interruptible:
                process.send_signal(number)

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        code = process.wait()
        if group and INTERRUPTIONS:
            _end_group(process.pid)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - code if code < 0 else code


def _end_group(group: int, seconds: float = 15.0) -> None:
    """Wait until all processes of a group have ended; kill what has not in time."""
    with contextlib.suppress(ProcessLookupError):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.05)
        os.killpg(group, signal.SIGKILL)


def leave(code: int) -> None:
    """End nox with the exit code of a program; nox itself would make a 1 of each failure."""
    if code:
        sys.stdout.flush()
        sys.exit(code)


def python_session(session: nox.Session, *arguments: str) -> None:
    """Run ``python`` with arguments and end as it ends."""
    leave(run(session, ensure_environment(session), "python", *arguments))


# -- stages ----------------------------------------------------------------------------------------------------------


def read_stages(text: str) -> dict[str, str]:
    """Return the descriptions of the stages in stages.yml, by name.

    nox brings no YAML, so that this reads its plain form only: below the line ``stages:``, names
    indented by two spaces, each with a line ``description:`` indented by four. What the pipeline reads
    with a YAML library is compared with it by a test.
    """
    stages: dict[str, str] = {}
    below, name = False, ""
    for line in text.splitlines():
        if re.match(r"\S", line) and not line.startswith("#"):
            below = line.split("#")[0].strip() == "stages:"
        elif below and (match := re.match(r" {2}([a-z][a-z0-9_]*):\s*(?:#.*)?$", line)):
            name = match[1]
            stages[name] = ""
        elif below and name and (match := re.match(r" {4}description:\s*(.+?)\s*$", line)):
            stages[name] = match[1].strip("\"'")
    return stages


STAGES = read_stages((ROOT / "stages.yml").read_text(encoding="utf-8"))
if clash := sorted(set(STAGES) & set(OWN_SESSIONS)):
    sys.exit(f"stages.yml: a stage cannot be called {clash[0]!r}: that is a session of the project")


def stages_asked_for(arguments: list[str]) -> list[str]:
    """Return the stages that the arguments of nox name; of several ``-s`` nox itself sees only the last."""
    names: list[str] = []
    taking = False
    for argument in arguments[: arguments.index("--")] if "--" in arguments else arguments:
        option, _, value = argument.partition("=")
        if option in {"-s", "-e", "--session", "--sessions"}:
            taking = True
            names.append(value)
        elif argument.startswith(("-s", "-e")):
            names.append(argument[2:])
        elif argument.startswith("-"):
            taking = False
        elif taking:
            names.append(argument)
    return [name for name in dict.fromkeys(names) if name in STAGES]


if len(asked := stages_asked_for(sys.argv[1:])) > 1:
    sys.stderr.write(f"nox: one stage in each call, found {' and '.join(asked)}: call nox once for each\n")
    sys.exit(CONFIGURATION)


def refuse_two_stages(session: nox.Session) -> None:
    """End with 3 where several stages were selected in other ways, such as keywords."""
    chosen = [
        name
        for runner, selected in session._runner.manifest.list_all_sessions()  # noqa: SLF001 - nox has no other way
        # One that has begun is selected no more.
        if (name := runner.name) in STAGES and (selected or name == session.name)
    ]
    if len(chosen) > 1:
        session.warn(f"one stage in each call, found {' and '.join(chosen)}: call nox once for each")
        sys.exit(CONFIGURATION)


def stage_session(name: str) -> Callable[[nox.Session], None]:
    """Return the session of a stage."""

    def stage(session: nox.Session) -> None:
        refuse_two_stages(session)
        python_session(session, "-m", "proving_ground", "run", name, *session.posargs)

    stage.__doc__ = f"""Stage: {STAGES[name]}.

    Options stand after "--":
      --inventory NAME|PATH   a folder below inventories/, or a path, instead of the stage's own
      --only SUITE            only this suite (repeatable)
      --keep                  leave the platform in place
      --run-id ID             name of the run
      --platform FILE         verify the platform of this platform.json, and make none
      --extra-vars VARS       variables for the playbooks
      --help                  all of them

    Ends with 0 all passed, 1 a check failed, 2 infrastructure, 3 configuration, 130 interrupted.
    Results are in artifacts/<run-id>/.
    """
    return stage


for _stage in STAGES:
    nox.session(name=_stage, venv_backend="none")(stage_session(_stage))


# -- the project itself ----------------------------------------------------------------------------------------------


@nox.session(venv_backend="none")
def tests(session: nox.Session) -> None:
    """Test the project: lint, unit, integration, molecule, and a run of the stage pre_merge on sim and on lab.

    What needs lab hosts is not run, and counted so, on a machine that cannot have them (no root).

    Name parts to run only these: nox -s tests -- unit integration. Further arguments of pytest stand after
    a second "--": nox -s tests -- unit -- -k cache. The last line counts what passed and failed.
    """
    refuse_two_stages(session)
    parts, _, further = _split(session.posargs)
    unknown = [part for part in parts if part not in TEST_PARTS]
    if unknown:
        session.warn(f"unknown part {unknown[0]!r}: expected {', '.join(TEST_PARTS)} (pytest's own options after --)")
        sys.exit(CONFIGURATION)
    env = ensure_environment(session)
    tallies: dict[str, Tally] = {}
    for part in [part for part in TEST_PARTS if part in parts or not parts]:
        began = time.monotonic()
        tallies[part] = tally = _test_part(session, env, part, further)
        session.log(f"{part}: {'failed' if tally.code else 'passed'} after {time.monotonic() - began:.0f} s")
        if INTERRUPTIONS:
            break
    sys.stderr.flush()
    failed = [part for part, tally in tallies.items() if tally.code]
    if failed:
        sys.stdout.write(f"failed: {', '.join(failed)}\n")
    counts = {field: sum(getattr(tally, field) for tally in tallies.values()) for field in Tally._fields[1:]}
    not_run = f", {counts['not_run']} not run" if counts["not_run"] else ""
    sys.stdout.write(f"{counts['passed']} passed, {counts['failed']} failed{not_run}\n")
    leave(INTERRUPTED if INTERRUPTIONS else next((tally.code for tally in tallies.values() if tally.code), 0))


def _split(arguments: list[str]) -> tuple[list[str], str, list[str]]:
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], "--", arguments[at + 1 :]


class Tally(NamedTuple):
    """What a part of the tests came to: its exit code, and how many tests, linters or scenarios passed and failed.

    What could not be run on this machine is neither.
    """

    code: int
    passed: int
    failed: int
    not_run: int = 0

    @classmethod
    def of(cls, codes: list[int]) -> Tally:
        """Count each exit code as one."""
        failed = [code for code in codes if code]
        return cls(failed[0] if failed else 0, len(codes) - len(failed), len(failed))


def _test_part(session: nox.Session, env: dict[str, str], part: str, further: list[str]) -> Tally:
    if part == "lint":
        return Tally.of(_lint(session, env))
    if part == "molecule":
        return _molecule(session, env, [])
    if part == "pre_merge":
        return Tally.of([run(session, env, "python", "-m", "proving_ground", "run", "pre_merge")])
    if part == "lab":
        if missing := missing_for_lab_hosts():
            session.warn(f"not run, for lab hosts need {missing} on this machine: pre_merge on lab")
            return Tally(0, 0, 0, not_run=1)
        return Tally.of([run(session, env, "python", "-m", "proving_ground", "run", "pre_merge", "--inventory", "lab")])
    report = NOX / f"tests-{part}.xml"
    report.unlink(missing_ok=True)
    code = run(session, env, "python", "-m", "pytest", f"tests/{part}", "--color=no", f"--junit-xml={report}", *further)
    return read_tally(code, report)


def read_tally(code: int, report: Path) -> Tally:
    """Return the counts of a pytest run; one failure where it came to no report."""
    try:
        suites = list(ET.parse(report).getroot().iter("testsuite"))  # noqa: S314 - pytest has just written it
    except (OSError, ET.ParseError):
        return Tally(code, 0, 1 if code else 0)
    total, skipped, *broken = (
        sum(int(suite.get(field, "0")) for suite in suites) for field in ("tests", "skipped", "failures", "errors")
    )
    return Tally(code, max(0, total - skipped - sum(broken)), sum(broken))


LINTERS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("yamllint", "--strict", "."),
    ("ansible-lint", "--offline"),
    ("codespell",),
    ("shellcheck", "nox", ".ci/run"),
)


@nox.session(venv_backend="none")
def lint(session: nox.Session) -> None:
    """Lint every language in the tree; changes nothing. Name linters to run only these: nox -s lint -- ruff mypy."""
    refuse_two_stages(session)
    leave(Tally.of(_lint(session, ensure_environment(session), set(session.posargs))).code)


def _lint(session: nox.Session, env: dict[str, str], only: set[str] | None = None) -> list[int]:
    wanted = [command for command in LINTERS if not only or command[0] in only]
    return [run(session, env, *command) for command in wanted if not INTERRUPTIONS]


@nox.session(venv_backend="none")
def molecule(session: nox.Session) -> None:
    """Run molecule's scenarios of the roles, with idempotence. Name roles or scenarios to run only these.

    Those on lab hosts need root; where that or something else is missing, the others are run, and it is said.
    """
    refuse_two_stages(session)
    tally = _molecule(session, ensure_environment(session), session.posargs)
    leave(INTERRUPTED if INTERRUPTIONS else tally.code)


class Scenario(NamedTuple):
    """What a molecule.yml says of its scenario: whether it is on lab hosts, and the roles that it is for."""

    on_hosts: bool
    roles: list[str]


def read_scenarios(folder: Path) -> dict[str, Scenario]:
    """Return molecule's scenarios by name.

    Those on lab hosts have a line ``shared_state: true`` in their molecule.yml; the scenario ``default`` makes these
    hosts, and is none by itself. A scenario is for the role of its name, or those of its lines ``# covers:``.
    """
    found = {}
    for file in sorted(folder.glob("*/molecule.yml")):
        text = file.read_text(encoding="utf-8")
        covers = re.findall(r"^# covers: *(.+?),?\s*$", text, re.MULTILINE)
        roles = [role for line in covers for role in re.split(r",\s*", line)]
        found[file.parent.name] = Scenario(
            bool(re.search(r"^shared_state: *true\b", text, re.MULTILINE)), roles or [file.parent.name]
        )
    found.pop(LAB_HOSTS, None)
    return found


def scenarios_of(wanted: list[str], known: dict[str, Scenario]) -> list[str]:
    """Return the scenarios that roles or scenarios name, each once; all where none is named.

    Raises:
        KeyError: Something is named that is neither.
    """
    found: dict[str, None] = {}
    for word in wanted or known:
        named = [name for name, scenario in known.items() if word == name or word in scenario.roles]
        if not named:
            raise KeyError(word)
        found.update(dict.fromkeys(named))
    return list(found)


def missing_for_lab_hosts() -> str:
    """Say what this machine lacks for lab hosts, or nothing; the role lab_hosts looks closer."""
    if os.geteuid():
        return "root"
    command = ["unshare", "--mount", "--pid", "--fork", "true"]
    if not shutil.which("unshare") or subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode:
        return "namespaces"
    return "" if shutil.which("podman") or shutil.which("apt-get") else "podman"


def _molecule(session: nox.Session, env: dict[str, str], wanted: list[str]) -> Tally:
    """Run scenarios: first those that this machine has everything for, then those on lab hosts."""
    known = read_scenarios(ROOT / "molecule")
    try:
        names = scenarios_of(wanted, known)
    except KeyError as error:
        session.warn(f"unknown scenario {error}: expected {', '.join(known)}, or a role that one of them is for")
        sys.exit(CONFIGURATION)
    here = [name for name in names if not known[name].on_hosts]
    on_hosts = [name for name in names if known[name].on_hosts]
    missing = missing_for_lab_hosts() if on_hosts else ""
    if missing:
        session.warn(f"not run, for lab hosts need {missing} on this machine: {', '.join(on_hosts)}")
        if wanted:
            sys.exit(CONFIGURATION)
    codes: list[int] = []
    with _locked(NOX / "molecule.lock"):  # molecule has one directory for each scenario, whoever runs it
        for name in here:
            if INTERRUPTIONS:
                break
            codes.append(run(session, env, *MOLECULE, "test", "--scenario-name", name, group=True))
            if INTERRUPTIONS:
                run(session, env, *MOLECULE, "destroy", "--scenario-name", name, interruptible=False)
        if on_hosts and not missing and not INTERRUPTIONS:
            codes += _molecule_on_hosts(session, env, on_hosts)
    return Tally.of(codes)._replace(not_run=len(on_hosts) if missing else 0)


def _molecule_on_hosts(session: nox.Session, env: dict[str, str], names: list[str]) -> list[int]:
    """Run scenarios on hosts that the first of them creates; remove the hosts, whatever happens."""
    lab = [*MOLECULE, "-c", "molecule/lab.yml"]
    codes: list[int] = []

    def destroy() -> None:
        code = run(session, env, *lab, "destroy", "--scenario-name", LAB_HOSTS, interruptible=False)
        codes.extend([code] if code else [])

    # What a call that was killed has left would be taken for hosts as they should be.
    destroy()
    try:
        for name in names:
            if INTERRUPTIONS:
                break
            codes.append(run(session, env, *lab, "test", "--destroy", "never", "--scenario-name", name, group=True))
            if codes[-1] and name != names[-1] and not INTERRUPTIONS:
                destroy()  # the next is to find hosts as they should be
    finally:
        destroy()
    return codes


@nox.session(venv_backend="none")
def prove(session: nox.Session) -> None:
    """Run the suites under each fault, and show that every check can fail (options after "--")."""
    refuse_two_stages(session)
    python_session(session, "-m", "proving_ground", "prove", *session.posargs)


@nox.session(venv_backend="none")
def fuzz(session: nox.Session) -> None:
    """Send an inference server requests that nobody would write, and judge its answers (URL and options after "--")."""
    refuse_two_stages(session)
    python_session(session, "-m", "proving_ground", "fuzz", *session.posargs)


@nox.session(venv_backend="none")
def docs(session: nox.Session) -> None:
    """Make the generated pages of docs/ anew: JSON schemas, roles, stages."""
    refuse_two_stages(session)
    python_session(session, "-m", "proving_ground", "docs", *session.posargs)


@nox.session(venv_backend="none")
def benchmark(session: nox.Session) -> None:
    """Measure this project and print a table and JSON (names of measurements after "--")."""
    refuse_two_stages(session)
    python_session(session, "benchmarks", *session.posargs)


@nox.session(venv_backend="none")
def build(session: nox.Session) -> None:
    """Build the collection proving.ground and the Python package into dist/."""
    refuse_two_stages(session)
    env = ensure_environment(session)
    leave(run(session, env, "ansible-galaxy", "collection", "build", "--force", "--output-path", "dist"))
    leave(run(session, env, "python", "-m", "hatchling", "build", "-t", "wheel"))
