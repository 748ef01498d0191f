#!/usr/bin/python
# Copyright: Proving Ground contributors
# Apache-2.0 (see LICENSE)
"""Claim one of the networks 127.N.0.0/16 for a run."""

from __future__ import annotations

DOCUMENTATION = r"""
module: simulated_network
short_description: Claim one of the loopback networks 127.N.0.0/16 for a run
description:
  - A simulated cluster has fixed ports on 127.N.0.1 and gives its pods and Services addresses of
    127.N.0.0/16, so that clusters on one machine do not meet. This claims an N for a run, and writes
    what follows from it into a file.
  - An N whose ports are taken is passed over, or refused where it was asked for. The message names who
    holds the port.
  - A claim whose run is dead (the process that its C(owner.json) names is gone, and it was not meant to be
    kept), or whose directory is gone, is taken over once its ports are free.
options:
  run_id:
    description: The run that claims.
    type: str
    required: true
  state_dir:
    description: The run's private directory. Its C(owner.json) tells others whether the run still lives.
    type: path
    required: true
  file:
    description: Where the facts of the claimed network go; C(network.json) in I(state_dir)/sim if absent.
    type: path
  inventory_file:
    description: Where an inventory goes that tells C(simulated_network) to the playbooks that follow.
    type: path
  number:
    description: The N to claim; the first that is free if absent or 0.
    type: int
    default: 0
  ports:
    description: Ports on 127.N.0.1 that must be free.
    type: list
    elements: int
    default: [2379, 2380, 6443, 8081, 8082, 10247, 10250, 10257, 10259]
  pod_ports:
    description: Ports that simulated pods listen on, each on its own address, that must be free.
    type: list
    elements: int
    default: [8000]
  lock_directory:
    description: Where this user's claims are; C(~/.local/state/proving-ground/networks) (XDG) if absent.
    type: path
  state:
    description: Whether the run has a claim or gives it back.
    type: str
    choices: [present, absent]
    default: present
author:
  - Proving Ground contributors
"""

EXAMPLES = r"""
- name: Claim a network
  proving.ground.simulated_network:
    run_id: "{{ proving_ground_run_id }}"
    state_dir: "{{ proving_ground_state_dir }}"
  register: network
"""

RETURN = r"""
network:
  description: Facts of the network, as they are in the file.
  type: dict
  returned: when I(state=present)
  sample: {n: 64, address: 127.64.0.1, service_cidr: 127.64.240.0/20, pod_cidr: 127.64.128.1/17}
"""

import contextlib
import fcntl
import json
import os
import pathlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.proving.ground.plugins.module_utils import processes

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST = 64
LAST = 250


class NetworkError(Exception):
    """No network can be claimed; the message says why and what to do."""


@dataclass(frozen=True)
class Blocked:
    """A port that is taken, and who has it."""

    port: int
    holder: str
    everywhere: bool


def facts(number: int) -> dict[str, Any]:
    """Return what follows from N."""
    return {
        "n": number,
        "address": f"127.{number}.0.1",
        "cidr": f"127.{number}.0.0/16",
        "pod_cidr": f"127.{number}.128.1/17",
        "service_cidr": f"127.{number}.240.0/20",
        "service_address": f"127.{number}.240.1",
    }


def is_free(address: str, port: int) -> bool:
    """Tell whether one could listen there, by doing so."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def first_blocked(number: int, ports: list[int], pod_ports: list[int]) -> Blocked | None:
    """Return the first port of a network that is taken, None where all are free."""
    wanted = [(f"127.{number}.0.1", port) for port in ports]
    wanted += [(f"127.{number}.128.1", port) for port in pod_ports]
    for address, port in wanted:
        if not is_free(address, port):
            everywhere = any(host != address for host, _ in processes.blockers(address, port))
            return Blocked(port, processes.describe_holder(address, port), everywhere)
    return None


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """Return an object from a file; an empty one where there is none."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(path: pathlib.Path, content: dict[str, Any]) -> None:
    """Write a private file, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.touch(mode=0o600)
    temporary.write_text(json.dumps(content, indent=2) + "\n")
    temporary.replace(path)


def is_dead(claim: dict[str, Any]) -> bool:
    """Tell whether the run that claimed is over, so that its claim may be taken."""
    state_dir = claim.get("state_dir")
    if not isinstance(state_dir, str) or not pathlib.Path(state_dir).is_dir():
        return True
    owner = read_json(pathlib.Path(state_dir) / "owner.json")
    process = owner.get("process")
    if owner.get("kept") or not isinstance(process, dict):
        return False  # used without the pipeline, or meant to stay: it lives as long as its directory
    found = processes.start_time(process["pid"]) if isinstance(process.get("pid"), int) else None
    return found is None or found != process.get("started")


@contextlib.contextmanager
def locked(directory: pathlib.Path) -> Iterator[None]:
    """Hold this user's lock on claims."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "lock").open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


