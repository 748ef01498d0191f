"""One autoscaling suite by itself, on a platform that is there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proving_ground.autoscaling.cadence import SYSTEM
from proving_ground.autoscaling.manifests import FOLDER
from proving_ground.contracts.events import EVENT, Ended
from proving_ground.errors import ConfigurationError, ExitCode, InfrastructureError
from proving_ground.pipeline.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SUITES = ("scaling", "learning", "accuracy")
QUICK = "pre_merge or nightly"
FULL = f"{QUICK} or weekly"
_PATIENCE = 90.0
"""Seconds that an interrupted suite has for its clean-up."""


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """What to run.

    Attributes:
        suite: One of `SUITES`.
        platform: Absolute path of platform.json.
        namespace: Where its objects go.
        marks: Mark expression: stages whose checks run.
        expression: Only checks that match it (pytest's ``-k``); empty: all.
        artifacts: Where checks leave files; None: nowhere.
    """

    suite: str
    platform: Path
    namespace: str
    marks: str = QUICK
    expression: str = ""
    artifacts: Path | None = None

    def command(self, root: Path, work: Path) -> list[str]:
        """Return the pytest command.

        Args:
            root: The project.
            work: A private folder for files of this call.
        """
        command = [
            sys.executable,
            "-m",
            "pytest",
            str(root / FOLDER / self.suite),
            f"--rootdir={root}",
            f"--platform={self.platform}",
            f"--events={work / 'events.jsonl'}",
            f"--artifacts-dir={self.artifacts or work}",
            f"--parameter={SYSTEM}.namespace={self.namespace}",
            "-p",
            "no:cacheprovider",
            "-m",
            self.marks,
            "-v",
            "--tb=short",
        ]
        return [*command, "-k", self.expression] if self.expression else command


def run(asked: SuiteRun) -> int:
    """Run a suite, its output on this process's own, and return the exit code.

    Raises:
        ConfigurationError: The project has no such suite.
        InfrastructureError: pytest cannot be started.
        KeyboardInterrupt: It was interrupted, after the suite had cleaned up.
    """
    root = Project.find().root
    if not (root / FOLDER / asked.suite / "suite.yml").is_file():
        raise ConfigurationError(f"there is no suite {asked.suite!r}", where=str(root / FOLDER))
    with tempfile.TemporaryDirectory(prefix="proving-ground-autoscaling-") as work:
        status = _call(asked.command(root, Path(work)), root)
        return exit_code(status, Path(work, "events.jsonl"))


def _call(command: list[str], root: Path) -> int:
    try:
        process = subprocess.Popen(
            command, cwd=root, stdin=subprocess.DEVNULL, env=os.environ | {"PYTHONUNBUFFERED": "1"}
        )
    except OSError as error:
        raise InfrastructureError(f"{command[0]} cannot be started: {error.strerror}") from error
    try:
        return process.wait()
    except KeyboardInterrupt:
        # A terminal's Ctrl-C went to both; a signal to this process alone is handed on.
        _end(process)
        raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let a suite clean up after an interrupt; a second one, or no end in time, ends it."""
    try:
        process.wait(1)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(_PATIENCE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()


def exit_code(status: int, events: Path) -> int:
    """Return the exit code of a suite: what the check that ended badly first says, else pytest's own status.

    Args:
        status: pytest's.
        events: The suite's event log.
    """
    if status == ExitCode.FAILED and events.is_file():
        with events.open("rb") as stream:
            first = next(_bad(stream), None)
        if first is not None and first.outcome == "error" and first.infrastructure:
            return ExitCode.INFRASTRUCTURE
    return ExitCode.of_pytest(status)


def _bad(lines: Iterable[bytes]) -> Iterator[Ended]:
    for line in lines:
        if line.endswith(b"\n"):
            event = EVENT.validate_json(line)
            if isinstance(event, Ended) and event.outcome in {"failed", "error"}:
                yield event
