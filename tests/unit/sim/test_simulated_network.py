from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.proving.ground.plugins.module_utils import processes
from ansible_collections.proving.ground.plugins.modules import simulated_network as network


@pytest.fixture
def port() -> Iterator[int]:
    """A port that something listens on at 127.64.0.1."""
    with socket.create_server(("127.64.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def port_everywhere() -> Iterator[int]:
    """A port that something listens on at every address."""
    with socket.create_server(("0.0.0.0", 0)) as listener:  # noqa: S104 - this is the case to find
        yield listener.getsockname()[1]


def claim(tmp_path: Path, run: str = "a", **changes: Any) -> dict[str, Any]:
    state = tmp_path / run
    state.mkdir(exist_ok=True)
    parameters = {
        "run_id": run,
        "state_dir": str(state),
        "file": None,
        "inventory_file": None,
        "number": 0,
        "ports": [],
        "pod_ports": [],
        "lock_directory": str(tmp_path / "locks"),
        "state": "present",
    }
    return network.converge(parameters | changes, check=changes.pop("check", False))


def own(tmp_path: Path, run: str, **process: Any) -> None:
    (tmp_path / run).mkdir(exist_ok=True)
    content = {"run_id": run, "kept": process.pop("kept", False), "process": process}
    (tmp_path / run / "owner.json").write_text(json.dumps(content))


def test_the_facts_follow_from_the_number() -> None:
    assert network.facts(70)["service_cidr"] == "127.70.240.0/20"
    assert network.facts(70)["pod_cidr"] == "127.70.128.1/17"


def test_two_runs_get_different_networks(tmp_path: Path) -> None:
    assert claim(tmp_path, "a")["network"]["n"] == 64
    assert claim(tmp_path, "b")["network"]["n"] == 65


def test_a_second_claim_of_a_run_changes_nothing(tmp_path: Path) -> None:
    claim(tmp_path)
    assert claim(tmp_path) == {"changed": False, "network": network.facts(64)}


def test_a_network_that_was_given_back_is_free(tmp_path: Path) -> None:
    claim(tmp_path, "a")
    assert claim(tmp_path, "a", state="absent")["changed"]
    assert not claim(tmp_path, "a", state="absent")["changed"]
    assert claim(tmp_path, "b")["network"]["n"] == 64


def test_the_facts_and_an_inventory_are_written(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory/network.yml"
    claim(tmp_path, inventory_file=str(inventory))
    assert json.loads((tmp_path / "a/sim/network.json").read_text())["address"] == "127.64.0.1"
    assert json.loads(inventory.read_text())["all"]["vars"]["simulated_network"]["n"] == 64


def test_a_network_whose_port_is_taken_is_passed_over(tmp_path: Path, port: int) -> None:
    assert claim(tmp_path, ports=[port])["network"]["n"] == 65


def test_a_number_that_was_asked_for_and_is_taken_names_the_holder(tmp_path: Path, port: int) -> None:
    with pytest.raises(network.NetworkError, match=f"pid {os.getpid()} .* listens on port {port} of 127.64.0.1"):
        claim(tmp_path, number=64, ports=[port])


def test_a_listener_on_every_address_is_named_at_once(tmp_path: Path, port_everywhere: int) -> None:
    message = f"port {port_everywhere} is taken on every 127.N network: pid {os.getpid()} "
    with pytest.raises(network.NetworkError, match=message):
        claim(tmp_path, pod_ports=[port_everywhere])


def test_a_number_that_another_run_has_names_the_run(tmp_path: Path) -> None:
    claim(tmp_path, "a", number=80)
    with pytest.raises(network.NetworkError, match="run a has it"):
        claim(tmp_path, "b", number=80)


@pytest.mark.parametrize("number", [-1, 1, 63, 251, 100000])
def test_a_number_out_of_range_is_refused(tmp_path: Path, number: int) -> None:
    with pytest.raises(network.NetworkError, match="between 64 and 250"):
        claim(tmp_path, number=number)


def test_the_claim_of_a_dead_run_is_taken_over(tmp_path: Path) -> None:
    claim(tmp_path, "a")
    own(tmp_path, "a", pid=os.getpid(), started=1)
    assert claim(tmp_path, "b")["network"]["n"] == 64


def test_the_claim_of_a_living_run_is_left_alone(tmp_path: Path) -> None:
    claim(tmp_path, "a")
    own(tmp_path, "a", pid=os.getpid(), started=processes.start_time(os.getpid()))
    assert claim(tmp_path, "b")["network"]["n"] == 65


def test_the_claim_of_a_dead_run_that_was_kept_is_left_alone(tmp_path: Path) -> None:
    claim(tmp_path, "a")
    own(tmp_path, "a", pid=os.getpid(), started=1, kept=True)
    assert claim(tmp_path, "b")["network"]["n"] == 65


def test_the_claim_of_a_run_without_directory_is_taken_over(tmp_path: Path) -> None:
    claim(tmp_path, "a", file=str(tmp_path / "elsewhere.json"))
    (tmp_path / "a").rmdir()
    assert claim(tmp_path, "b")["network"]["n"] == 64


@pytest.mark.parametrize("content", ["", "{", "[]", '{"state_dir": 7}'])
def test_a_broken_claim_counts_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/64.json").write_text(content)
    assert claim(tmp_path)["network"]["n"] == 64


def test_another_number_while_having_one_is_refused(tmp_path: Path) -> None:
    claim(tmp_path, number=70)
    with pytest.raises(network.NetworkError, match=r"has 127\.70\.0\.0/16 already"):
        claim(tmp_path, number=71)


def test_all_networks_taken_is_told(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    for number in range(64, 251):
        (tmp_path / f"locks/{number}.json").write_text(json.dumps({"run_id": "x", "state_dir": str(tmp_path)}))
    with pytest.raises(network.NetworkError, match="all networks"):
        claim(tmp_path)
