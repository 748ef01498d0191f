"""Disturbances that checks ask for: something of the platform fails, on purpose, while they look.

What each action does is in ``playbooks/disturb.yml``. A check that asks for one carries the mark ``needs_disturb``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from typing import TYPE_CHECKING

from proving_ground.errors import InfrastructureError
from proving_ground.ownership.processes import tags

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from proving_ground.plugin.check_run import CheckRun

KIND = "disturbance"
"""Kind of its entries on the timeline."""

FINISH_SECONDS = 30.0
"""How long a disturbance may go on when its check is cancelled: half done, it would harm the other checks."""

_END_SECONDS = 15.0


async def disturb(check: CheckRun, action: str, **variables: str) -> None:
    """Disturb the platform, and return when it is done: a restarted program is ready again.

    Disturbances of one run happen one after the other, whichever suites ask for them. Where several checks ask for
    the same one at a time, one that begins after they asked serves all of them. Each is on the timeline twice, when
    it is asked for and when it has ended.

    Args:
        check: The check that asks.
        action: What to do: ``restart_program`` restarts a program that is supervised.
        variables: What the action needs: ``program``, the name of the program.

    Raises:
        InfrastructureError: It could not be done; with the cause.
    """
    subject = " ".join([action, *variables.values()])
    check.note(KIND, subject, "started")
    began = time.monotonic()
    try:
        shared = await _done({"action": action, **variables}, check)
    except InfrastructureError as error:
        check.note(KIND, subject, f"failed after {time.monotonic() - began:.1f} s: {error.what}")
        raise
    except asyncio.CancelledError:
        check.note(KIND, subject, f"its check was cancelled after {time.monotonic() - began:.1f} s")
        raise
    with_another = ", together with another check's" if shared else ""
    check.note(KIND, subject, f"ended after {time.monotonic() - began:.1f} s{with_another}")


async def _done(asked: dict[str, str], check: CheckRun) -> bool:
    """Have it done; return whether another check's request did it."""
    settings = check.settings
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "proving_ground.pipeline.disturbing",
        f"--run-id={settings.run_id}",
        f"--state-dir={settings.state_dir}",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | tags(settings.run_id, settings.state_dir),
    )
    talking = asyncio.ensure_future(process.communicate(json.dumps(asked).encode()))
    try:
        out, err = await asyncio.shield(talking)
    except asyncio.CancelledError:
        await _wind_up(process, talking)
        raise
    where = f"disturbance {asked['action']}"
    try:
        ended = json.loads(out.splitlines()[-1])
    except (IndexError, ValueError):
        lines = err.decode(errors="replace").strip().splitlines() or [f"its process ended with {process.returncode}"]
        raise InfrastructureError(lines[-1], where=where) from None
    if ended["cause"]:
        raise InfrastructureError(str(ended["cause"]), where=where)
    return bool(ended["shared"])


async def _wind_up(process: Process, talking: asyncio.Future[tuple[bytes, bytes]]) -> None:
    """Let a disturbance finish, then ask it to stop, then end it."""
    stops = ((FINISH_SECONDS, process.terminate), (_END_SECONDS, process.kill), (_END_SECONDS, process.kill))
    for seconds, stop in stops:
        done, _ = await asyncio.wait({talking}, timeout=seconds)
        if done:
            return
        with contextlib.suppress(ProcessLookupError):
            stop()
