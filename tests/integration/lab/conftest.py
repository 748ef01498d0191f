"""Lab hosts for tests: few, of an inventory that is lab's but for its hosts, and played with as runs do."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from proving_ground.ownership.processes import end, tagged
from proving_ground.ownership.state import cache_home
from proving_ground.pipeline.options import new_run_id
from proving_ground.pipeline.phases import PhaseContext, PhaseOutcome, collections_path, run_phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

ROOT = Path(__file__).parents[3]
PATIENCE = 420.0
LOCALHOST = {
    # Those of the inventory lab need GPUs and systems.
    "proving_ground_capabilities": ["kubernetes", "real_pods"],
    "ansible_connection": "local",
    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    "ansible_pipelining": True,
}


def podman(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of podman to its end."""
    return subprocess.run(["podman", *words], capture_output=True, text=True, timeout=120, check=False)


def processes() -> Iterator[tuple[str, str]]:
    """Yield the command line and the control groups of every process of this machine."""
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            yield line, (directory / "cgroup").read_text()


def runs_on(container: str, words: str) -> bool:
    """Tell whether a program with these words in its command line runs in a container."""
    lines = [groups for line, groups in processes() if words in line]
    if not lines:
        return False
    identity = podman("inspect", "--format={{.Id}}", container).stdout.strip()
    return bool(identity) and any(f"libpod-{identity}" in groups for groups in lines)


def obstacle() -> str:
    """Return why this machine can have no lab hosts; empty if it can."""
    if os.geteuid() != 0:
        return "lab hosts need root"
    done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False)
    if done.returncode:
        return "lab hosts need namespaces, and this machine lets root make none"
    if shutil.which("podman") is None and shutil.which("apt-get") is None:
        return "lab hosts need podman, and there is no apt-get to install it with"
    return ""


@pytest.fixture(scope="session", autouse=True)
def _possible() -> None:
    reason = obstacle()
    if reason:
        pytest.skip(reason)


def write_inventory(directory: Path, control_plane: list[str], workers: list[str]) -> Path:
    """Write an inventory with the variables of lab, and only these hosts; no system, no GPU."""

    def hosts(names: list[str]) -> dict[str, Any]:
        return {"hosts": dict.fromkeys(names)}

    here = hosts(["localhost"])
    groups = {
        "lab_machines": here,
        "lab_hosts": hosts([*control_plane, *workers]),
        "cluster_builders": here,
        "control_plane": hosts(control_plane),
        "gpu_workers": hosts(workers),
        "cluster_nodes": {"children": {"control_plane": {}, "gpu_workers": {}}},
        "platform_hosts": {"children": {"cluster_nodes": {}}},
    }
    directory.mkdir(parents=True)
    shutil.copytree(ROOT / "inventories/lab/group_vars", directory / "group_vars")
    content = {"all": {"hosts": {"localhost": LOCALHOST}, "children": groups}}
    (directory / "hosts.yml").write_text(yaml.safe_dump(content))
    return directory


def _play(hosts: str, role: str, *, facts: bool = False) -> dict[str, Any]:
    task = {"name": "Do it", "ansible.builtin.include_role": {"name": f"proving.ground.{role}"}}
    return {"name": role, "hosts": hosts, "gather_facts": facts, "any_errors_fatal": True, "tasks": [task]}


