"""An inference server of the fleet on loopback, and the suites that verify it."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proving_ground.contracts.events import EVENT, Ended
from proving_ground.contracts.platform import Capabilities, Clock, Endpoint, Platform, System
from proving_ground.openai_api.server import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[3]
SUITES = ROOT / "tests" / "suites" / "inference"
SHORT = {"sequence": 3, "steady_seconds": 1, "steady_rate": 5, "memory_requests": 30, "large_prompt_words": 2000}
HAS = ["inference", "server_process"]


@dataclass(frozen=True)
class Ran:
    """How a suite went."""

    status: int
    ended: Mapping[str, Ended]
    printed: str

    def with_outcome(self, outcome: str) -> set[str]:
        return {check.partition("/")[2] for check, end in self.ended.items() if end.outcome == outcome}


@dataclass(frozen=True)
class Suites:
    """Runs suites on a platform whose inference server is at a URL."""

    folder: Path

    async def run(
        self,
        suite: str,
        url: str,
        *options: str,
        model: str = "org/m",
        others: Mapping[str, dict[str, object]] | None = None,
        promised: Sequence[str] = (),
    ) -> Ran:
        """Run a suite in a process of its own, as the verify phase does.

        Args:
            suite: Its name.
            url: Where system ``inference`` is.
            options: More options of pytest.
            model: Its model.
            others: Name -> parameters of other systems that have an endpoint; ``url`` among them is where it is.
            promised: Capabilities that are promised and not present.
        """
        parameters = {"server": "fleet", "model": model, "model_kind": "random", "pid": os.getpid(), **SHORT}
        systems = {SYSTEM: {"url": url, **parameters}, **(others or {})}
        platform = Platform(
            run_id="t1",
            inventory="test",
            endpoints={name: Endpoint(url=str(told["url"])) for name, told in systems.items()},
            systems={name: System(implementation="existing", parameters=told) for name, told in systems.items()},
            capabilities=Capabilities(promised=[*HAS, *promised], present=HAS),
            clock=Clock(started=dt.datetime.now(dt.UTC)),
        )
        (self.folder / "platform.json").write_text(platform.model_dump_json())
        events = self.folder / "events.jsonl"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pytest", str(SUITES / suite), f"--rootdir={ROOT}", "-q", "-p", "no:cacheprovider",
            f"--platform={self.folder / 'platform.json'}", f"--events={events}", f"--state-dir={self.folder}",
            f"--artifacts-dir={self.folder / 'artifacts'}", "--allow-skip=random-model", *options,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        printed, _ = await process.communicate()
        found = [EVENT.validate_json(line) for line in events.read_bytes().splitlines()]
        ended = {event.check: event for event in found if isinstance(event, Ended)}
        return Ran(process.returncode or 0, ended, printed.decode())


@pytest.fixture
def suites(tmp_path: Path) -> Suites:
    return Suites(tmp_path)


@pytest.fixture
def free_port() -> Callable[[], int]:
    def find() -> int:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            return int(one.getsockname()[1])

    return find
