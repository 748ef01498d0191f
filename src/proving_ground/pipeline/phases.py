"""A phase of a run: one playbook, run by ansible-runner in a fresh private data directory."""

from __future__ import annotations

import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from proving_ground.ownership.processes import PHASE_TAG, carrying, end, tags
from proving_ground.pipeline.failed_task import describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from proving_ground.ownership.processes import ProcessId
    from proving_ground.pipeline.progress import Progress
    from proving_ground.pipeline.stopping import Stopping

PhaseStatus = Literal["passed", "failed", "interrupted", "timed_out"]

# A task that failed shows its whole result as text after these; people need the message only.
_ERROR_LINE = re.compile(r"^(?:\x1b\[[0-9;]*m)*\[?ERROR\]?!?:? *(?P<text>.*?)(?:\x1b\[[0-9;]*m)*$", re.MULTILINE)
_MESSAGE_LIMIT = 2000


@dataclass(frozen=True)
class PhaseContext:
    """What every playbook of a run gets.

    Attributes:
        root: The project.
        state: Private state directory of the run.
        run_id: The run.
        inventories: Absolute paths, the given one first.
        variables: Extra variables.
    """

    root: Path
    state: Path
    run_id: str
    inventories: tuple[Path, ...]
    variables: dict[str, Any]


def is_inventory(path: Path) -> bool:
    """Return whether Ansible finds anything to read there; what a run generates is empty before it and after it."""
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


@dataclass(frozen=True)
class PhaseOutcome:
    """How a phase ended.

    Attributes:
        name: The phase, which is the playbook's name.
        status: How it ended.
        duration: Seconds.
        cause: One line: which task failed on which host, and its message; empty if it passed.
        detail: Everything that the failed task returned, for the log.
    """

    name: str
    status: PhaseStatus
    duration: float
    cause: str = ""
    detail: str = ""


class _Events:
    """Keeps what people need of ansible-runner's event stream."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._first_host: str | None = None
        self.cause = ""
        self.detail = ""
        self.log: list[str] = []

    def __call__(self, event: dict[str, Any]) -> bool:
        kind = event.get("event", "")
        data = event.get("event_data", {})
        text = event.get("stdout", "")
        if text:
            self.log.append(text)
        if kind == "playbook_on_task_start" and self._progress is not None:
            role = data.get("role") or ""
            task = data.get("name") or data.get("task") or ""
            self._progress.step(f"{role}: {task}" if role and not task.startswith(role) else task)
        elif kind in {"runner_on_failed", "runner_on_unreachable"} and not data.get("ignore_errors"):
            host = data.get("host", "")
            # The last failure of the host that failed first: a rescue fails again, with the better words.
            if self._first_host in {None, host}:
                self._first_host = host
                self.cause, self.detail = describe(data, unreachable=kind.endswith("unreachable"))
        return True


def collections_path(state: Path, root: Path) -> Path:
    """Return a directory in which ansible finds the project as the collection ``proving.ground``."""
    path = state / "collections"
    link = path / "ansible_collections/proving/ground"
    if not link.is_symlink():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(root, target_is_directory=True)
    return path


def environment(context: PhaseContext) -> dict[str, str]:
    """Return the environment variables that ansible gets beside the caller's own."""
    temporary = context.state / "tmp"
    temporary.mkdir(exist_ok=True)
    # An empty file, so that no ansible.cfg of the user or of the working directory changes a run.
    configuration = context.state / "ansible.cfg"
    configuration.touch()
    return tags(context.run_id, context.state) | {
        "ANSIBLE_COLLECTIONS_PATH": str(collections_path(context.state, context.root)),
        "ANSIBLE_CONFIG": str(configuration),
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
        "ANSIBLE_HOME": str(context.state / "ansible"),
        # ansible-runner turns host key checking off unless it is told.
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "True",
        "ANSIBLE_LOCAL_TEMP": str(temporary),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_REMOTE_TMP": str(temporary),
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONWARNINGS": "ignore",
    }


def run_phase(
    name: str,
    context: PhaseContext,
    *,
    stopping: Stopping | None = None,
    progress: Progress | None = None,
    log: Path | None = None,
) -> PhaseOutcome:
    """Run the playbook ``playbooks/<name>.yml``.

    Args:
        name: The phase.
        context: What every playbook of the run gets.
        stopping: Asked several times a second whether to stop; never stops if absent.
        progress: Told the name of each task.
        log: File that gets ansible's output, in the private state directory.

    Returns:
        How it ended; a playbook that fails is an outcome, not an exception.
    """
    import ansible_runner  # noqa: PLC0415 - 0.3 s that only phases need

    begin = time.monotonic()
    events = _Events(progress)
    stopped: list[str] = []

    def asked_to_stop() -> bool:
        reason = stopping.reason if stopping is not None else None
        if reason is not None:
            stopped.append(reason)
        return reason is not None

    private = context.state / "runner" / f"{name}-{time.monotonic_ns()}"
    mark = {PHASE_TAG: str(private)}
    private.mkdir(parents=True, mode=0o700)
    runner = ansible_runner.run(
        private_data_dir=str(private),
        project_dir=str(context.root),
        playbook=str(context.root / "playbooks" / f"{name}.yml"),
        inventory=[str(path) for path in context.inventories],
        extravars=context.variables,
        envvars=environment(context) | mark,
        suppress_env_files=True,
        event_handler=events,
        cancel_callback=asked_to_stop,
        quiet=True,
    )
    duration = time.monotonic() - begin
    output = "\n".join(events.log)
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(output + "\n", encoding="utf-8", errors="backslashreplace")
    if stopped:
        # The cancel killed ansible, not what a module had started (a compiler, say).
        end(_started_by(mark, context.state))
        status: PhaseStatus = "interrupted" if stopped[0] == "interrupted" else "timed_out"
        return PhaseOutcome(name, status, duration, f"{name} was stopped: {stopped[0]}")
    if runner.rc == 0 and runner.stats is not None:
        return PhaseOutcome(name, "passed", duration)
    cause = events.cause or _last_error(output) or _last_error(_raw_output(runner)) or f"ansible ended with {runner.rc}"
    return PhaseOutcome(name, "failed", duration, cause, events.detail or output[-_MESSAGE_LIMIT:])


def _daemons(state: Path) -> Callable[[int], bool]:
    """Return whether a process belongs to a supervisor of the run, which destroy stops in good order."""
    leaders = {int(text) for file in state.glob("**/supervisord.pid") if (text := _read(file).strip()).isdigit()}

    def is_daemon(pid: int) -> bool:
        return pid in leaders or _parent(pid) in leaders

    return is_daemon


def _started_by(mark: dict[str, str], state: Path) -> list[ProcessId]:
    """Return what a phase started and nobody else looks after; suites and other phases of the run are not its own."""
    is_daemon = _daemons(state)
    return [process for process in carrying(mark) if not is_daemon(process.pid)]


def end_phases(state: Path) -> None:
    """End what the phases of a run go on with whose own process is gone, or they would make what is being removed.

    Args:
        state: Private state directory of the run.
    """
    for private in (state / "runner").glob("*"):
        end(_started_by({PHASE_TAG: str(private)}, state))


def _parent(pid: int) -> int:
    text = _read(Path(f"/proc/{pid}/stat"))
    return int(text[text.rindex(")") + 2 :].split()[1]) if ")" in text else 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _raw_output(runner: Any) -> str:
    stdout = Path(runner.config.artifact_dir) / "stdout"
    return _read(stdout)


def _last_error(output: str) -> str:
    found = [match["text"].strip() for match in _ERROR_LINE.finditer(output)]
    return found[0] if found else ""
