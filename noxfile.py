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
from typing import TYPE_CHECKING

import nox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

ROOT = Path(__file__).resolve().parent
NOX = ROOT / ".nox"
LOCK = ROOT / "requirements.lock"
CONFIGURATION = 3
OWN_SESSIONS = ("tests", "lint", "molecule", "prove", "fuzz", "aiperf", "docs", "benchmark", "build")

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


def run(session: nox.Session, env: dict[str, str], *command: str) -> int:
    """Run a program of the environment to its end, whatever that takes, and return its exit code.

    An interruption is handed to the program, which cleans up behind itself; ``session.run`` would kill it.
    """
    session.log(" ".join(command))
    found = shutil.which(command[0], path=env["PATH"]) or command[0]
    process = subprocess.Popen([found, *command[1:]], cwd=ROOT, env={**os.environ, **env}, process_group=0)

    def hand_on(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - code if code < 0 else code


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

    Jobs run side by side, as many as there are cores (--jobs N for another number). Name parts or jobs to run only
    these: nox -s tests -- unit integration:aim. Further arguments of pytest stand after a second "--":
    nox -s tests -- unit -- -k cache. The last line counts what passed and failed.
    """
    refuse_two_stages(session)
    python_session(session, "tests/session", *session.posargs)


@nox.session(venv_backend="none")
def lint(session: nox.Session) -> None:
    """Lint every language in the tree; changes nothing. Name linters to run only these: nox -s lint -- ruff mypy."""
    refuse_two_stages(session)
    python_session(session, "tests/session", *([f"lint:{name}" for name in session.posargs] or ["lint"]))


@nox.session(venv_backend="none")
def molecule(session: nox.Session) -> None:
    """Run molecule's scenarios of the roles, with idempotence. Name roles or scenarios to run only these.

    Those on lab hosts need root; where that or something else is missing, the others are run, and it is said.
    """
    refuse_two_stages(session)
    python_session(session, "tests/session", *([f"molecule:{name}" for name in session.posargs] or ["molecule"]))


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
def aiperf(session: nox.Session) -> None:
    """Measure an inference server with AIPerf, made when first needed (--url URL and options after "--")."""
    refuse_two_stages(session)
    python_session(session, "-m", "proving_ground", "aiperf", *session.posargs)


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
