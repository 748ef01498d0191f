#!/usr/bin/python
# Copyright: Proving Ground contributors
# Apache-2.0 (see LICENSE)
"""Have systemd hosts as containers of podman, reached over SSH."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_hosts
short_description: Have systemd hosts as containers of podman, reached over SSH
description:
  - Makes, or removes, the hosts of one run with a network of their own, an SSH key, and a host key for each that is
    known before the host starts. Hosts that stopped are started, those that do not answer are restarted, and those
    that are gone are made again.
  - Hosts get the capabilities that are listed, and a kernel whose settings they cannot write except those of their
    own network. They are not privileged.
  - Writes I(directory)/network.json, ssh_config, known_hosts, id_ed25519, and an inventory.
options:
  run_id:
    description: The run that the hosts belong to. Containers and the network carry it as a label.
    type: str
    required: true
  hosts:
    description: Names of the hosts, the control plane first.
    type: list
    elements: str
    default: []
  image:
    description: Image of the hosts. Required with I(state=present).
    type: str
  directory:
    description: Private directory for keys and what is told about the hosts.
    type: path
    required: true
  inventory_file:
    description: Where an inventory goes that tells how each host is reached; none if absent.
    type: path
  number:
    description: The N of the network 10.N.0.0/16; the first that is free if 0.
    type: int
    default: 0
  labels:
    description: Labels of the containers and the network, beside that of the run.
    type: dict
    default: {}
  capabilities:
    description: Capabilities beside podman's default ones.
    type: list
    elements: str
    default: []
  volumes:
    description: Paths that are volumes, because an overlay cannot be made on an overlay, and for speed.
    type: list
    elements: str
    default: [/var/lib/containerd, /var/lib/kubelet, /var/lib/etcd]
  open_files:
    description: Limit of open files of a host's first process.
    type: int
    default: 20000
  processes:
    description: Limit of its processes.
    type: int
    default: 10000
  runtime:
    description: OCI runtime of podman.
    type: str
    default: runc
  timeout:
    description: Seconds within which all hosts must be up.
    type: int
    default: 60
  state:
    description: Whether the hosts are there.
    type: str
    choices: [present, absent]
    default: present
author:
  - Proving Ground contributors
"""

EXAMPLES = r"""
- name: Have three hosts
  proving.ground.lab_hosts:
    run_id: "{{ proving_ground_run_id }}"
    hosts: [cp1, gpu1, gpu2]
    image: localhost/proving-ground/lab-host:0123456789ab
    directory: "{{ proving_ground_state_dir }}/lab"
"""

RETURN = r"""
network:
  description: Networks, and the address of each host.
  type: dict
  returned: when I(state=present)
  sample: {n: 64, host_cidr: 10.64.0.0/24, gateway: 10.64.0.1, pod_cidr: 10.64.128.0/17, hosts: {cp1: 10.64.0.11}}
ssh_config:
  description: File for C(ssh -F).
  type: str
  returned: when I(state=present)
"""

import concurrent.futures
import contextlib
import ctypes
import hashlib
import io
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tarfile
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.proving.ground.plugins.module_utils import lab_network
from ansible_collections.proving.ground.plugins.module_utils.podman import Podman, PodmanError

_KEY = "id_ed25519"
# Only root has lab hosts.
_SOCKETS = pathlib.Path("/run/proving-ground")
# Instances of inotify that systemd, dbus, containerd and a kubelet have, counted on a host of a cluster.
_WATCHES = 12
# Where control groups of version 1 account memory of podman's containers.
_MEMORY = pathlib.Path("/sys/fs/cgroup/memory/libpod_parent/memory.force_empty")
# With control groups of version 1 podman mounts the machine's own hierarchy of systemd over that of the container. All
# hosts would share it, and one that is shut down removes the groups of the others, whose kubelets then never start
# again. What lies below is the host's own.
_FIRST = (
    "/bin/sh",
    "-c",
    """at=/sys/fs/cgroup/systemd
if [ "$(grep -c " $at " /proc/self/mountinfo)" -gt 1 ]; then
    umount "$at/release_agent"
    umount "$at" && mount -o remount,bind,rw "$at"
fi
exec /sbin/init
""",
)


def container_name(run_id: str, host: str) -> str:
    """Return the name of a host's container."""
    return f"pg-{run_id}-{host}"


def write_private(path: pathlib.Path, text: str) -> bool:
    """Write a file for this user's eyes only, whole or not at all; return whether it changed."""
    if path.is_file() and path.read_text() == text:
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    temporary.replace(path)
    return True


