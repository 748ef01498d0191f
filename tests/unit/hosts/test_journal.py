"""Lines of the journal that tell of memory that ran out, and of disks that fail."""

from __future__ import annotations

import re

import pytest

from proving_ground.hosts.journal import DISK, GREP, OUT_OF_MEMORY, telling

MEMORY = [
    "kernel: Out of memory: Killed process 4711 (python3) total-vm:1kB",
    "kernel: Memory cgroup out of memory: Killed process 4711 (python3)",
    "kernel: oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null)",
    "kernel: python3 invoked oom-killer: gfp_mask=0xcc0",
    "systemd[1]: kubelet.service: A process of this unit has been killed by the OOM killer.",
]
DISKS = [
    "kernel: I/O error, dev sda, sector 1234 op 0x0:(READ)",
    "kernel: Buffer I/O error on dev nvme0n1p1, logical block 7, async page read",
    "kernel: EXT4-fs error (device sda1): ext4_find_entry:1455: inode #2",
    "kernel: EXT4-fs (sda1): Remounting filesystem read-only",
    'kernel: XFS (dm-0): metadata I/O error in "xfs_imap_to_bp"',
    "kernel: XFS (dm-0): Corruption warning: Metadata has LSN",
    "kernel: BTRFS error (device sdb): bdev /dev/sdb errs: wr 1",
    "kernel: nvme nvme0: I/O 12 QID 3 timeout, aborting",
    "kernel: nvme nvme0: controller is down; will reset: CSTS=0xffffffff",
    "kernel: ata1.00: failed command: READ FPDMA QUEUED",
    "kernel: ata1.00: exception Emask 0x0 SAct 0x0",
    "kernel: critical medium error, dev sda, sector 9",
    "kernel: sd 0:0:0:0: [sda] tag#0 Add. Sense: Unrecovered read error, Medium Error",
    "kernel: md/raid1:md0: Disk failure on sdb1, disabling device.",
]
HARMLESS = [
    "",
    "kernel: SGI XFS with ACLs, security attributes, no debug enabled",
    "kernel: XFS (dm-0): Mounting V5 Filesystem",
    "kernel: nvme nvme0: 16/0/0 default/read/poll queues",
    "kernel: EXT4-fs (sda1): mounted filesystem with ordered data mode",
    "kernel: BTRFS info (device sdb): using free space tree",
    "systemd[1]: Started systemd-oomd.service - Userspace Out-Of-Memory (OOM) Killer.",
]


@pytest.mark.parametrize("line", MEMORY)
def test_memory_that_ran_out_is_seen(line: str) -> None:
    assert telling([line], OUT_OF_MEMORY) == [line]
    assert telling([line], DISK) == []


@pytest.mark.parametrize("line", DISKS)
def test_a_disk_that_fails_is_seen(line: str) -> None:
    assert telling([line], DISK) == [line]
    assert telling([line], OUT_OF_MEMORY) == []


@pytest.mark.parametrize("line", HARMLESS)
def test_a_line_that_only_looks_like_it_is_no_error(line: str) -> None:
    assert telling([line], DISK) == []
    assert telling([line], OUT_OF_MEMORY) == []


@pytest.mark.parametrize("line", [*MEMORY, *DISKS])
def test_a_host_sends_every_line_that_counts(line: str) -> None:
    assert re.search(GREP, line)


def test_a_line_that_the_inventory_names_does_not_count() -> None:
    assert telling(MEMORY, OUT_OF_MEMORY, ignore=["python3", "CONSTRAINT_MEMCG"]) == [MEMORY[4]]
