"""Runs AIPerf, bounded in time, in an environment of its own, and reads what it measured."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.history.fingerprint import of_this_machine
from proving_ground.history.importing.origin import Origin
from proving_ground.load.aiperf.plan import words
from proving_ground.load.aiperf.result import failed_of, measured_of, told
from proving_ground.ownership.state import cache_home
from proving_ground.servers.environment import ensure
from proving_ground.servers.tool import OUTPUT, inherited, running

if TYPE_CHECKING:
    from collections.abc import Callable

    from proving_ground.load.aiperf.plan import Plan
    from proving_ground.load.measured.result import Measured

LOCK = Path(__file__).with_name("aiperf.lock")
EXPORT = "profile_export_aiperf.json"
_RECORDS = "profile_export.jsonl"
_TOKENIZER = Path(__file__).with_name("make_tokenizer.py")
_START_SECONDS = 240.0
"""Its processes start, write prompts and end within this; it counts for no duration."""
_STOP_SECONDS = 20.0
_SHOWN = 300
_LONGEST_PLACE = 24


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        measured: What was measured; absent until it is known.
        export: What AIPerf wrote; absent where no request was answered well.
        origin: Of that, to import it.
    """

    measured: Measured | None = None
    export: dict[str, Any] | None = None
    origin: Origin | None = None


async def measure(
    plan: Plan,
    *,
    say: Callable[[str], None],
    cache: Path | None = None,
    artifacts: Path | None = None,
    outcome: Outcome | None = None,
) -> Outcome:
    """Send a load with AIPerf, and return what it measured.

    Args:
        plan: What to send.
        say: Told what takes long.
        cache: Directory that keeps the environment; the user's cache if absent.
        artifacts: Directory that keeps what AIPerf writes; gone afterwards if absent.
        outcome: Where what was measured goes, also where this call is cancelled.

    Raises:
        ConfigurationError: The plan is out of its bounds, or `artifacts` is not empty.
        InfrastructureError: The environment cannot be made, or AIPerf broke.
    """
    plan.check()
    found = outcome if outcome is not None else Outcome()
    if artifacts is not None:
        _check_empty(artifacts)
    environment = await asyncio.to_thread(ensure, LOCK, cache or cache_home() / "servers", say=say)
    with tempfile.TemporaryDirectory(prefix="proving-ground-", dir=_place(), ignore_cleanup_errors=True) as folder:
        work = Path(folder)
        tokenizer = plan.tokenizer or str(await _made_tokenizer(environment.python, work))
        command = [str(environment.python.with_name("aiperf")), *words(plan, tokenizer, work / "artifacts")]
        try:
            code = await _run(command, plan, work)
        except asyncio.CancelledError:
            _read(plan, work, found, interrupted=True)
            raise
        finally:
            if artifacts is not None and (work / "artifacts").is_dir():
                await asyncio.to_thread(shutil.copytree, work / "artifacts", artifacts, dirs_exist_ok=True)
        _read(plan, work, found, interrupted=code is None)
        if found.measured is None:
            how = "did not end in time" if code is None else f"ended with {code} and no result"
            raise InfrastructureError(f"aiperf {how}, and said last: {_last(work / OUTPUT)}", where=plan.url)
    return found


def _place() -> str | None:
    """Return where the folder for all it writes is: its sockets lie there, whose names have 107 bytes at most."""
    shortest = "/tmp"  # noqa: S108 - the folder in it is made safely
    return shortest if len(tempfile.gettempdir()) > _LONGEST_PLACE and os.access(shortest, os.W_OK) else None


def _check_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError("expected a folder that is empty or absent", where=str(folder))


async def _made_tokenizer(python: Path, work: Path) -> Path:
    folder = work / "tokenizer"
    folder.mkdir()
    process = await asyncio.create_subprocess_exec(
        str(python),
        str(_TOKENIZER),
        str(folder),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    if process.returncode:
        last = errors.decode(errors="replace").strip().splitlines()[-1:] or ["nothing"]
        raise InfrastructureError(f"the tokenizer for aiperf could not be made: {last[0][:_SHOWN]}")
    return folder


def _environment(plan: Plan, work: Path) -> dict[str, str]:
    # No key is sent that was not given.
    kept = inherited(without=("OPENAI_API_KEY", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    scratch = work / "t"
    scratch.mkdir(exist_ok=True)
    kept |= {"TMPDIR": str(scratch), "HF_HUB_DISABLE_TELEMETRY": "1", "COLUMNS": "200"}
    if not plan.tokenizer:
        kept["HF_HOME"] = str(scratch)
    if plan.token:
        kept["OPENAI_API_KEY"] = plan.token
    if plan.ca:
        kept["SSL_CERT_FILE"] = plan.ca
    return kept


async def _run(command: list[str], plan: Plan, work: Path) -> int | None:
    """Let AIPerf measure, and return its exit code; none where it did not end in time."""
    limit = _START_SECONDS + plan.warm_up + plan.seconds + 2 * plan.drain
    async with running(command, work, _environment(plan, work)) as process:
        try:
            await asyncio.wait_for(process.wait(), limit)
        except TimeoutError:
            await _stop(process)
            return None
        except asyncio.CancelledError:
            await _stop(process)
            raise
        return process.returncode


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Let it write what it measured so far, and end."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)


def _read(plan: Plan, work: Path, found: Outcome, *, interrupted: bool) -> None:
    file = work / "artifacts" / EXPORT
    try:
        export = json.loads(file.read_bytes())
    except (OSError, ValueError):
        export = None
    if isinstance(export, dict):
        found.export = export
        found.origin = Origin(path=file, fingerprint=of_this_machine())
        found.measured = measured_of(plan, export, found.origin, interrupted=interrupted)
    elif problems := _failures(work / "artifacts" / _RECORDS):
        found.measured = failed_of(plan, problems)


def _failures(file: Path) -> dict[str, int]:
    """Return what went wrong with measured requests, where not one was answered."""
    problems: dict[str, int] = {}
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
    for line in lines:
        with contextlib.suppress(ValueError, AttributeError):
            record = json.loads(line)
            if record.get("error") and (record.get("metadata") or {}).get("benchmark_phase") != "warmup":
                problem = told(record["error"])
                problems[problem] = problems.get(problem, 0) + 1
    return problems


def _last(file: Path) -> str:
    """Return the last that it said, without the frames around it."""
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    lines = [line.strip(" \t│┃╭╰─╮╯") for line in text.splitlines()]
    said = [line for line in lines if line and not line.startswith("Log File:")]
    errors = [line for line in said if " ERROR " in line or line.startswith("Reason:")]
    return (errors or said or ["nothing"])[-1][:_SHOWN]