class Lab:
    """Hosts of one run, as its phases make and treat them.

    Args:
        directory: Where its state and inventory go.
        control_plane: Names of hosts.
        workers: Names of hosts.
    """

    def __init__(self, directory: Path, control_plane: list[str], workers: list[str]) -> None:
        self.run_id = new_run_id()
        self.state = directory / "state"
        self.state.mkdir(mode=0o700, parents=True)
        self.inventory = write_inventory(directory / "inventory", control_plane, workers)
        self.hosts = [*control_plane, *workers]
        self._plays = directory / "project"
        (self._plays / "playbooks").mkdir(parents=True)
        self._beside = ThreadPoolExecutor(max_workers=1)
        # Roles are found in the project, whichever playbook asks for them.
        collections_path(self.state, ROOT)

    def phase(self, name: str, **variables: Any) -> PhaseOutcome:
        """Run a phase as a run does."""
        return run_phase(name, self._context(ROOT, variables))

    def provisioned(self, **variables: Any) -> None:
        """Have the hosts, and a cluster on them, whatever is there."""
        for name in ("create", "provision"):
            outcome = self.phase(name, **variables)
            assert outcome.status == "passed", outcome

    def play(self, hosts: str, role: str, *, facts: bool = False, **variables: Any) -> PhaseOutcome:
        """Run a role on hosts, as a playbook of somebody else's would."""
        return self._plays_of([_play(hosts, role, facts=facts)], variables)

    def provisioned_workers(self) -> PhaseOutcome:
        """Do what the playbook provision does with workers, and that leads to their pods from here."""
        whole = yaml.safe_load((ROOT / "playbooks/provision.yml").read_text())
        routes = [play for play in whole if play["hosts"] == "lab_machines" and "routes" in str(play)]
        assert len(routes) == 1
        nodes = [_play("gpu_workers", "kubernetes_worker"), _play("cluster_nodes", "pod_network")]
        return self._plays_of([*nodes, *routes], {})

    def _plays_of(self, plays: list[dict[str, Any]], variables: dict[str, Any]) -> PhaseOutcome:
        (self._plays / "playbooks/play.yml").write_text(yaml.safe_dump(plays))
        return run_phase("play", self._context(self._plays, variables))

    def _context(self, root: Path, variables: dict[str, Any]) -> PhaseContext:
        generated = self.state / "inventory"
        inventories = (self.inventory, generated) if generated.is_dir() else (self.inventory,)
        given = {
            "proving_ground_run_id": self.run_id,
            "proving_ground_inventory": "lab",
            "proving_ground_state_dir": str(self.state),
            "proving_ground_artifacts_dir": str(self.state / "artifacts"),
            "proving_ground_cache_dir": str(cache_home()),
            "proving_ground_platform_file": str(self.state / "platform.json"),
        }
        return PhaseContext(
            root=root, state=self.state, run_id=self.run_id, inventories=inventories, variables=given | variables
        )

    def container(self, host: str) -> str:
        return f"pg-{self.run_id}-{host}"

    def shell(self, host: str, script: str, *, check: bool = True) -> str:
        """Run a shell script on a host, past SSH."""
        done = podman("exec", self.container(host), "/bin/sh", "-c", script)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def kubectl(self, *words: str) -> str:
        """Ask the cluster, on the host that has it."""
        command = ["kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", *words]
        done = podman("exec", self.container(self.hosts[0]), *command)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def assert_ready(self, node: str) -> None:
        """Wait until a node is Ready, and see that its kubelet runs."""
        self.kubectl("wait", "--for=condition=Ready", "--timeout=90s", f"node/{node}")
        assert self.shell(node, "systemctl is-active kubelet", check=False) == "active"

    def forget_connections(self) -> None:
        """Close the connections that ssh keeps for those that come after."""
        config = self.state / "lab/ssh_config"
        for host in self.hosts:
            subprocess.run(["ssh", "-F", str(config), "-O", "exit", host], capture_output=True, check=False)

    def kill(self, host: str) -> None:
        """End a host as if its power failed."""
        done = podman("kill", "--signal=KILL", self.container(host))
        assert done.returncode == 0, done.stderr

    def begin(self, name: str) -> Future[PhaseOutcome]:
        """Run a phase beside what the test does."""
        return self._beside.submit(self.phase, name)

    def wait_for_program(self, host: str, words: str, phase: Future[PhaseOutcome]) -> None:
        """Wait until a program with these words in its command line runs on a host, while a phase goes on."""

        def seen() -> bool:
            assert not phase.done(), f"{words} was never seen on {host}: {phase.result()}"
            return runs_on(self.container(host), words)

        wait_until(seen, f"{words} on {host}", PATIENCE)

    def remove(self) -> None:
        outcome = self.phase("destroy")
        end(tagged(self.run_id, self.state))
        assert outcome.status == "passed", outcome


class Run:
    """A run of the command line under way, and what can be seen of it from outside."""

    def __init__(self, directory: Path, run_id: str, command: list[str], environment: dict[str, str]) -> None:
        self.run_id = run_id
        self.artifacts = directory / "artifacts" / run_id
        self.state = directory / "state/runs" / run_id
        self._seen: set[str] = set()
        self._output = directory / f"{run_id}.out"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=os.environ | {"PROVING_GROUND_STATE": str(directory / "state"), "COLUMNS": "200"} | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._output.read_text(errors="replace")

    @property
    def cause(self) -> str:
        return str(json.loads((self.artifacts / "results.json").read_text())["verdict"]["cause"])

    def ended(self) -> int:
        """Wait for its end, and return its exit code."""
        return self.process.wait(PATIENCE)

    def wait_for(self, what: str, seen: Callable[[], object]) -> None:
        """Wait until something is true of the run while it goes on."""

        def seen_or_over() -> bool:
            assert self.process.poll() is None, f"{what} was never seen: {self.output}"
            return bool(seen())

        wait_until(seen_or_over, what, PATIENCE)

    def wait_for_program(self, host: str, words: str) -> None:
        """Wait until a program with these words in its command line runs on a host."""
        self.wait_for(f"host {host}", lambda: runs_on(f"pg-{self.run_id}-{host}", words))

    def containers(self) -> list[str]:
        return podman("ps", "--all", "--quiet", f"--filter={self._label}").stdout.split()

    @property
    def _label(self) -> str:
        return f"label=proving.ground/run-id={self.run_id}"

    def look(self) -> None:
        """Note what the run has by now that carries no label."""
        mounts = podman("inspect", "--format={{range .Mounts}}{{.Name}} {{end}}", *self.containers())
        self._seen.update(mounts.stdout.split())
        with contextlib.suppress(OSError):
            config = (self.state / "lab/ssh_config").read_text()
            self._seen.update(
                line.split()[1].rpartition("/")[0] for line in config.splitlines() if "ControlPath" in line
            )

    def interrupt(self) -> None:
        """Press Ctrl-C: the signal goes to the whole foreground process group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """End the pipeline's own process as the kernel does when memory is short."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def assert_nothing_is_left(self) -> None:
        assert self.containers() == []
        assert podman("network", "ls", "--quiet", f"--filter={self._label}").stdout.split() == []
        assert self._seen & set(podman("volume", "ls", "--quiet").stdout.split()) == set()
        assert [place for place in self._seen if place.startswith("/") and Path(place).exists()] == []
        assert not self.state.exists()
        assert [process.pid for process in tagged(self.run_id, self.state)] == []
        traces = (str(self.state), *(place for place in self._seen if place.startswith("/")))
        assert [line for line, _ in processes() if any(trace in line for trace in traces)] == []
        assert orphaned_routes() == []


