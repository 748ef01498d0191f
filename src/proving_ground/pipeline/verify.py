"""The verify phase: one pytest process for each suite, each writing an event log."""

from __future__ import annotations

import fnmatch
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proving_ground.contracts.events import EVENT, Ended, Finished, Noted, Started
from proving_ground.contracts.gates import GATES_FILE, gates_json
from proving_ground.errors import ConfigurationError
from proving_ground.files import write_atomically
from proving_ground.ownership.processes import tags
from proving_ground.pipeline.project import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from proving_ground.contracts.platform import Platform
    from proving_ground.contracts.stages import Stage
    from proving_ground.pipeline.options import RunOptions
    from proving_ground.pipeline.probing import ClusterWatch
    from proving_ground.pipeline.progress import Progress
    from proving_ground.pipeline.project import FoundSuite
    from proving_ground.pipeline.stopping import Stopping
    from proving_ground.pipeline.timeline import Timeline

_POLL = 0.05
# A suite's clean-up: namespaces take about six seconds to go, with real pods on a busy machine up to a minute.
_CLEANUP_LIMIT = 90.0
_CLEANUP_PATIENCE = 105.0
# Where a cluster is lost there is nothing to clean up in it.
_LOST_PATIENCE = 20.0
_GROUP_PATIENCE = 5.0


@dataclass
class SuiteProcess:
    """A suite's pytest process and what its event log has told so far."""

    suite: FoundSuite
    events: Path
    log: Path
    process: subprocess.Popen[bytes]
    started: float
    position: int = 0
    finished: Finished | None = None
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Selection:
    """Which suites of the project run.

    Attributes:
        selected: They run.
        left_out: Name of a suite -> why it does not run here.
    """

    selected: tuple[FoundSuite, ...]
    left_out: dict[str, str]


def check_names(suites: Sequence[FoundSuite], only: Sequence[str]) -> None:
    """Check that suites exist.

    Raises:
        ConfigurationError: ``only`` names one that does not.
    """
    names = [suite.definition.name for suite in suites]
    for name in only:
        if name not in names:
            raise ConfigurationError(f"suite {name!r} does not exist", where="--only", hint=nearest(name, names))


def select_suites(suites: Sequence[FoundSuite], stage: Stage, only: Sequence[str], platform: Platform) -> Selection:
    """Choose the suites of a stage that this platform can be judged by.

    Raises:
        ConfigurationError: ``only`` names a suite that does not exist, or nothing is left.
    """
    check_names(suites, only)
    selected, left_out = [], {}
    for suite in suites:
        definition = suite.definition
        missing = [system for system in definition.systems if system not in platform.systems]
        lacking = [name for name in definition.capabilities if name not in platform.capabilities.promised]
        if only and definition.name not in only:
            left_out[definition.name] = "not named by --only"
        elif not any(fnmatch.fnmatchcase(definition.name, pattern) for pattern in stage.suites):
            left_out[definition.name] = "not of this stage"
        elif missing:
            left_out[definition.name] = f"system not on this platform: {', '.join(missing)}"
        elif lacking:
            left_out[definition.name] = f"capability not promised: {', '.join(lacking)}"
        else:
            selected.append(suite)
    if not selected:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise ConfigurationError(f"no suite is selected ({reasons or 'the project has none'})", where="stages.yml")
    return Selection(tuple(selected), left_out)


