"""Addresses and ports that somebody else has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Lab


@pytest.fixture
def other(new_lab: Callable[..., Lab]) -> Lab:
    """Another lab of one host, of which nothing is there yet."""
    return new_lab(["cp1"], [])


def network_of(lab: Lab) -> int:
    return int(json.loads((lab.state / "lab/network.json").read_text())["n"])


def test_a_network_that_is_taken_is_named_and_the_first_that_is_free_is_had_without_a_number(
    cluster: Lab, other: Lab
) -> None:
    taken = network_of(cluster)
    outcome = other.phase("create", lab_hosts_number=taken)
    assert outcome.status == "failed"
    assert outcome.cause.startswith(f"10.{taken}.0.0/16 (lab_hosts_number) cannot be had for lab hosts: ")
    assert "set lab_hosts_number to another one, or to 0 for the first that is free" in outcome.cause
    assert other.phase("create").cause == ""
    assert network_of(other) != taken


@pytest.mark.weekly  # it makes a control plane of its own
def test_a_port_of_the_control_plane_that_is_taken_is_named_and_provision_goes_on_when_it_is_free(other: Lab) -> None:
    assert other.phase("create").cause == ""
    other.shell("cp1", "systemd-run --unit=squatter socat TCP-LISTEN:6443,fork EXEC:cat")
    outcome = other.phase("provision")
    assert outcome.status == "failed"
    assert outcome.cause.startswith("cp1: kubeadm could not make a control plane here: Port 6443 is in use; ")
    other.shell("cp1", "systemctl stop squatter")
    assert other.phase("provision").cause == ""
    other.assert_ready("cp1")
