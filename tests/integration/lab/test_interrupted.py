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


PHASES: dict[str, Callable[[Run], None]] = {
    "create": lambda run: run.wait_for("a container", run.containers),
    "provision": lambda run: run.wait_for_program("cp1", "kubeadm init"),
}


@pytest.mark.parametrize("phase", PHASES)
def test_ctrl_c_ends_with_130_and_leaves_nothing(runs: Runs, phase: str) -> None:
    run = runs.start(f"interrupted-{phase}", ["cp1"], [])
    PHASES[phase](run)
    run.look()
    run.interrupt()
    assert run.ended() == 130, run.output
    assert run.cause == f"interrupted in {phase}"
    run.assert_nothing_is_left()


@dataclass(frozen=True)
class History:
    """The machine, runs that were killed, each while it made something, one after them, and the machine again."""

    before: Machine
    killed: list[Run]
    whole: Run
    after: Machine


@pytest.fixture(scope="module")
def history(module_runs: Runs) -> History:
    before = Machine.now()
    killed = []
    for phase, reached in PHASES.items():
        run = module_runs.start(f"killed-{phase}", ["cp1"], [])
        reached(run)
        run.look()
        run.kill()
        killed.append(run)
    whole = module_runs.start("whole", ["cp1"], ["w1"], *CHECKS)
    whole.wait_for("its platform", (whole.artifacts / "platform.json").exists)
    whole.look()
    whole.ended()
    return History(before, killed, whole, Machine.now())


def test_the_next_run_removes_what_a_killed_one_left(history: History) -> None:
    for run in history.killed:
        assert f"removed what run {run.run_id} had left" in history.whole.output + history.killed[-1].output
        run.assert_nothing_is_left()


def test_a_run_goes_from_nothing_to_a_verdict_and_leaves_nothing(history: History) -> None:
    assert history.whole.process.returncode == 0, history.whole.output
    history.whole.assert_nothing_is_left()


def test_runs_change_nothing_of_the_machine(history: History) -> None:
    before, after = history.before, history.after
    changed = {name: (value, after.sysctls.get(name)) for name, value in before.sysctls.items()}
    assert {name: values for name, values in changed.items() if values[0] != values[1]} == {}
    assert after.swaps == before.swaps
    assert [name for name in after.modules - before.modules if not name.startswith(ON_DEMAND)] == []
    assert before.modules <= after.modules
    assert abs(after.clock - before.clock) < 1.0
