"""The playbook `disturb`, on programs that only wait: no Kubernetes is needed to restart one."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.proving.ground.plugins.module_utils.program_supervisor import RUNNING, Supervisor
from ansible_collections.proving.ground.plugins.modules.supervised_programs import bring_down, bring_up

from proving_ground.contracts.platform import Clock, Platform
from proving_ground.disturbance import disturb
from proving_ground.errors import InfrastructureError
from proving_ground.ownership.clean import write_context
from proving_ground.ownership.state import RunState
from proving_ground.pipeline.phases import PhaseContext
from proving_ground.plugin.check_run import CheckRun, Settings

ROOT = Path(__file__).parents[3]

# Counts its starts, and says by another file that it is ready.
SERVE = """
import pathlib, signal, sys
with open(sys.argv[1] + ".starts", "a") as stream:
    stream.write("x")
pathlib.Path(sys.argv[1] + ".ready").touch()
signal.pause()
"""
INVENTORY = """
all:
  hosts:
    localhost:
      ansible_connection: local
      ansible_python_interpreter: "{{ ansible_playbook_python }}"
  children:
    %s:
      hosts:
        localhost:
"""


@dataclasses.dataclass
class Notes:
    """What a check says."""

    said: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)

    def note(self, kind: str, subject: str, detail: str, check: str) -> None:
        assert check == "suite/check"
        self.said.append((kind, subject, detail))

    def mask(self, value: str) -> None:
        raise AssertionError(value)


@dataclasses.dataclass
class Run:
    state: RunState
    notes: Notes = dataclasses.field(default_factory=Notes)

    @property
    def supervised(self) -> Path:
        return self.state.directory / "sim"

    @property
    def check(self) -> CheckRun:
        platform = Platform.model_validate(
            {"run_id": "r1", "inventory": "sim", "clock": Clock.model_validate({"started": "2026-01-01T00:00:00Z"})}
        )
        settings = Settings(run_id="r1", state_dir=self.state.directory, artifacts_dir=self.state.directory)
        return CheckRun("suite/check", platform, settings, self.notes)

    def starts(self, program: str) -> int:
        return len((self.supervised.parent / f"{program}.starts").read_text())

    def states(self) -> dict[str, int]:
        with Supervisor(self.supervised, "r1") as supervisor:
            return supervisor.states()

    def inventory(self, group: str) -> None:
        file = self.state.directory / "hosts.yml"
        file.write_text(INVENTORY % group)
        context = PhaseContext(
            root=ROOT,
            state=self.state.directory,
            run_id="r1",
            inventories=(file,),
            variables={"proving_ground_run_id": "r1", "proving_ground_state_dir": str(self.state.directory)},
        )
        write_context(self.state, context)


def appears(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.02)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setenv("PROVING_GROUND_STATE", str(tmp_path / "elsewhere"))
    run = Run(RunState("r1", tmp_path / "r1"))
    run.state.directory.mkdir()
    run.inventory("simulated_clusters")
    programs = [
        {
            "name": name,
            "command": [sys.executable, "-c", SERVE, str(run.state.directory / name)],
            "ready": {"file": str(run.state.directory / f"{name}.ready"), "seconds": 20},
        }
        for name in ("operator", "other")
    ]
    parameters = {"directory": str(run.supervised), "run_id": "r1", "progress_file": None}
    bring_up(parameters | {"programs": programs}, check=False)
    yield run
    bring_down(parameters | {"programs": []}, check=False)


def test_a_restarted_program_is_ready_again_and_the_timeline_tells(run: Run) -> None:
    asyncio.run(disturb(run.check, "restart_program", program="operator"))
    assert (run.starts("operator"), run.starts("other")) == (2, 1)
    assert set(run.states().values()) == {RUNNING}
    assert (run.state.directory / "operator.ready").exists()
    (kind, subject, first), (_, _, last) = run.notes.said
    assert (kind, subject, first) == ("disturbance", "restart_program operator", "started")
    assert last.startswith("ended after ")


def test_a_program_that_does_not_exist_is_refused_with_those_that_do(run: Run) -> None:
    with pytest.raises(InfrastructureError, match="no program is named nothing; there are operator, other") as caught:
        asyncio.run(disturb(run.check, "restart_program", program="nothing"))
    assert "\n" not in str(caught.value)
    assert "no program is named nothing" in run.notes.said[-1][2]


@pytest.mark.parametrize(
    ("action", "variables", "said"),
    [
        ("explode", {}, "no disturbance is named explode; there are restart_program"),
        ("restart_program", {}, "restart_program needs program, each a text, and nothing else; found"),
        ("restart_program", {"program": "operator", "more": "x"}, "needs program, each a text, and nothing else"),
    ],
)
def test_what_no_playbook_does_is_refused_in_one_line(
    run: Run, action: str, variables: dict[str, str], said: str
) -> None:
    with pytest.raises(InfrastructureError, match=said):
        asyncio.run(disturb(run.check, action, **variables))
    assert run.starts("operator") == 1


def test_a_place_without_supervised_programs_is_refused(run: Run) -> None:
    run.inventory("inference_fleets")
    with pytest.raises(InfrastructureError, match="needs a host in the group simulated_clusters"):
        asyncio.run(disturb(run.check, "restart_program", program="operator"))


def test_a_platform_of_nobody_known_is_refused(run: Run) -> None:
    run.state.context_file.unlink()
    with pytest.raises(InfrastructureError, match="the run that made the platform is not known here"):
        asyncio.run(disturb(run.check, "restart_program", program="operator"))


def test_checks_that_ask_at_once_do_no_harm_to_each_other(run: Run) -> None:
    async def ask() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(disturb(run.check, "restart_program", program="operator"))

    asyncio.run(ask())
    assert 2 <= run.starts("operator") < 6
    assert run.states()["operator"] == RUNNING
    assert sum(detail.endswith("together with another check's") for _, _, detail in run.notes.said) > 0


def test_a_disturbance_whose_check_is_cancelled_is_finished(run: Run) -> None:
    async def cancelled() -> None:
        asking = asyncio.ensure_future(disturb(run.check, "restart_program", program="operator"))
        await asyncio.to_thread(appears, run.state.directory / "runner")
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(cancelled())
    assert (run.starts("operator"), run.states()["operator"]) == (2, RUNNING)
