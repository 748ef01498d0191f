"""Hosts that SSH does not get to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Lab


def test_a_host_whose_sshd_stopped_is_named_and_the_next_create_has_it_back(cluster: Lab) -> None:
    cluster.shell("w1", "systemctl stop ssh")
    cluster.forget_connections()
    outcome = cluster.play("cluster_nodes", "container_runtime")
    assert outcome.status == "failed"
    assert outcome.cause.startswith("w1: unreachable: ")
    assert "; start sshd there, or correct ansible_host and ansible_port" in outcome.cause
    assert cluster.phase("create").cause == ""
    assert cluster.play("cluster_nodes", "container_runtime").cause == ""
    cluster.assert_ready("w1")


def test_a_host_that_has_another_key_than_the_one_that_is_pinned_is_refused_and_create_pins_it_again(
    cluster: Lab,
) -> None:
    known = cluster.state / "lab/known_hosts"
    before = known.read_text()
    keys = dict(line.split(" ", 1) for line in before.splitlines())
    known.write_text(f"cp1 {keys['cp1']}\nw1 {keys['cp1']}\n")
    cluster.forget_connections()
    outcome = cluster.play("cluster_nodes", "container_runtime")
    assert outcome.status == "failed"
    said = f"w1: unreachable: the host has another SSH key than the one in {known}"
    assert outcome.cause.startswith(f"{said}:2; if that is right, remove the old one there")
    assert cluster.phase("create").cause == ""
    assert known.read_text() == before
    assert cluster.play("cluster_nodes", "container_runtime").cause == ""
