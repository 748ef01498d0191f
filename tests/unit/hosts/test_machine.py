"""How hosts are reached, and what is said where they are not."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.contracts.platform import Host, Platform
from proving_ground.errors import InfrastructureError
from proving_ground.hosts import transport
from proving_ground.hosts.machine import Machine, machines_of, on_all

if TYPE_CHECKING:
    from collections.abc import Callable

    Ssh = Callable[..., Machine]


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ssh:
    """Put a program named ssh on PATH, and return a host that is reached by it."""
    monkeypatch.setattr(transport, "_SLICE", 0.02)
    monkeypatch.setattr("proving_ground.hosts.machine._PAUSE", 0.0)

    def make(script: str, **declared: object) -> Machine:
        program = tmp_path / "bin" / "ssh"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\nfor command; do :; done\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        return Machine.of(Host(name="gpu1", ssh_config="/state/ssh_config", declared=declared))

    return make


def failing(machine: Machine, **options: Any) -> str:
    with pytest.raises(InfrastructureError) as raised:
        asyncio.run(machine.run("true", **options))
    return str(raised.value)


def test_a_command_comes_back_with_its_status_and_both_outputs(ssh: Ssh) -> None:
    machine = ssh('eval "$command"')

    output = asyncio.run(machine.run("echo grün; echo bad >&2; exit 3"))

    assert (output.rc, output.stdout, output.stderr) == (3, "grün\n", "bad\n")


def test_what_is_no_utf_8_is_replaced(ssh: Ssh) -> None:
    assert asyncio.run(ssh(r"printf 'a\377b'").run("true")).stdout == "a\ufffdb"


def test_a_host_is_asked_with_the_file_that_knows_it_and_never_for_a_password(ssh: Ssh) -> None:
    said = asyncio.run(ssh('echo "$@"').run("hostname")).stdout

    assert "-F /state/ssh_config" in said
    assert "BatchMode=yes" in said
    assert " gpu1 " in said


def test_a_host_of_this_machine_needs_no_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine.of(Host(name="here"))
    monkeypatch.setattr("shutil.which", lambda _: None)

    assert asyncio.run(machine.run("echo here")).stdout == "here\n"


def test_a_host_that_declares_sudo_runs_commands_by_it(ssh: Ssh) -> None:
    assert asyncio.run(ssh('echo "$command"', sudo=True).run("id")).stdout.startswith("sudo /bin/sh -c")


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("root@10.64.0.12: Permission denied (publickey).", "does the host know the key"),
        ("ssh: connect to host 10.64.0.12 port 22: Connection refused", "is sshd running there?"),
        ("ssh: connect to host 10.64.0.12 port 22: Connection timed out", "is the host up"),
        ("Host key verification failed.", "was it made anew?"),
        ("ssh: Could not resolve hostname gpu1: Name or service not known", "names no address"),
        ("Can't open user config file /state/ssh_config: No such file or directory", "private state directory"),
        ("", "said nothing"),
    ],
)
def test_a_host_that_cannot_be_reached_is_told_with_the_cause_and_what_to_do(ssh: Ssh, said: str, advice: str) -> None:
    message = failing(ssh(f'echo "{said}" >&2; exit 255'))

    assert message.startswith("gpu1: the host cannot be reached over SSH for `true`")
    assert said.rstrip(".") in message
    assert advice in message
    assert "try: ssh -F /state/ssh_config gpu1 true" in message


def test_a_connection_that_was_dropped_before_it_was_made_is_made_again(ssh: Ssh, tmp_path: Path) -> None:
    machine = ssh(
        f"test -e {tmp_path}/again && exec echo there\n"
        f"touch {tmp_path}/again; echo 'kex_exchange_identification: read: Connection reset by peer' >&2; exit 255"
    )

    assert asyncio.run(machine.run("true")).stdout == "there\n"


def test_a_connection_that_is_always_dropped_is_told(ssh: Ssh) -> None:
    message = failing(ssh("echo 'kex_exchange_identification: Connection closed by remote host' >&2; exit 255"))

    assert "kex_exchange_identification" in message


def test_a_command_that_takes_too_long_is_ended(ssh: Ssh, tmp_path: Path) -> None:
    machine = ssh(f"echo $$ > {tmp_path}/pid; sleep 60 & wait")

    message = failing(machine, timeout=0.3)

    assert "expected an answer to `true` within 0.3 s" in message
    assert ends(int((tmp_path / "pid").read_text()))


def test_a_command_that_nobody_waits_for_any_more_is_ended(ssh: Ssh, tmp_path: Path) -> None:
    machine = ssh(f"echo $$ > {tmp_path}/pid; sleep 60")

    async def cancel() -> None:
        task = asyncio.create_task(machine.run("true"))
        while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    started = time.monotonic()
    asyncio.run(cancel())

    assert time.monotonic() - started < 15
    assert ends(int((tmp_path / "pid").read_text()))


def ends(pid: int) -> bool:
    """Wait until a process is no more than what its parent has not asked for yet."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
    return False


def test_without_a_client_of_ssh_its_absence_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)

    assert "there is no ssh on PATH" in failing(Machine.of(Host(name="gpu1", ssh_config="/state/ssh_config")))


def test_an_error_of_the_question_itself_is_left_as_it_is(ssh: Ssh) -> None:
    def question(_: Any) -> None:
        raise RuntimeError("the question is wrong")

    with pytest.raises(RuntimeError, match="the question is wrong"):
        asyncio.run(ssh("true").ask(question))


def test_all_hosts_are_asked_and_answer_by_their_names() -> None:
    machines = [Machine.of(Host(name=name)) for name in ("a", "b")]

    async def ask(machine: Machine) -> str:
        return machine.name.upper()

    assert asyncio.run(on_all(machines, ask)) == {"a": "A", "b": "B"}


def test_the_first_host_that_cannot_be_asked_is_told() -> None:
    machines = [Machine.of(Host(name=name)) for name in ("a", "b")]

    async def ask(machine: Machine) -> str:
        if machine.name == "b":
            raise InfrastructureError("it is down", where="b")
        await asyncio.sleep(60)
        return ""

    with pytest.raises(InfrastructureError, match="b: it is down"):
        asyncio.run(on_all(machines, ask))


def test_a_platform_without_hosts_is_told() -> None:
    platform = Platform.model_validate({"run_id": "r", "inventory": "i", "clock": {"started": "2026-01-02T03:04:05Z"}})

    with pytest.raises(InfrastructureError, match="the platform has no hosts"):
        machines_of(platform)
