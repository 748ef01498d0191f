"""The playbooks on an inventory that has simulated clusters only."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ansible_collections.proving.ground.plugins.module_utils import processes
from ansible_collections.proving.ground.plugins.module_utils.kubernetes_api import Api

from proving_ground.contracts.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Run:
    """One run of the playbooks, as the pipeline would do it."""

    name: str
    root: Path

    @property
    def state(self) -> Path:
        return self.root / self.name

    def play(self, playbook: str, **variables: Any) -> subprocess.CompletedProcess[str]:
        inventory = self.state / "inventory"
        inventory.mkdir(parents=True, exist_ok=True)
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        hosts = {"hosts": {"localhost": local}}
        given = {"all": {"children": {"simulated_clusters": hosts}}}
        (inventory / "hosts.yml").write_text(yaml.safe_dump(given))
        variables |= {
            "proving_ground_run_id": self.name,
            "proving_ground_state_dir": str(self.state),
            "proving_ground_platform_file": str(self.state / "platform.json"),
            "proving_ground_inventory": "test",
            "proving_ground_capabilities": ["kubernetes", "gpu"],
            "simulated_nodes_counts": {"h100": 1, "mi300x": 1},
        }
        extra = self.state / "extra.json"
        extra.write_text(json.dumps(variables))
        command = [Path(sys.executable).parent / "ansible-playbook", "-i", inventory, "-e", f"@{extra}"]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = os.environ | {"ANSIBLE_COLLECTIONS_PATH": str(self.root / "collections"), "PATH": path}
        return subprocess.run(
            [*command, ROOT / f"playbooks/{playbook}.yml"],
            env=environment,
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def must(self, playbook: str, **variables: Any) -> str:
        done = self.play(playbook, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def left(self) -> list[int]:
        found = processes.with_environment({"PROVING_GROUND_SUPERVISOR": str(self.state / "sim")})
        return [each.pid for each in found]

    def network(self) -> dict[str, Any]:
        return dict(json.loads((self.state / "sim/network.json").read_text()))

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        with Api(str(self.state / "sim/kubeconfig/admin.kubeconfig")) as api:
            return api.request(method, path, body)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder from which the playbooks find the collection."""
    collection = tmp_path / "collections/ansible_collections/proving"
    collection.mkdir(parents=True)
    (collection / "ground").symlink_to(ROOT)
    return tmp_path


@pytest.fixture
def runs(place: Path) -> Iterator[tuple[Run, Run]]:
    both = (Run(f"one-{os.getpid()}", place), Run(f"two-{os.getpid()}", place))
    try:
        yield both
    finally:
        for each in both:
            each.play("destroy")


def test_two_clusters_at_once_do_not_meet_and_are_gone_after_destroy(runs: tuple[Run, Run]) -> None:
    with ThreadPoolExecutor(2) as pool:
        for playbook in ("create", "provision"):
            list(pool.map(lambda run, playbook=playbook: run.must(playbook), runs))
    one, two = runs
    assert one.network()["n"] != two.network()["n"]
    one.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "only-in-one"}})
    assert "only-in-one" not in json.dumps(two.ask("GET", "/api/v1/namespaces"))
    platform = Platform.model_validate_json((one.state / "platform.json").read_bytes())
    assert platform.capabilities.present == ["kubernetes", "disturb", "gpu"]
    assert len(one.ask("GET", "/api/v1/nodes")["items"]) == 2
    one.must("destroy")
    assert one.left() == []
    assert not (one.state / "sim").exists()
    assert two.ask("GET", "/version")["major"] == "1"
    supervisors = processes.with_environment({"PROVING_GROUND_SUPERVISOR": str(two.state / "sim")})
    supervisor = next(each for each, given in supervisors.items() if "PROVING_GROUND_PROGRAM" not in given)
    os.kill(supervisor.pid, signal.SIGKILL)  # as when a whole run is killed: its programs live on
    deadline = time.monotonic() + 10
    while supervisor.pid in two.left() and time.monotonic() < deadline:
        time.sleep(0.01)  # a killed process is listed until the kernel has taken it down
    assert len(two.left()) == 5
    two.must("destroy")
    assert two.left() == []
    assert "changed=0" in two.must("destroy")


def test_destroy_is_safe_where_nothing_was_ever_made(place: Path) -> None:
    assert "changed=0" in Run(f"nothing-{os.getpid()}", place).must("destroy")


def test_a_port_that_is_taken_names_its_holder(place: Path) -> None:
    run = Run(f"taken-{os.getpid()}", place)
    with socket.create_server(("127.249.0.1", 6443)):
        done = run.play("create", simulated_cluster_number=249)
    assert done.returncode == 2
    said = " ".join((done.stdout + done.stderr).split())
    assert f"pid {os.getpid()}" in said
    assert "listens on port 6443 of 127.249.0.1" in said
