"""Simulated platforms with an autoscaler, each kept by a real run in a state directory of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.ownership.processes import ProcessId, tagged
from proving_ground.ownership.state import RunState
from proving_ground.pipeline.options import new_run_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT = Path(__file__).parents[3]
PATIENCE = 180.0
PROGRAM = "budaiscaler"
KINDS = "namespaces,pods,deployments,statefulsets,replicasets,services,configmaps,resourcequotas,hpa,budaiscalers"


class Kept:
    """A platform that a run has made and kept, and what a person does with it."""

    def __init__(self, directory: Path, *variables: str) -> None:
        self.run_id = f"scaled-{new_run_id()}"
        self.artifacts = directory / "artifacts" / self.run_id
        self.environment = os.environ | {"PROVING_GROUND_STATE": str(directory / "state"), "COLUMNS": "200"}
        self.state = RunState(self.run_id, directory / "state" / "runs" / self.run_id)
        options = ("--run-id", self.run_id, "--artifacts", str(directory / "artifacts"))
        self.made = self.call("run", "pre_merge", "--only", "platform", "--keep", *options, *variables)

    @property
    def platform(self) -> dict[str, Any]:
        return json.loads((self.artifacts / "platform.json").read_text())  # type: ignore[no-any-return]

    @property
    def controller(self) -> dict[str, Any]:
        return self.platform["systems"]["budaiscaler"]  # type: ignore[no-any-return]

    @property
    def log(self) -> str:
        """What the controller has said."""
        return Path(self.controller["parameters"]["controller"]["log"]).read_text()

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "proving_ground", *words]

    def call(self, *words: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end."""
        return self._run(self.command(*words), cwd=cwd, env=self.environment | environment)

    def kubectl(self, *words: str, given: object = None) -> str:
        """Run kubectl as the administrator; ``given`` goes to it as JSON."""
        cluster = self.platform["clusters"]["default"]
        command = [cluster["kubectl"], f"--kubeconfig={cluster['kubeconfig']}", *words]
        done = self._run(command, said=json.dumps(given))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def get(self, *words: str) -> dict[str, Any]:
        return json.loads(self.kubectl("get", *words, "--output=json"))  # type: ignore[no-any-return]

    def objects(self) -> set[tuple[str, str, str]]:
        """Return kind, namespace and name of everything that suites could make, in namespaces that are not going."""
        items = self.get(KINDS, "--all-namespaces")["items"]
        going = {o["metadata"]["name"] for o in items if o["kind"] == "Namespace" and o["status"]["phase"] != "Active"}
        found = {(o["kind"], o["metadata"].get("namespace", ""), o["metadata"]["name"]) for o in items}
        return {each for each in found if (each[1] or each[2]) not in going}

    def process(self) -> ProcessId:
        """Return the process of the controller."""
        for process in tagged(self.run_id):
            with contextlib.suppress(OSError):  # one of a playbook's that has just ended
                if b"\0proving_ground.budaiscaler\0" in Path(f"/proc/{process.pid}/cmdline").read_bytes():
                    return process
        pytest.fail(f"{self.run_id} has no controller: {self.log}")

    def restart(self) -> dict[str, Any]:
        """Restart the controller as a check does that disturbs; return how that ended."""
        command = [sys.executable, "-m", "proving_ground.pipeline.disturbing"]
        asked = json.dumps({"action": "restart_program", "program": PROGRAM})
        options = [f"--run-id={self.run_id}", f"--state-dir={self.state.directory}"]
        done = self._run([*command, *options], said=asked)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]

    def remove(self) -> None:
        """Remove the platform; nothing of it is left."""
        removed = self.call("clean", self.run_id)
        left = [Path(f"/proc/{p.pid}/cmdline").read_bytes().replace(b"\0", b" ") for p in tagged(self.run_id)]
        assert removed.returncode == 0, removed.stdout + removed.stderr
        assert left == []
        assert not self.state.directory.exists()

    def _run(
        self, command: Sequence[str], *, cwd: Path = ROOT, env: dict[str, str] | None = None, said: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=cwd,
            env=env or self.environment,
            input=said,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )


def until(what: str, seen: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, f"{what}: not seen within {seconds:g} s"
        time.sleep(0.02)


def _keep(directory: Path, *variables: str) -> Iterator[Kept]:
    kept = Kept(directory, *variables)
    if kept.made.returncode != 0:
        kept.call("clean", kept.run_id)
        pytest.fail(f"no simulated platform could be made:\n{kept.made.stdout}{kept.made.stderr}")
    yield kept
    kept.remove()


@pytest.fixture(scope="package")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """A platform with the stand-in."""
    yield from _keep(tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="module")
def kept_command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """A platform with a controller of its own command, which is the stand-in at the pace of the real one."""
    directory = tmp_path_factory.mktemp("command")
    command = [sys.executable, "-m", "proving_ground.budaiscaler"]
    file = directory / "controller.yml"
    file.write_text(json.dumps({"budaiscaler_implementation": "command", "budaiscaler_command": command}))
    yield from _keep(directory, "--extra-vars", f"@{file}")


@pytest.fixture
def namespace(kept: Kept, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a namespace that is absent; what suites made of it is removed."""
    name = request.node.originalname.removeprefix("test_").replace("_", "-")[:30].strip("-")
    yield name
    kept.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")