def make_key(path: pathlib.Path, comment: str) -> bool:
    """Make an SSH key without a passphrase where there is none; return whether it was made.

    Raises:
        PodmanError: ssh-keygen is not there, or failed.
    """
    if path.is_file() and path.with_suffix(".pub").is_file():
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
    try:
        result = subprocess.run(command, capture_output=True, check=False, timeout=30)
    except FileNotFoundError:
        raise PodmanError("there is no ssh-keygen on this machine: install openssh-client") from None
    if result.returncode:
        raise PodmanError(f"ssh-keygen: {result.stderr.decode(errors='replace').strip()}")
    return True


def sockets_of(directory: pathlib.Path) -> pathlib.Path:
    """Return where ssh keeps connections open: the path of a socket may have 107 characters, so not in the directory.

    Source: sun_path of unix(7); ssh adds 17 characters while it makes one.
    """
    return _SOCKETS / hashlib.sha256(str(directory).encode()).hexdigest()[:12]


def ssh_config(directory: pathlib.Path, addresses: dict[str, str]) -> str:
    """Return a configuration for ssh that knows each host by its name and by its address, and nothing else."""
    lines = ["# Made by the role lab_hosts. Everything about these hosts is here; nothing of the user's own is read."]
    for host, address in addresses.items():
        lines += [f"Host {host} {address}", f"  HostName {address}", f"  HostKeyAlias {host}"]
    lines += [
        "Host *",
        "  User root",
        f"  IdentityFile {directory / _KEY}",
        "  IdentitiesOnly yes",
        f"  UserKnownHostsFile {directory / 'known_hosts'}",
        "  GlobalKnownHostsFile /dev/null",
        "  StrictHostKeyChecking yes",
        "  ConnectTimeout 10",
        "  ControlMaster auto",
        f"  ControlPath {sockets_of(directory)}/%C",
        "  ControlPersist 60",
        "  LogLevel ERROR",
    ]
    return "\n".join(lines) + "\n"


def inventory(network: dict[str, Any], config: pathlib.Path) -> dict[str, Any]:
    """Return an inventory that tells how each host is reached, and that they share the machine's kernel."""
    hosts = {
        host: {
            "ansible_host": address,
            "ansible_user": "root",
            "ansible_connection": "ssh",
            "ansible_ssh_args": f"-F {config}",
            "shares_kernel": True,
        }
        for host, address in network["hosts"].items()
    }
    return {"all": {"hosts": hosts, "vars": {"lab_network": network, "lab_ssh_config": str(config)}}}


def hosts_file(addresses: dict[str, str]) -> str:
    """Return the file hosts(5) of each host."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    return "\n".join([*lines, *(f"{address} {host}" for host, address in addresses.items())]) + "\n"


def answers(address: str) -> bool:
    """Tell whether sshd answers at an address."""
    try:
        with socket.create_connection((address, 22), timeout=2) as stream:
            stream.settimeout(5)
            return stream.recv(4) == b"SSH-"
    except OSError:
        return False


def why_hosts_end() -> str:
    """Return the reason that is to be seen: systemd does not begin without instances of inotify(7)."""
    taken = []
    try:
        with contextlib.suppress(OSError):
            libc = ctypes.CDLL(None, use_errno=True)
            while len(taken) < _WATCHES and (instance := libc.inotify_init1(os.O_CLOEXEC)) >= 0:
                taken.append(instance)
    finally:
        for instance in taken:
            os.close(instance)
    if len(taken) < _WATCHES:
        return (
            f"this machine has {len(taken)} instances of inotify left, and a host needs {_WATCHES}: remove other hosts "
            f"and containers with systemd, or raise fs.inotify.max_user_instances on the machine"
        )
    return "podman start --attach shows what it says"


def files_of(directory: pathlib.Path, host: str, addresses: dict[str, str]) -> bytes:
    """Return an archive with the keys of a host and the names of all, as they belong into it."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for target, data, mode in (
            ("etc/ssh/ssh_host_ed25519_key", (directory / "host_keys" / host).read_bytes(), 0o600),
            ("etc/ssh/ssh_host_ed25519_key.pub", (directory / "host_keys" / f"{host}.pub").read_bytes(), 0o644),
            ("root/.ssh/authorized_keys", (directory / f"{_KEY}.pub").read_bytes(), 0o600),
            ("etc/hosts", hosts_file(addresses).encode(), 0o644),
        ):
            entry = tarfile.TarInfo(target)
            entry.size, entry.mode, entry.mtime = len(data), mode, int(time.time())
            archive.addfile(entry, io.BytesIO(data))
    return content.getvalue()


