"""Running a load: its process is started, waited for, and ended with whoever waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proving_ground.errors import InfrastructureError
from proving_ground.load.measured.result import summarise

if TYPE_CHECKING:
    from collections.abc import Callable

    from proving_ground.load.measured.plan import Plan
    from proving_ground.load.measured.result import Measured

MODULE = "proving_ground.load.measured.process"
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_SHOWN = 300


async def measure(
    plan: Plan, *, stop: asyncio.Event | None = None, partial: Callable[[Measured], None] | None = None
) -> Measured:
    """Send a load from processes of its own, and return what it measured.

    Args:
        plan: What to send.
        stop: Once it is set the load ends, and what was seen is returned, marked as interrupted.
        partial: Takes what was seen, marked as interrupted, where this call is cancelled.

    Raises:
        ConfigurationError: The plan is out of its bounds.
        InfrastructureError: The process could not be started, or died.
    """
    plan.check()
    with tempfile.TemporaryDirectory(prefix="proving-ground-load-") as folder:
        asked, found = _handed_over(plan, Path(folder))
        process = await _started([sys.executable, "-m", MODULE, str(asked), str(found)])
        try:
            printed = await _ended(process, plan, stop)
        except asyncio.CancelledError:
            await _end(process)
            if partial is not None and (told := _told(found)) is not None:
                partial(summarise(plan, told))
            raise
        finally:
            await _end(process)
        told = _told(found)
    if told is None:
        last = printed.strip().splitlines()[-1:] or ["it said nothing"]
        raise InfrastructureError(
            f"the load ended with status {process.returncode} and no result: {last[0][:_SHOWN]}", where=plan.url
        )
    return summarise(plan, told)


def _handed_over(plan: Plan, folder: Path) -> tuple[Path, Path]:
    """Write the plan, and return its file and the one that the result goes to."""
    asked = folder / "plan.json"
    asked.write_text(plan.model_dump_json(), encoding="utf-8")
    return asked, folder / "result.json"


def _told(found: Path) -> dict[str, Any] | None:
    try:
        told: dict[str, Any] = json.loads(found.read_bytes())
    except (OSError, ValueError):
        return None
    return told


async def _started(command: list[str]) -> asyncio.subprocess.Process:
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "LOCUST_SKIP_URLLIB3_PATCH": "1"}
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            # Ctrl-C goes to who asked, who tells it.
            start_new_session=True,
        )
    except OSError as error:
        raise InfrastructureError(f"{command[0]} cannot be started: {error.strerror}") from error


async def _ended(process: asyncio.subprocess.Process, plan: Plan, stop: asyncio.Event | None) -> str:
    """Wait for the end of the process, and return what it printed."""
    limit = plan.total_seconds + 2 * plan.drain + _START_SECONDS
    reading = asyncio.ensure_future(_read(process))
    stopping = asyncio.ensure_future(stop.wait()) if stop is not None else None
    try:
        waited = {reading} if stopping is None else {reading, stopping}
        done, _ = await asyncio.wait(waited, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if reading not in done:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
            await asyncio.wait({reading}, timeout=_STOP_SECONDS)
        return reading.result() if reading.done() else "it did not end in time"
    finally:
        for task in filter(None, (reading, stopping)):
            task.cancel()


async def _read(process: asyncio.subprocess.Process) -> str:
    _, errors = await process.communicate()
    return errors.decode(errors="replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the process and its workers, which are of its session."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.returncode is None:
        await process.wait()
