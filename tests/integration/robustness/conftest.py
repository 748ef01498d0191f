"""Real runs on sim that something happens to, and what they leave."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from proving_ground.ownership.processes import TAG, tagged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]
PATIENCE = 180.0


class Run:
    """A run under way, and what can be seen of it from outside."""

    def __init__(self, place: Place, run_id: str, command: list[str], environment: dict[str, str]) -> None:
        self.run_id = run_id
        self.artifacts = place.artifacts / run_id
        self.state = place.state / "runs" / run_id
        self.output_file = place.state.parent / f"{run_id}.out"
        with self.output_file.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self.output_file.read_text(errors="replace")

    @property
    def results(self) -> dict[str, Any]:
        return json.loads((self.artifacts / "results.json").read_text())  # type: ignore[no-any-return]

    @property
    def cause(self) -> str:
        return str(self.results["verdict"]["cause"])

    def ended(self, seconds: float = PATIENCE) -> int:
        """Wait for its end, and return its exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"{self.run_id} did not end in {seconds:g} s: {self.output}")

    def wait_for(self, what: str, seen: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Wait until something is true of the run while it goes on."""
        deadline = time.monotonic() + seconds
        while not seen():
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{self.run_id}: {what} was never seen: {self.output}")
            time.sleep(0.02)

    def reach(self, kind: str, subject: str = "", event: str = "started") -> None:
        """Wait until the timeline has an entry."""
        self.wait_for(f"{kind} {subject} {event}", lambda: self._has(kind, subject, event))

    def _has(self, kind: str, subject: str, event: str) -> bool:
        file = self.artifacts / "timeline.jsonl"
        if not file.exists():
            return False
        lines = [line for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return any(
            entry["kind"] == kind and subject in {"", entry["subject"]} and entry["event"] == event
            for entry in map(json.loads, lines)
        )

    def playbook(self, name: str) -> None:
        """Wait until the playbook of a phase has begun."""
        self.wait_for(f"playbook {name}", lambda: list(self.state.glob(f"runner/{name}-*/artifacts/*/job_events/*")))

    def pid_of(self, program: str) -> int:
        """Return the process of one of the run's programs."""
        for process in tagged(self.run_id):
            words = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
            if words and words[0].decode().rpartition("/")[2] == program:
                return process.pid
        pytest.fail(f"{self.run_id} has no process {program}: {self.output}")

    @property
    def address(self) -> str:
        """Address of its control plane, while it has one."""
        return str(json.loads((self.state / "sim/network.json").read_text())["address"])

    def kill(self) -> None:
        """End the pipeline's own process as the kernel does when memory is short."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def interrupt(self) -> None:
        """Press Ctrl-C: the signal goes to the whole foreground process group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def assert_nothing_is_left(self, address: str = "") -> None:
        left = [Path(f"/proc/{p.pid}/cmdline").read_bytes().replace(b"\0", b" ") for p in tagged(self.run_id)]
        assert left == []
        assert not self.state.exists()
        assert self.listens(address) == []

    def listens(self, address: str) -> list[int]:
        """Return the ports of an address where somebody listens who is not of another run, which may have it by now."""
        found = []
        for connection in psutil.net_connections("tcp4"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.ip == address:
                owner = self.run_id
                with contextlib.suppress(psutil.Error):
                    owner = psutil.Process(connection.pid).environ().get(TAG, owner)
                found += [connection.laddr.port] if owner == self.run_id else []
        return found


class Place:
    """A state directory and an artifacts directory for runs on an inventory."""

    def __init__(self, directory: Path, inventory: Path) -> None:
        self._inventory = inventory
        self.state = directory / "state"
        self.artifacts = directory / "artifacts"
        self.environment = os.environ | {"PROVING_GROUND_STATE": str(self.state), "COLUMNS": "200"}
        self.runs: list[Run] = []

    def options(self, run_id: str, *arguments: str) -> list[str]:
        given = ["--inventory", str(self._inventory), "--run-id", run_id, "--artifacts", str(self.artifacts)]
        return [*given, *arguments]

    def start(self, run_id: str, *arguments: str, stage: str = "nightly") -> Run:
        words = [sys.executable, "-m", "proving_ground", "run", stage, *self.options(run_id, *arguments)]
        return self.start_command(run_id, words)

    def start_command(self, run_id: str, words: list[str]) -> Run:
        run = Run(self, run_id, words, self.environment)
        self.runs.append(run)
        return run

    def call(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end."""
        return subprocess.run(
            [sys.executable, "-m", "proving_ground", *words],
            cwd=ROOT,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )


@pytest.fixture
def place(tmp_path: Path, aim_inventory: Path) -> Iterator[Place]:
    place = Place(tmp_path, aim_inventory)
    yield place
    for run in place.runs:
        if run.process.poll() is None:
            run.process.send_signal(signal.SIGINT)
            run.process.wait(PATIENCE)
    place.call("clean", "--all")


def one_line(text: str) -> str:
    """Return the only line of a text."""
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 1, text
    assert not re.search("Traceback|Error:", lines[0]), text
    return lines[0]
