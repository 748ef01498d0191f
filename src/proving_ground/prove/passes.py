"""One pass of a suite: a pytest process on the platform, with or without a fault."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import pydantic

from proving_ground.contracts.events import EVENT, Ended, Finished, NotSelected
from proving_ground.ownership.processes import tags
from proving_ground.plugin.event_log import Masking, read_masks
from proving_ground.prove.comparison import CheckOutcome

if TYPE_CHECKING:
    from pathlib import Path

    from proving_ground.contracts.suite import Suite

CLEANUP_SECONDS = 60.0
"""How long an interrupted pass may clean up."""
MASK_FILE = "mask.txt"
"""Secrets of the run, one in a line, in its private directory."""
_LINES = 60
_PYTEST_USAGE_ERROR = 4
_PYTEST_NOTHING_COLLECTED = 5
_JUDGED = (0, 1)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where passes run and leave what they found.

    Attributes:
        run_id: The run that the processes belong to.
        root: Working directory of the processes, and pytest's root.
        platform_file: platform.json.
        state_dir: Private directory of the run: event logs, outputs.
        values_files: Values files for Chainsaw tests.
    """

    run_id: str
    root: Path
    platform_file: Path
    state_dir: Path
    values_files: tuple[Path, ...] = ()


@dataclasses.dataclass(frozen=True)
class Pass:
    """One pass to make; ``fault`` None: without one."""

    suite: Suite
    directory: Path
    fault: str | None = None

    @property
    def name(self) -> str:
        """For progress lines and file names."""
        return f"{self.suite.name}-{self.fault or 'baseline'}"

    @property
    def marks(self) -> str:
        """Mark expression of the checks that are made; empty: all."""
        own = self.suite.faults[self.fault].marks if self.fault in self.suite.faults else ""
        return own or self.suite.prove.marks


@dataclasses.dataclass(frozen=True)
class PassResult:
    """What a pass came to.

    Attributes:
        outcomes: By check id.
        seconds: How long the process ran.
        problem: Why it could not be judged; empty if it could.
        configuration: Whether that problem is one of configuration.
        printed: The end of what pytest printed, without secrets; empty if the pass could be judged.
        left_out: Checks that the marks of the proof leave out.
    """

    outcomes: dict[str, CheckOutcome]
    seconds: float
    problem: str
    configuration: bool
    printed: str = ""
    left_out: frozenset[str] = frozenset()


def command(asked: Pass, place: Place, events: Path) -> list[str]:
    """Return the pytest command of a pass."""
    settings = asked.suite.prove
    words = [
        sys.executable,
        "-m",
        "pytest",
        str(asked.directory),
        f"--rootdir={place.root}",
        f"--platform={place.platform_file}",
        f"--events={events}",
        f"--state-dir={place.state_dir}",
        # Passes run beside each other, and what a suite generates is generated once for each.
        f"--artifacts-dir={events.parent / asked.name}",
        f"--parallel={settings.parallel}",
        f"--wait-limit={settings.wait_limit:g}",
        "-p",
        "no:cacheprovider",
        "-q",
    ]
    mask = place.state_dir / MASK_FILE
    if mask.is_file():
        words.append(f"--mask={mask}")
    if asked.marks:
        words += ["-m", asked.marks]
    words += [f"--allow-skip={code}" for code in settings.allowed_skips]
    words += [f"--parameter={key}={json.dumps(value)}" for key, value in settings.parameters.items()]
    words += [f"--values={path}" for path in place.values_files]
    if asked.fault is not None:
        words.append(f"--fault={asked.suite.told(asked.fault)}")
    return words


def read_pass(events: Path, seconds: float, status: int) -> PassResult:
    """Read the event log of an ended process."""
    outcomes: dict[str, CheckOutcome] = {}
    finished: Finished | None = None
    left_out: set[str] = set()
    lines = events.read_bytes().splitlines() if events.is_file() else []
    for line in lines:
        try:
            event = EVENT.validate_json(line)
        except pydantic.ValidationError:
            break  # The process died while it wrote; `finished` is missing then.
        if isinstance(event, Ended):
            outcomes[event.check] = CheckOutcome(event.outcome, event.message, event.infrastructure)
        elif isinstance(event, NotSelected) and event.reason == "mark":
            left_out.add(event.check)
        elif isinstance(event, Finished):
            finished = event
    problem, configuration = "", False
    if finished is None:
        problem = f"its process ended with status {status} before its event log was complete"
        configuration = status == _PYTEST_USAGE_ERROR
    elif finished.problem or finished.exit_status not in _JUDGED:
        problem = finished.problem or f"pytest ended with status {finished.exit_status}"
        configuration = finished.configuration or finished.exit_status in (
            _PYTEST_USAGE_ERROR,
            _PYTEST_NOTHING_COLLECTED,
        )
    return PassResult(outcomes, seconds, problem, configuration, left_out=frozenset(left_out))


def _end_of(log: Path, mask: Path) -> str:
    masking = Masking(read_masks([mask]) if mask.is_file() else ())
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES:]
    return masking.text("\n".join(lines))


def environment(place: Place) -> dict[str, str]:
    """Return the environment of a pass.

    Where Python is told to keep no bytecode (as in many container images), every pass would compile, and pytest
    rewrite, the same modules for a second; they share theirs in the state directory then, which goes with the run.
    """
    own = os.environ | tags(place.run_id, place.state_dir) | {"PYTHONUNBUFFERED": "1"}
    if own.pop("PYTHONDONTWRITEBYTECODE", ""):
        own["PYTHONPYCACHEPREFIX"] = str(place.state_dir / "prove" / "bytecode")
    return own


async def make(asked: Pass, place: Place) -> PassResult:
    """Run one pass to its end; cancelled, it lets the process clean up first."""
    folder = place.state_dir / "prove"
    folder.mkdir(parents=True, exist_ok=True)
    events, log = folder / f"{asked.name}.jsonl", folder / f"{asked.name}.log"
    events.unlink(missing_ok=True)
    began = time.monotonic()
    with log.open("wb") as stream:
        process = await asyncio.create_subprocess_exec(
            *command(asked, place, events),
            cwd=place.root,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stream,
            stderr=asyncio.subprocess.STDOUT,
            env=environment(place),
            start_new_session=True,
        )
    try:
        status = await process.wait()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLEANUP_SECONDS):
                await process.wait()
        raise
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    result = read_pass(events, time.monotonic() - began, status)
    if result.problem:
        result = dataclasses.replace(result, printed=_end_of(log, place.state_dir / MASK_FILE))
    return result
