# Copyright: Proving Ground contributors
# Apache-2.0 (see LICENSE)
"""The networks 10.N.0.0/16 of lab hosts: a podman network for the hosts, beside it what pods and Services get."""

from __future__ import annotations

import ipaddress
import json
import subprocess
from typing import Any

from ansible_collections.proving.ground.plugins.module_utils.podman import Podman, PodmanError

FIRST = 64
LAST = 250
LABEL = "proving.ground/run-id"
_TAKEN = "already"
_FIRST_HOST = 11


def name_of(run_id: str) -> str:
    """Return the name of a run's network."""
    return f"pg-{run_id}"


def facts(number: int, hosts: list[str]) -> dict[str, Any]:
    """Return what follows from N: networks, and the address of each host.

    Args:
        number: The N.
        hosts: Names of the hosts, the control plane first.
    """
    return {
        "n": number,
        "host_cidr": f"10.{number}.0.0/24",
        "gateway": f"10.{number}.0.1",
        "service_cidr": f"10.{number}.64.0/18",
        "pod_cidr": f"10.{number}.128.0/17",
        "hosts": {host: f"10.{number}.0.{_FIRST_HOST + index}" for index, host in enumerate(hosts)},
    }


def routed_elsewhere(number: int, routes: list[dict[str, Any]]) -> str:
    """Return the destination of the machine's own route that overlaps with 10.N.0.0/16; empty if there is none.

    Args:
        number: The N.
        routes: What ``ip -json route`` tells.
    """
    wanted = ipaddress.ip_network(f"10.{number}.0.0/16")
    for route in routes:
        text = str(route.get("dst", ""))
        if text == "default":
            continue
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            continue
        if network.version == wanted.version and network.overlaps(wanted):
            return text
    return ""


def machine_routes() -> list[dict[str, Any]]:
    """Return the machine's routes.

    Raises:
        PodmanError: The command ip is not there.
    """
    try:
        told = subprocess.run(["ip", "-json", "-4", "route", "show"], capture_output=True, check=False, timeout=30)
    except FileNotFoundError:
        raise PodmanError("there is no command ip on this machine: install iproute2") from None
    found: list[dict[str, Any]] = json.loads(told.stdout or b"[]")
    return found


def number_of(network: dict[str, Any]) -> int:
    """Return the N of a podman network."""
    subnet = str((network.get("subnets") or [{}])[0].get("subnet", "0.0.0.0/0"))
    return int(subnet.split(".")[1])


def existing(podman: Podman, run_id: str) -> int | None:
    """Return the N of the network that a run has; None if it has none."""
    found = podman.listed("network", f"{LABEL}={run_id}")
    return number_of(found[0]) if found else None


def create(podman: Podman, run_id: str, number: int, labels: dict[str, str]) -> int:
    """Make the network of a run, and return its N. That podman refuses a second one is the claim.

    Args:
        podman: The engine.
        run_id: The run.
        number: The N that is wanted; 0 takes the first that is free.
        labels: Labels beside that of the run.

    Raises:
        PodmanError: The wanted one is taken, or all are.
    """
    routes = machine_routes()
    words = [f"--label={key}={value}" for key, value in {LABEL: run_id, **labels}.items()]
    reason = ""
    for candidate in [number] if number else range(FIRST, LAST + 1):
        if route := routed_elsewhere(candidate, routes):
            reason = f"this machine has a route to {route} already"
            continue
        subnet = f"--subnet=10.{candidate}.0.0/24"
        # Internal: hosts reach each other and this machine, nothing beyond, and this machine forwards nothing.
        made = podman.attempt("network", "create", "--internal", subnet, *words, name_of(run_id))
        if made.returncode == 0:
            return candidate
        reason = made.stderr.decode(errors="replace").strip().splitlines()[-1]
        if _TAKEN not in reason and "used" not in reason:
            break
    if number:
        advice = "set lab_hosts_number to another one, or to 0 for the first that is free"
        raise PodmanError(f"10.{number}.0.0/16 (lab_hosts_number) cannot be had for lab hosts: {reason}; {advice}")
    raise PodmanError(f"no network of 10.{FIRST}.0.0/16 to 10.{LAST}.0.0/16 can be had for lab hosts: {reason}")