class Runs:
    """Runs that have a directory in common."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._mark = uuid.uuid4().hex[:6]
        self._started: list[Run] = []

    def start(
        self,
        name: str,
        control_plane: list[str],
        workers: list[str],
        *arguments: str,
        before: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
    ) -> Run:
        """Start a run of the stage pre_merge on hosts of these names."""
        run_id = f"{name}-{self._mark}"
        inventory = write_inventory(self._directory / f"inventory-{name}", control_plane, workers)
        words = [*before, sys.executable, "-m", "proving_ground", "run", "pre_merge", "--inventory", str(inventory)]
        words += ["--run-id", run_id, "--artifacts", str(self._directory / "artifacts"), *arguments]
        self._started.append(Run(self._directory, run_id, words, environment or {}))
        return self._started[-1]

    def end(self) -> None:
        for run in self._started:
            if run.process.poll() is None:
                run.interrupt()
                run.process.wait(PATIENCE)
        environment = os.environ | {"PROVING_GROUND_STATE": str(self._directory / "state")}
        words = [sys.executable, "-m", "proving_ground", "clean", "--all"]
        subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, timeout=PATIENCE, check=False)


def orphaned_routes() -> list[str]:
    """Return routes through the networks of lab hosts of which there is no network."""
    told = subprocess.run(["ip", "-json", "-4", "route", "show"], capture_output=True, check=True)
    lab = re.compile(r"10\.\d+\.(64\.0/18|128\.0/17)")
    destinations = [route["dst"] for route in json.loads(told.stdout)]
    return [
        text for text in destinations if lab.fullmatch(text) and f"{text.rsplit('.', 2)[0]}.0.0/24" not in destinations
    ]


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    """Runs of one test."""
    runs = Runs(tmp_path)
    yield runs
    runs.end()


@pytest.fixture
def open_runs() -> Iterator[Runs]:
    """Runs in a directory that everybody may use, for those of other users."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        place.chmod(0o777)
        runs = Runs(place)
        yield runs
        runs.end()


@pytest.fixture(scope="module")
def module_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Runs of the tests of one module."""
    runs = Runs(tmp_path_factory.mktemp("runs"))
    yield runs
    runs.end()


@contextlib.contextmanager
def a_lab(directory: Path, control_plane: list[str], workers: list[str]) -> Iterator[Lab]:
    """Have the description of a lab, and nothing of it in the end."""
    lab = Lab(directory, control_plane, workers)
    try:
        yield lab
    finally:
        lab.remove()


@pytest.fixture(scope="package")
def one_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A cluster of two hosts, cp1 and w1."""
    with a_lab(tmp_path_factory.mktemp("cluster"), ["cp1"], ["w1"]) as lab:
        lab.provisioned()
        yield lab


@pytest.fixture
def cluster(one_cluster: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """That cluster, for a test that leaves it as it found it, or fails."""
    failed = request.session.testsfailed
    yield one_cluster
    if request.session.testsfailed > failed:
        one_cluster.provisioned()


@pytest.fixture
def new_lab(tmp_path: Path) -> Iterator[Callable[[list[str], list[str]], Lab]]:
    """Return what describes a lab of one's own."""
    with contextlib.ExitStack() as stack:
        yield lambda control_plane, workers: stack.enter_context(a_lab(tmp_path, control_plane, workers))


def wait_until(seen: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not seen():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} was not seen within {seconds:g} s")
        time.sleep(0.05)
