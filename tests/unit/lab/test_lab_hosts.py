from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.proving.ground.plugins.module_utils import lab_network
from ansible_collections.proving.ground.plugins.module_utils.podman import PodmanError
from ansible_collections.proving.ground.plugins.modules import lab_hosts

if TYPE_CHECKING:
    from conftest import Commands

ADDRESSES = {"cp1": "10.64.0.11", "w1": "10.64.0.12"}

# A podman that remembers containers by files, and has one network once it was made.
PODMAN = """
there="{place}"
[ "$1" = --runtime ] && shift 2
case "$1 $2" in
    "ps --all")
        list=
        for file in "$there"/*.state; do
            [ -e "$file" ] || continue
            name=$(basename "$file" .state)
            list="$list${{list:+,}}{{\\"Names\\": [\\"$name\\"], \\"State\\": \\"$(cat "$file")\\"}}"
        done
        echo "[$list]" ;;
    "network ls") [ -e "$there/network" ] && cat "$there/network" || echo null ;;
    "network create") echo '[{{"name": "pg-r1", "subnets": [{{"subnet": "10.64.0.0/24"}}]}}]' >"$there/network" ;;
    "network rm") rm "$there/network" ;;
    "create "*) name=${{2#--name=}}; echo created >"$there/$name.state" ;;
    "cp -") cat >"$there/${{3%%:*}}.tar" ;;
    "start "*) echo running >"$there/$2.state" ;;
    "restart "*) echo running >"$there/$3.state" ;;
    "rm --force") rm -f "$there"/*.state ;;
    "inspect "*) echo true ;;
esac
"""