class Verifier:
    """Runs the suites of a run, exclusive ones alone.

    Args:
        root: The project.
        state: Private state directory of the run.
        artifacts: Artifacts directory of the run.
        platform_file: platform.json.
        most: Most checks of a suite under way at once that the platform bears; 0: as many as the suite wants.
        options: What was asked.
        stage: The stage.
        progress: Told of checks as they end.
        timeline: Told of suites, checks and notes.
        stopping: Asked whether to stop.
        clusters: Asked whether a cluster was lost, which ends the suites.
    """

    def __init__(
        self,
        *,
        root: Path,
        state: Path,
        artifacts: Path,
        platform_file: Path,
        most: int = 0,
        options: RunOptions,
        stage: Stage,
        progress: Progress,
        timeline: Timeline,
        stopping: Stopping,
        clusters: ClusterWatch,
    ) -> None:
        self._root = root
        self._state = state
        self._artifacts = artifacts
        self._platform_file = platform_file
        self._most = most
        self._options = options
        self._stage = stage
        self._progress = progress
        self._timeline = timeline
        self._stopping = stopping
        self._clusters = clusters
        self._directory = state / "verify"
        self._directory.mkdir(exist_ok=True)

    def run(self, suites: Sequence[FoundSuite]) -> list[SuiteProcess]:
        """Run the suites to their end, or until the run has to stop or a cluster is lost."""
        write_atomically(self._state / GATES_FILE, gates_json(self._stage.gates), mode=0o600)
        shared = [suite for suite in suites if not suite.definition.exclusive]
        batches = [shared] if shared else []
        batches += [[suite] for suite in suites if suite.definition.exclusive]
        done: list[SuiteProcess] = []
        for batch in batches:
            if not self._ends:
                done += self._run_together(batch)
        return done

    @property
    def _ends(self) -> bool:
        return self._stopping.reason is not None or self._clusters.lost is not None

    def _run_together(self, suites: Sequence[FoundSuite]) -> list[SuiteProcess]:
        waiting = list(suites)
        running: list[SuiteProcess] = []
        done: list[SuiteProcess] = []
        asked_at: float | None = None
        limit = max(2, os.cpu_count() or 1)
        while running or (waiting and asked_at is None):
            while waiting and asked_at is None and len(running) < limit:
                running.append(self._start(waiting.pop(0)))
            if asked_at is None and self._ends:
                asked_at = time.monotonic()
                for suite in running:
                    suite.process.send_signal(signal.SIGINT)
            patience = _LOST_PATIENCE if self._clusters.lost is not None else _CLEANUP_PATIENCE
            if asked_at is not None and time.monotonic() > asked_at + patience:
                for suite in running:
                    _kill_group(suite.process)
            for suite in list(running):
                ended = suite.process.poll() is not None
                self._follow(suite)
                if ended:
                    running.remove(suite)
                    done.append(suite)
                    self._report_end(suite)
            if running:
                self._progress.step(_status(running))
                time.sleep(_POLL)
        return done

    def _start(self, suite: FoundSuite) -> SuiteProcess:
        name = suite.definition.name
        events = self._directory / f"{name}.events.jsonl"
        log = self._directory / f"{name}.log"
        self._timeline.add("suite", name, "started")
        with log.open("wb") as stream:
            process = subprocess.Popen(
                self.command(suite, events),
                cwd=self._root,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=os.environ | tags(self._options.run_id, self._state) | {"PYTHONUNBUFFERED": "1"},
                # Ctrl-C goes to the pipeline, which asks the suites to stop and waits for them.
                start_new_session=True,
            )
        return SuiteProcess(suite=suite, events=events, log=log, process=process, started=time.monotonic())

    def _bearable(self, wanted: int) -> int:
        """Return how many checks of a suite may be under way at once on this platform."""
        return min(wanted, self._most) if self._most else wanted

    def command(self, suite: FoundSuite, events: Path) -> list[str]:
        """Return the pytest command of a suite."""
        options = self._options
        command = [
            sys.executable,
            "-m",
            "pytest",
            str(suite.directory),
            f"--rootdir={self._root}",
            f"--platform={self._platform_file}",
            f"--events={events}",
            f"--state-dir={self._state}",
            f"--artifacts-dir={self._artifacts}",
            f"--mask={self._state / 'mask.txt'}",
            f"--parallel={options.parallel or self._bearable(suite.definition.parallel)}",
            f"--engine={options.engine}",
            f"--cleanup-limit={_CLEANUP_LIMIT:g}",
            "-o",
            f"cache_dir={self._state / 'pytest-cache'}",
            "-q",
        ]
        command += [f"--allow-skip={code}" for code in self._stage.allowed_skips]
        if self._stage.marks:
            command += ["-m", self._stage.marks]
        if options.expression:
            command += ["-k", options.expression]
        if options.fault:
            command += [f"--fault={suite.definition.told(options.fault)}"]
        if options.wait_limit:
            command += [f"--wait-limit={options.wait_limit}"]
        if options.values:
            command += [f"--values={options.values}"]
        return command

    def _follow(self, suite: SuiteProcess) -> None:
        """Read what the event log gained, and tell it."""
        if not suite.events.exists():
            return
        with suite.events.open("rb") as stream:
            stream.seek(suite.position)
            for line in stream:
                if not line.endswith(b"\n"):
                    break
                suite.position += len(line)
                self._tell(suite, line)

    def _tell(self, suite: SuiteProcess, line: bytes) -> None:
        event = EVENT.validate_json(line)
        if isinstance(event, Started):
            self._timeline.add("check", event.check, "started", at=event.time)
            suite.counts["running"] = suite.counts.get("running", 0) + 1
        elif isinstance(event, Ended):
            self._timeline.add("check", event.check, "ended", outcome=event.outcome, at=event.time)
            suite.counts[event.outcome] = suite.counts.get(event.outcome, 0) + 1
            suite.counts["running"] = max(0, suite.counts.get("running", 0) - 1)
            self._progress.ended(event.check, event.outcome, event.duration, event.message)
        elif isinstance(event, Noted):
            self._timeline.add(event.kind, event.subject, "noted", detail=event.detail, at=event.time)
        elif isinstance(event, Finished):
            suite.finished = event

    def _report_end(self, suite: SuiteProcess) -> None:
        _kill_group(suite.process)
        name = suite.suite.definition.name
        outcome = "finished" if suite.finished is not None else "died"
        self._timeline.add("suite", name, "ended", outcome=outcome)


def _status(running: Sequence[SuiteProcess]) -> str:
    parts = []
    for suite in running:
        counts = ", ".join(f"{count} {name}" for name, count in suite.counts.items() if count)
        parts.append(f"{suite.suite.definition.name}: {counts or 'collecting'}")
    return "; ".join(parts)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End what a suite's process left in its own session."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
    process.wait(_GROUP_PATIENCE)
