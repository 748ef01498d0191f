from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from ansible_collections.proving.ground.plugins.module_utils import processes

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def row(address: str, state: str, inode: int) -> str:
    return (
        f"   0: {address} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000  0 {inode} 1 0 100 0 0\n"
    )


def test_a_listener_on_the_address_is_found() -> None:
    assert processes.listeners(HEADER + row("0100407F:192B", "0A", 7), "127.64.0.1", 6443) == [("127.64.0.1", 7)]


def test_a_listener_on_every_address_is_found() -> None:
    table = HEADER + row("00000000:192B", "0A", 7) + row("0" * 32 + ":192B", "0A", 8)
    found = processes.listeners(table, "127.64.0.1", 6443)
    assert found == [("every address", 7), ("every address", 8)]


def test_other_addresses_ports_and_states_do_not_count() -> None:
    table = HEADER + row("0100417F:192B", "0A", 1) + row("0100407F:192C", "0A", 2) + row("0100407F:192B", "01", 3)
    assert processes.listeners(table, "127.64.0.1", 6443) == []


def test_a_truncated_table_is_read_as_far_as_it_goes() -> None:
    assert processes.listeners(HEADER + "   0: 0100407F:19", "127.64.0.1", 6443) == []
    assert processes.listeners("", "127.64.0.1", 6443) == []


def test_a_process_is_not_mistaken_for_a_later_one_of_its_number() -> None:
    start = processes.start_time(os.getpid())
    assert start is not None
    assert processes.Process(os.getpid(), start).alive
    assert not processes.Process(os.getpid(), start - 1).alive


def test_a_name_with_blanks_and_brackets_does_not_hide_the_start(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7/stat").write_text("7 (a) b) c) S " + " ".join(str(n) for n in range(4, 30)))
    assert processes.start_time(7, tmp_path) == 22


def test_a_stubborn_process_is_killed_and_found_by_its_environment() -> None:
    code = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PROVING_GROUND_TEST": "stubborn"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = list(processes.with_environment({"PROVING_GROUND_TEST": "stubborn"}))
        left = processes.end(found, patience=0.05)
        code_seen = child.wait(10)
    assert [each.pid for each in found] == [child.pid]
    assert left == []
    assert code_seen == -signal.SIGKILL
