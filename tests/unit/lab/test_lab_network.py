from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING

import pytest
from ansible_collections.proving.ground.plugins.module_utils import lab_network
from ansible_collections.proving.ground.plugins.module_utils.podman import Podman, PodmanError

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Commands

TAKEN = "echo 'Error: subnet 10.64.0.0/24 is already used on the host or by another config' >&2; exit 125"


def test_every_host_has_an_address_of_its_own_in_the_order_of_their_names() -> None:
    facts = lab_network.facts(70, ["cp1", "w1", "w2"])
    assert facts["hosts"] == {"cp1": "10.70.0.11", "w1": "10.70.0.12", "w2": "10.70.0.13"}
    assert facts["host_cidr"] == "10.70.0.0/24"
    assert facts["gateway"] == "10.70.0.1"


@pytest.mark.parametrize("count", [1, 200])
def test_the_last_of_all_hosts_is_still_in_their_network(count: int) -> None:
    last = list(lab_network.facts(64, [f"h{number}" for number in range(count)])["hosts"].values())[-1]
    assert int(last.split(".")[3]) < 255


def test_hosts_pods_and_services_have_networks_that_do_not_overlap() -> None:
    facts = lab_network.facts(64, [])
    networks = [ipaddress.ip_network(facts[key]) for key in ("host_cidr", "service_cidr", "pod_cidr")]
    assert [(a, b) for a in networks for b in networks if a is not b and a.overlaps(b)] == []


@pytest.mark.parametrize(
    ("destination", "found"),
    [
        ("10.64.0.0/24", True),
        ("10.64.128.0/17", True),
        ("10.0.0.0/8", True),
        ("10.64.3.7", True),
        ("10.65.0.0/16", False),
        ("192.0.2.0/24", False),
        ("default", False),
        ("fe80::/64", False),
        ("", False),
        ("unreachable", False),
    ],
)
def test_a_route_into_the_network_is_one_that_overlaps_and_not_the_default_one(destination: str, found: bool) -> None:
    assert lab_network.routed_elsewhere(64, [{"dst": destination}]) == (destination if found else "")


def test_the_number_of_a_network_is_in_its_subnet() -> None:
    assert lab_network.number_of({"subnets": [{"subnet": "10.99.0.0/24"}]}) == 99


def test_a_network_without_a_subnet_has_the_number_of_nothing() -> None:
    assert lab_network.number_of({}) == 0
    assert lab_network.number_of({"subnets": None}) == 0


@pytest.mark.parametrize("said", ["null", "[]", ""])
def test_a_run_without_a_network_has_no_number(commands: Commands, said: str) -> None:
    commands.add("podman", f"echo '{said}'")
    assert lab_network.existing(Podman(), "r1") is None


def test_a_run_with_a_network_has_its_number(commands: Commands) -> None:
    commands.add("podman", "echo '" + json.dumps([{"subnets": [{"subnet": "10.77.0.0/24"}]}]) + "'")
    assert lab_network.existing(Podman(), "r1") == 77
    assert "label=proving.ground/run-id=r1" in commands.calls("podman")[0]


def test_the_first_free_network_is_made_internal_with_the_labels_of_the_run(commands: Commands) -> None:
    commands.add("ip", "echo '[]'")
    commands.add("podman")
    assert lab_network.create(Podman(), "r1", 0, {"proving.ground/expires": "later"}) == 64
    (call,) = commands.calls("podman")
    assert call == [
        *("network", "create", "--internal", "--subnet=10.64.0.0/24"),
        *("--label=proving.ground/run-id=r1", "--label=proving.ground/expires=later", "pg-r1"),
    ]


def test_networks_that_this_machine_leads_elsewhere_or_podman_has_already_are_passed_over(commands: Commands) -> None:
    commands.add("ip", """echo '[{"dst": "default"}, {"dst": "10.64.0.0/16"}]'""")
    commands.add("podman", f'case "$*" in *10.65.*) {TAKEN} ;; esac')
    assert lab_network.create(Podman(), "r1", 0, {}) == 66


def test_a_wanted_network_with_a_route_is_refused_with_the_route_and_what_to_do(commands: Commands) -> None:
    commands.add("ip", """echo '[{"dst": "10.64.0.0/24"}]'""")
    commands.add("podman")
    with pytest.raises(PodmanError) as raised:
        lab_network.create(Podman(), "r1", 64, {})
    assert str(raised.value) == (
        "10.64.0.0/16 (lab_hosts_number) cannot be had for lab hosts: "
        "this machine has a route to 10.64.0.0/24 already; "
        "set lab_hosts_number to another one, or to 0 for the first that is free"
    )
    assert commands.calls("podman") == []


def test_a_wanted_network_that_podman_has_already_is_refused_with_its_words(commands: Commands) -> None:
    commands.add("ip", "echo '[]'")
    commands.add("podman", TAKEN)
    with pytest.raises(PodmanError, match=r"64.0.0/16 .* subnet 10.64.0.0/24 is already used .*; set lab_hosts_number"):
        lab_network.create(Podman(), "r1", 64, {})


def test_a_podman_that_can_make_no_network_at_all_is_asked_once(commands: Commands) -> None:
    commands.add("ip", "echo '[]'")
    commands.add("podman", "echo 'Error: could not find netavark' >&2; exit 125")
    with pytest.raises(PodmanError, match=r"no network of 10.64.0.0/16 to 10.250.0.0/16 .*could not find netav"):
        lab_network.create(Podman(), "r1", 0, {})
    assert len(commands.calls("podman")) == 1


def test_a_machine_without_the_command_ip_is_told_to_have_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PodmanError, match="install iproute2"):
        lab_network.machine_routes()