class Hosts:
    """The hosts of one run.

    Args:
        parameters: The module's.
    """

    def __init__(self, parameters: dict[str, Any]) -> None:
        self._given = parameters
        self._run_id: str = parameters["run_id"]
        self._directory = pathlib.Path(parameters["directory"])
        self._podman = Podman(parameters["runtime"])
        self._until = time.monotonic() + parameters["timeout"]

    def containers(self) -> dict[str, dict[str, Any]]:
        """Return the run's containers by name."""
        found = self._podman.listed("container", f"{lab_network.LABEL}={self._run_id}")
        return {str(entry["Names"][0]): entry for entry in found}

    def have(self, *, check: bool) -> dict[str, Any]:
        """Make what is missing, start what stopped, and wait until all answer; return the module's result.

        Raises:
            PodmanError: Something cannot be had.
        """
        wanted: list[str] = self._given["hosts"]
        number = lab_network.existing(self._podman, self._run_id)
        there = self.containers()
        names = {host: container_name(self._run_id, host) for host in wanted}
        running = {host for host, name in names.items() if there.get(name, {}).get("State") == "running"}
        addresses = lab_network.facts(number or 0, wanted)["hosts"]
        up = {host for host in running if answers(addresses[host])}
        changed = number is None or len(up) < len(wanted)
        if check:
            network = lab_network.facts(number or self._given["number"] or lab_network.FIRST, wanted)
            return {"changed": changed, "network": network, "ssh_config": str(self._directory / "ssh_config")}
        if there and not (self._directory / _KEY).is_file():
            # The key to them is lost: nobody gets in.
            self._podman.run("rm", "--force", "--volumes", "--time=0", *there)
            there, up = {}, set()
        if number is None:
            number = lab_network.create(self._podman, self._run_id, self._given["number"], self._given["labels"])
        network = lab_network.facts(number, wanted)
        changed |= self._tell(network)
        down = [host for host in wanted if host not in up]
        with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, len(down))) as pool:
            states = {host: there.get(names[host], {}).get("State", "") for host in down}
            list(pool.map(lambda host: self._bring_up(host, network, states[host]), down))
        return {"changed": changed, "network": network, "ssh_config": str(self._directory / "ssh_config")}

    def _tell(self, network: dict[str, Any]) -> bool:
        """Have keys and the files that tell of the hosts; return whether something changed."""
        changed = make_key(self._directory / _KEY, f"proving-ground run {self._run_id}")
        known = []
        for host in network["hosts"]:
            key = self._directory / "host_keys" / host
            changed |= make_key(key, host)
            known.append(f"{host} {' '.join(key.with_suffix('.pub').read_text().split()[:2])}\n")
        config = self._directory / "ssh_config"
        sockets_of(self._directory).mkdir(mode=0o700, parents=True, exist_ok=True)
        changed |= write_private(self._directory / "known_hosts", "".join(known))
        changed |= write_private(config, ssh_config(self._directory, network["hosts"]))
        changed |= write_private(self._directory / "network.json", json.dumps(network, indent=2) + "\n")
        if self._given["inventory_file"]:
            text = json.dumps(inventory(network, config), indent=2) + "\n"
            changed |= write_private(pathlib.Path(self._given["inventory_file"]), text)
        return changed

    def _bring_up(self, host: str, network: dict[str, Any], state: str) -> None:
        """Make a host, or start it again; its keys are put there anew, for who made it may have been interrupted.

        Args:
            host: Name of the host.
            network: Networks and addresses.
            state: What podman says of its container; empty if there is none.
        """
        name = container_name(self._run_id, host)
        if not state:
            self._podman.run(*self._creation(name, host, network))
        else:
            self._close_connection(host)
        self._podman.run("cp", "-", f"{name}:/", stdin=files_of(self._directory, host, network["hosts"]))
        self._podman.run(*(["restart", "--time=5"] if state == "running" else ["start"]), name)
        self._await(host, name, network["hosts"][host])

    def _creation(self, name: str, host: str, network: dict[str, Any]) -> list[str]:
        given = self._given
        labels = {lab_network.LABEL: self._run_id, **given["labels"]}
        return [
            "create",
            f"--name={name}",
            f"--hostname={host}",
            f"--network={lab_network.name_of(self._run_id)}",
            f"--ip={network['hosts'][host]}",
            *(f"--label={key}={value}" for key, value in labels.items()),
            # Their own hosts file: podman would hand on the machine's.
            "--no-hosts",
            "--systemd=always",
            "--cgroupns=private",
            *(f"--cap-add={capability}" for capability in given["capabilities"]),
            # Devices of containers in it: the runtime there allows each what it may have.
            "--device-cgroup-rule=a *:* rwm",
            "--sysctl=net.ipv4.ip_forward=1",
            f"--ulimit=nofile={given['open_files']}:{given['open_files']}",
            f"--ulimit=nproc={given['processes']}:{given['processes']}",
            "--log-driver=none",
            *(f"--volume={path}" for path in given["volumes"]),
            str(given["image"]),
            *_FIRST,
        ]

    def _await(self, host: str, name: str, address: str) -> None:
        """Wait until SSH answers; systemd starts it last of what a host needs.

        Raises:
            PodmanError: It does not in time; the message says what the host's systemd says.
        """
        look = time.monotonic() + 1
        while time.monotonic() < self._until:
            if time.monotonic() > look:
                look += 2
                if self._podman.attempt("inspect", "--format={{.State.Running}}", name).stdout.strip() == b"false":
                    raise PodmanError(f"host {host} ended as soon as it began; {why_hosts_end()}")
            if answers(address):
                return
            time.sleep(0.05)
        state = self._podman.attempt("exec", name, "systemctl", "is-system-running").stdout.decode().strip()
        failed = self._podman.attempt("exec", name, "systemctl", "--failed", "--plain", "--no-legend").stdout.decode()
        units = ", ".join(line.split()[0] for line in failed.splitlines() if line.strip())
        raise PodmanError(
            f"host {host} ({address}) does not answer on port 22 within {self._given['timeout']} s: its systemd says "
            f"{state or 'nothing'}{f', failed: {units}' if units else ''}; look with: podman exec {name} journalctl"
        )

    def remove(self, *, check: bool) -> dict[str, Any]:
        """Remove containers with their volumes, the network, and the files; return the module's result."""
        # Nobody else can have made any, and podman would fail for some.
        possible = os.geteuid() == 0 and shutil.which("podman") is not None
        there = self.containers() if possible else {}
        networks = self._podman.listed("network", f"{lab_network.LABEL}={self._run_id}") if possible else []
        inventory_file = self._given["inventory_file"]
        changed = bool(there or networks) or self._directory.exists()
        if check:
            return {"changed": changed}
        self._close_connections()
        if there:
            self._podman.run("rm", "--force", "--volumes", "--time=0", *there)
            self._forget_groups()
        for network in networks:
            self._podman.run("network", "rm", "--force", str(network["name"]))
        for path in (self._directory, sockets_of(self._directory)):
            shutil.rmtree(path, ignore_errors=True)
        if inventory_file:
            pathlib.Path(inventory_file).unlink(missing_ok=True)
        return {"changed": changed}

    def _forget_groups(self) -> None:
        """Let the kernel drop the control groups that ended with the hosts.

        With version 1 each stays as long as a page of a file is charged to it: hundreds after a cluster, and whatever
        starts or ends on the machine takes twice as long then. Containers of others would lose cached pages, too, so
        that the last run does it.
        """
        if _MEMORY.exists() and not self._podman.listed("container"):
            with contextlib.suppress(OSError):
                _MEMORY.write_text("0")

    def _close_connections(self) -> None:
        """End the ssh processes that keep connections open for those that come after."""
        try:
            hosts = json.loads((self._directory / "network.json").read_text())["hosts"]
        except (OSError, ValueError, KeyError):
            return
        for host in hosts:
            self._close_connection(host)

    def _close_connection(self, host: str) -> None:
        """End the ssh process that keeps a connection to one host: it would not notice that the host began anew."""
        command = ["ssh", "-F", str(self._directory / "ssh_config"), "-O", "exit", host]
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, capture_output=True, check=False, timeout=10, stdin=subprocess.DEVNULL)


def main() -> None:
    """Run as an Ansible module."""
    volumes = ["/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd"]
    module = AnsibleModule(
        argument_spec={
            "run_id": {"type": "str", "required": True},
            "hosts": {"type": "list", "elements": "str", "default": []},
            "image": {"type": "str"},
            "directory": {"type": "path", "required": True},
            "inventory_file": {"type": "path"},
            "number": {"type": "int", "default": 0},
            "labels": {"type": "dict", "default": {}},
            "capabilities": {"type": "list", "elements": "str", "default": []},
            "volumes": {"type": "list", "elements": "str", "default": volumes},
            "open_files": {"type": "int", "default": 20000},
            "processes": {"type": "int", "default": 10000},
            "runtime": {"type": "str", "default": "runc"},
            "timeout": {"type": "int", "default": 60},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["image", "hosts"])],
        supports_check_mode=True,
    )
    hosts = Hosts(module.params)
    try:
        if module.params["state"] == "present":
            result = hosts.have(check=module.check_mode)
        else:
            result = hosts.remove(check=module.check_mode)
    except PodmanError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"the lab hosts could not be managed: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
