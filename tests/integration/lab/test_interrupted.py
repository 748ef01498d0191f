"""Runs on lab that are interrupted or killed, and one that is not; and the machine after them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Run, Runs

CHECKS = ("--only", "platform", "-k", "api_server or every_node")

# What the kernel itself counts, draws or adapts; and what belongs to an interface, which comes and goes.
MOVING = (
    "dev/", "fs/aio-nr", "fs/binfmt_misc/", "fs/dentry-", "fs/epoll/", "fs/file-nr", "fs/inode-", "fs/quota/",
    "kernel/ns_last_pid", "kernel/perf_event_max_sample_rate", "kernel/perf_cpu_time", "kernel/pty/nr",
    "kernel/random/", "kernel/spl/", "net/netfilter/nf_conntrack_count", "vm/stat_refresh",
)  # fmt: skip

# What the kernel loads by itself when podman makes a network, and iptables or nft a rule.
ON_DEMAND = ("bridge", "ip", "llc", "nf", "overlay", "stp", "tun", "veth", "x_tables", "xt_")


@dataclass(frozen=True)
class Machine:
    """What belongs to the kernel of this machine, which lab hosts share."""

    sysctls: dict[str, str]
    swaps: str
    modules: frozenset[str]
    clock: float

    @classmethod
    def now(cls) -> Machine:
        return cls(
            sysctls=dict(_sysctls()),
            swaps="\n".join(line.rsplit(None, 2)[0] for line in Path("/proc/swaps").read_text().splitlines()),
            modules=frozenset(line.split()[0] for line in _read(Path("/proc/modules")).splitlines()),
            clock=time.time() - time.monotonic(),
        )

    def assert_is_as(self, before: Machine) -> None:
        changed = {name: (value, self.sysctls.get(name)) for name, value in before.sysctls.items()}
        assert {name: values for name, values in changed.items() if values[0] != values[1]} == {}
        assert self.swaps == before.swaps
        assert [name for name in self.modules - before.modules if not name.startswith(ON_DEMAND)] == []
        assert before.modules <= self.modules
        assert abs(self.clock - before.clock) < 1.0


def _sysctls() -> list[tuple[str, str]]:
    root = Path("/proc/sys")
    found = []
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        parts = name.split("/")
        of_interface = len(parts) > 3 and parts[2] in {"conf", "neigh"} and parts[3] not in {"all", "default"}
        if not of_interface and not name.startswith(MOVING) and path.is_file():
            found.append((name, _read(path)))
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _events(run: Run) -> list[Path]:
    """Return what Ansible tells of the tasks of the phase provision: a file for each."""
    return list(run.state.glob("runner/provision-*/artifacts/*/job_events/*-*.json"))


PHASES: dict[str, Callable[[Run], None]] = {
    "create": lambda run: run.wait_for("a container", run.containers),
    "early in provision": lambda run: run.wait_for("a task of provision", lambda: _events(run)),
    "provision": lambda run: run.wait_for_program("cp1", "kubeadm init"),
}


@dataclass(frozen=True)
class History:
    """The machine, two runs that were killed, one after them that Ctrl-C ended, and the machine again."""

    before: Machine
    killed: list[Run]
    interrupted: Run
    after: Machine


@pytest.fixture(scope="module")
def history(module_runs: Runs) -> History:
    before = Machine.now()
    runs = []
    for name, phase in (("first", "create"), ("second", "early in provision"), ("third", "provision")):
        run = module_runs.start(name, ["cp1"], [])
        PHASES[phase](run)
        run.look()
        runs.append(run)
        if name == "third":
            run.interrupt()
            run.ended()
        else:
            run.kill()
    return History(before, runs[:2], runs[2], Machine.now())


def test_ctrl_c_in_create_ends_with_130_and_leaves_nothing(runs: Runs) -> None:
    run = runs.start("create", ["cp1"], [])
    PHASES["create"](run)
    run.look()
    run.interrupt()
    assert run.ended() == 130, run.output
    assert run.cause == "interrupted in create"
    run.assert_nothing_is_left()


def test_ctrl_c_in_provision_ends_with_130_and_leaves_nothing(history: History) -> None:
    run = history.interrupted
    assert run.process.returncode == 130, run.output
    assert run.cause == "interrupted in provision"
    run.assert_nothing_is_left()


def test_the_next_run_removes_what_a_killed_one_left(history: History) -> None:
    for run, following in zip(history.killed, [history.killed[1], history.interrupted], strict=True):
        assert f"removed what run {run.run_id} had left" in following.output
        run.assert_nothing_is_left()


@pytest.mark.weekly  # nox -s tests has a whole run on lab anyway, which does not look this close
def test_a_run_goes_from_nothing_to_a_verdict_and_leaves_nothing(runs: Runs) -> None:
    before = Machine.now()
    run = runs.start("whole", ["cp1"], ["w1"], *CHECKS)
    run.wait_for("its platform", (run.artifacts / "platform.json").exists)
    run.look()
    assert run.ended() == 0, run.output
    run.assert_nothing_is_left()
    Machine.now().assert_is_as(before)


def test_runs_change_nothing_of_the_machine(history: History) -> None:
    history.after.assert_is_as(history.before)