@pytest.fixture
def place(tmp_path: Path, commands: Commands, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a podman keeps what it has, on a machine of root whose hosts answer as soon as they run."""
    place = tmp_path / "podman"
    place.mkdir()
    commands.add("podman", PODMAN.format(place=place))
    commands.add("ip", "echo '[]'")
    commands.add("ssh")
    commands.add(
        "ssh-keygen", 'for last; do :; done; echo private >"$last"; echo "ssh-ed25519 AAAA$last x" >"$last.pub"'
    )
    monkeypatch.setattr(lab_hosts, "_SOCKETS", tmp_path / "sockets")
    monkeypatch.setattr(lab_hosts, "_MEMORY", tmp_path / "memory.force_empty")
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    def answers(address: str) -> bool:
        names = {value: f"pg-r1-{key}" for key, value in ADDRESSES.items()}
        state = place / f"{names[address]}.state"
        return state.exists() and state.read_text() == "running\n" and not (place / f"{names[address]}.deaf").exists()

    monkeypatch.setattr(lab_hosts, "answers", answers)
    return place


def hosts(tmp_path: Path, **changes: Any) -> lab_hosts.Hosts:
    parameters = {
        "run_id": "r1",
        "hosts": ["cp1", "w1"],
        "image": "image:1",
        "directory": str(tmp_path / "state/lab"),
        "inventory_file": str(tmp_path / "state/inventory/lab_hosts.json"),
        "number": 0,
        "labels": {"proving.ground/expires": "later"},
        "capabilities": ["SYS_ADMIN"],
        "volumes": ["/var/lib/kubelet"],
        "open_files": 1000,
        "processes": 100,
        "runtime": "runc",
        "timeout": 60,
    }
    return lab_hosts.Hosts(parameters | changes)


def verbs(commands: Commands) -> list[str]:
    return [call[2] if call[0] == "--runtime" else call[0] for call in commands.calls("podman")]


def call_of(commands: Commands, verb: str) -> list[str]:
    """Return the arguments of the first call of a verb."""
    return next(call for call in commands.calls("podman") if call[2] == verb)


@pytest.mark.usefixtures("place")
def test_hosts_are_made_with_what_is_listed_and_no_privileges(tmp_path: Path, commands: Commands) -> None:
    result = hosts(tmp_path).have(check=False)
    assert result["changed"] is True
    assert result["network"]["hosts"] == ADDRESSES
    words = call_of(commands, "create")
    assert {"--cap-add=SYS_ADMIN", "--ulimit=nofile=1000:1000", "--volume=/var/lib/kubelet", "image:1"} <= set(words)
    assert "--label=proving.ground/run-id=r1" in words
    assert "--label=proving.ground/expires=later" in words
    assert not [word for word in words if "privileged" in word]


@pytest.mark.usefixtures("place")
def test_hosts_that_are_there_stay_as_they_are(tmp_path: Path, commands: Commands) -> None:
    hosts(tmp_path).have(check=False)
    before = len(commands.calls("podman"))
    assert hosts(tmp_path).have(check=False)["changed"] is False
    assert verbs(commands)[before:] == ["network", "ps"]


def test_a_host_that_stopped_is_started_with_its_keys_put_there_anew(
    tmp_path: Path, place: Path, commands: Commands
) -> None:
    hosts(tmp_path).have(check=False)
    (place / "pg-r1-w1.state").write_text("exited\n")
    (place / "pg-r1-w1.tar").unlink()
    before = len(commands.calls("podman"))
    assert hosts(tmp_path).have(check=False)["changed"] is True
    assert verbs(commands)[before:] == ["network", "ps", "cp", "start"]
    assert (place / "pg-r1-w1.tar").exists()
    assert commands.calls("ssh")[-1][-3:] == ["-O", "exit", "w1"]


def test_a_host_that_runs_and_does_not_answer_is_restarted(
    tmp_path: Path, place: Path, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts(tmp_path).have(check=False)
    said = iter([True, False, True])
    monkeypatch.setattr(lab_hosts, "answers", lambda _address: next(said))
    before = len(commands.calls("podman"))
    assert hosts(tmp_path).have(check=False)["changed"] is True
    assert verbs(commands)[before:] == ["network", "ps", "cp", "restart"]
    assert place.exists()


def test_a_host_that_is_gone_is_made_again_with_the_key_that_it_had(
    tmp_path: Path, place: Path, commands: Commands
) -> None:
    hosts(tmp_path).have(check=False)
    known = (tmp_path / "state/lab/known_hosts").read_text()
    (place / "pg-r1-w1.state").unlink()
    hosts(tmp_path).have(check=False)
    assert verbs(commands)[-3:] == ["create", "cp", "start"]
    assert (tmp_path / "state/lab/known_hosts").read_text() == known


def test_a_host_that_never_answers_is_named_with_what_its_systemd_says(tmp_path: Path, place: Path) -> None:
    (place / "pg-r1-w1.deaf").touch()
    with pytest.raises(
        PodmanError, match=r"^host w1 \(10.64.0.12\) does not answer on port 22 within 2 s: its systemd"
    ):
        hosts(tmp_path, timeout=2).have(check=False)


@pytest.mark.usefixtures("place")
def test_a_check_makes_nothing(tmp_path: Path, commands: Commands) -> None:
    assert hosts(tmp_path).have(check=True)["changed"] is True
    assert verbs(commands) == ["network", "ps"]
    assert not (tmp_path / "state").exists()


def test_removal_leaves_neither_containers_nor_network_nor_files(
    tmp_path: Path, place: Path, commands: Commands
) -> None:
    hosts(tmp_path).have(check=False)
    assert hosts(tmp_path).remove(check=False) == {"changed": True}
    assert [path.name for path in place.iterdir() if path.suffix != ".tar"] == []
    assert list((tmp_path / "state").rglob("*.json")) == []
    assert not (tmp_path / "state/lab").exists()
    assert list((tmp_path / "sockets").iterdir()) == []
    assert [call[-1] for call in commands.calls("ssh")] == ["cp1", "w1"]
    assert "--volumes" in call_of(commands, "rm")


@pytest.mark.parametrize(("other", "written"), [(False, "0"), (True, "")])
def test_the_last_removal_lets_the_kernel_drop_ended_control_groups(
    tmp_path: Path, place: Path, commands: Commands, other: bool, written: str
) -> None:
    (tmp_path / "memory.force_empty").write_text("")
    hosts(tmp_path).have(check=False)
    if other:
        stays = 'rm --force") for name in cp1 w1; do rm "$there/pg-r1-$name.state"; done ;;'
        commands.add("podman", PODMAN.format(place=place).replace('rm --force") rm -f "$there"/*.state ;;', stays))
        (place / "of-others.state").write_text("running")
    hosts(tmp_path).remove(check=False)
    assert (tmp_path / "memory.force_empty").read_text() == written


@pytest.mark.usefixtures("place")
def test_removal_of_what_never_was_changes_nothing(tmp_path: Path) -> None:
    assert hosts(tmp_path).remove(check=False) == {"changed": False}


def test_removal_by_somebody_who_is_not_root_does_not_ask_podman(
    tmp_path: Path, place: Path, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.exists()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert hosts(tmp_path).remove(check=False) == {"changed": False}
    assert commands.calls("podman") == []


def test_ssh_knows_each_host_by_name_and_by_address_and_reads_nothing_of_the_user(tmp_path: Path) -> None:
    text = lab_hosts.ssh_config(tmp_path, ADDRESSES)
    assert "Host w1 10.64.0.12\n  HostName 10.64.0.12\n  HostKeyAlias w1\n" in text
    for line in ("StrictHostKeyChecking yes", "GlobalKnownHostsFile /dev/null", "IdentitiesOnly yes"):
        assert f"\n  {line}\n" in text


@pytest.mark.parametrize("length", [1, 200])
def test_the_path_of_a_socket_is_short_whatever_the_directory_is(tmp_path: Path, length: int) -> None:
    # %C is 40 digits, and ssh adds a dot and 16 characters while it makes one.
    assert len(str(lab_hosts.sockets_of(tmp_path / ("x" * length)))) + 1 + 40 + 17 <= 107


def test_names_of_all_hosts_are_in_the_file_of_each() -> None:
    lines = lab_hosts.hosts_file(ADDRESSES).splitlines()
    assert "10.64.0.11 cp1" in lines
    assert "10.64.0.12 w1" in lines
    assert lines[0] == "127.0.0.1 localhost"


@pytest.mark.usefixtures("place")
def test_a_host_gets_its_private_key_for_its_own_eyes_only(tmp_path: Path) -> None:
    hosts(tmp_path).have(check=False)
    content = lab_hosts.files_of(tmp_path / "state/lab", "w1", ADDRESSES)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        modes = {member.name: member.mode for member in archive}
        authorized = archive.extractfile("root/.ssh/authorized_keys")
        assert authorized is not None
        assert authorized.read() == (tmp_path / "state/lab/id_ed25519.pub").read_bytes()
    assert modes["etc/ssh/ssh_host_ed25519_key"] == 0o600
    assert modes["etc/hosts"] == 0o644


def test_the_inventory_tells_how_each_host_is_reached_and_that_it_shares_its_kernel(tmp_path: Path) -> None:
    network = lab_network.facts(64, list(ADDRESSES))
    told = lab_hosts.inventory(network, tmp_path / "ssh_config")["all"]
    assert told["hosts"]["w1"]["ansible_host"] == "10.64.0.12"
    assert told["hosts"]["w1"]["ansible_ssh_args"] == f"-F {tmp_path}/ssh_config"
    assert told["hosts"]["w1"]["shares_kernel"] is True
    assert json.loads(json.dumps(told))["vars"]["lab_network"] == network


def test_private_files_are_for_this_user_only_and_written_when_they_differ(tmp_path: Path) -> None:
    file = tmp_path / "new/file"
    assert lab_hosts.write_private(file, "a") is True
    assert lab_hosts.write_private(file, "a") is False
    assert lab_hosts.write_private(file, "b") is True
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["file"]


def test_a_machine_without_ssh_keygen_is_told_to_have_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PodmanError, match="install openssh-client"):
        lab_hosts.make_key(tmp_path / "key", "r1")


@pytest.mark.usefixtures("place")
def test_a_key_without_its_public_half_is_made_anew(tmp_path: Path) -> None:
    key = tmp_path / "key"
    assert lab_hosts.make_key(key, "r1") is True
    assert lab_hosts.make_key(key, "r1") is False
    key.with_suffix(".pub").unlink()
    assert lab_hosts.make_key(key, "r1") is True