class Claims:
    """This user's claims: a file for each N."""

    def __init__(self, directory: pathlib.Path, run_id: str, state_dir: pathlib.Path) -> None:
        self.directory = directory
        self.run_id = run_id
        self.state_dir = state_dir

    def path(self, number: int) -> pathlib.Path:
        """Return the file of a claim."""
        return self.directory / f"{number}.json"

    def own(self) -> int | None:
        """Return the N that this run has."""
        mine = {"run_id": self.run_id, "state_dir": str(self.state_dir)}
        for number in range(FIRST, LAST + 1):
            if mine.items() <= read_json(self.path(number)).items():
                return number
        return None

    def why_not(self, number: int, ports: list[int], pod_ports: list[int]) -> str:
        """Return why an N cannot be had, an empty string where it can.

        Raises:
            NetworkError: A listener on every address makes all of them impossible.
        """
        claim = read_json(self.path(number))
        if claim and not is_dead(claim):
            return f"run {claim.get('run_id')} has it ({claim.get('state_dir')})"
        blocked = first_blocked(number, ports, pod_ports)
        if blocked and blocked.everywhere:
            raise NetworkError(f"port {blocked.port} is taken on every 127.N network: {blocked.holder}; stop it first")
        return blocked.holder if blocked else ""

    def choose(self, number: int, ports: list[int], pod_ports: list[int]) -> int:
        """Return the N to claim.

        Raises:
            NetworkError: The one that was asked for is taken, or all are.
        """
        if number:
            if not FIRST <= number <= LAST:
                raise NetworkError(f"network number {number} is not between {FIRST} and {LAST}")
            if reason := self.why_not(number, ports, pod_ports):
                raise NetworkError(f"127.{number}.0.0/16 cannot be used: {reason}; take another number or none")
            return number
        reason = ""
        for candidate in range(FIRST, LAST + 1):
            reason = self.why_not(candidate, ports, pod_ports)
            if not reason:
                return candidate
        raise NetworkError(f"all networks 127.{FIRST} to 127.{LAST} are taken, the last because {reason}")


def converge(parameters: dict[str, Any], *, check: bool) -> dict[str, Any]:
    """Claim or give back; the result is the module's."""
    state_dir = pathlib.Path(parameters["state_dir"])
    default = os.environ.get("XDG_STATE_HOME") or pathlib.Path.home() / ".local/state"
    directory = pathlib.Path(parameters["lock_directory"] or pathlib.Path(default) / "proving-ground/networks")
    file = pathlib.Path(parameters["file"] or state_dir / "sim/network.json")
    inventory = pathlib.Path(parameters["inventory_file"]) if parameters["inventory_file"] else None
    claims = Claims(directory, parameters["run_id"], state_dir)
    with locked(directory):
        own = claims.own()
        if parameters["state"] == "absent":
            changed = own is not None or file.exists()
            if not check:
                for path in (file, inventory) if inventory else (file,):
                    path.unlink(missing_ok=True)
                if own is not None:
                    claims.path(own).unlink(missing_ok=True)
            return {"changed": changed}
        wanted = parameters["number"]
        if own is not None and wanted not in {0, own}:
            raise NetworkError(f"run {claims.run_id} has 127.{own}.0.0/16 already; destroy it before number {wanted}")
        number = claims.choose(wanted, parameters["ports"], parameters["pod_ports"]) if own is None else own
        network: dict[str, Any] = facts(number)
        wanted_files = {file: network}
        if inventory:
            wanted_files[inventory] = {"all": {"vars": {"simulated_network": network}}}
        changed = own is None or any(read_json(path) != content for path, content in wanted_files.items())
        if changed and not check:
            write_json(claims.path(number), {"run_id": claims.run_id, "state_dir": str(state_dir)})
            for path, content in wanted_files.items():
                write_json(path, content)
    return {"changed": changed, "network": network}


def main() -> None:
    """Run as an Ansible module."""
    ports = [2379, 2380, 6443, 8081, 8082, 10247, 10250, 10257, 10259]
    module = AnsibleModule(
        argument_spec={
            "run_id": {"type": "str", "required": True},
            "state_dir": {"type": "path", "required": True},
            "file": {"type": "path"},
            "inventory_file": {"type": "path"},
            "number": {"type": "int", "default": 0},
            "ports": {"type": "list", "elements": "int", "default": ports},
            "pod_ports": {"type": "list", "elements": "int", "default": [8000]},
            "lock_directory": {"type": "path"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    try:
        result = converge(module.params, check=module.check_mode)
    except NetworkError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"the network could not be claimed: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
