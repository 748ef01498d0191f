"""What the journal of a host tells of memory that ran out and of disks that fail."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

OUT_OF_MEMORY = re.compile(
    r"Out of memory: Killed process|oom-kill:constraint|Memory cgroup out of memory|invoked oom-killer"
    r"|killed by the OOM killer"
)
"""Lines of mm/oom_kill.c of the Linux kernel, and systemd's line of a unit that lost a process."""
DISK = re.compile(
    r"I/O error, dev |Buffer I/O error on dev|EXT4-fs error|EXT4-fs .*[Rr]emounting filesystem read-only"
    r"|XFS .*([Cc]orruption|metadata I/O error|log I/O error)|BTRFS (error|critical)"
    r"|nvme\S* .*(I/O .* timeout|controller is down|Removing after probe failure|Device not ready)"
    r"|ata\d+(\.\d+)?: (failed command|exception Emask|SError)|[Mm]edium [Ee]rror|critical (medium|target) error"
    r"|md/raid\S*: .*Disk failure|Sense Key : Hardware Error"
)
"""Lines of the block layer, file systems and drivers of the Linux kernel: a disk that fails, or what lies on it."""
GREP = (
    r"Out of memory: Killed|oom-kill|out of memory|oom-killer|OOM killer|I/O error|-fs error|Remounting|remounting"
    r"|XFS |BTRFS |nvme|: failed command|exception Emask|SError|edium .rror|critical |md/raid|Hardware Error"
)
"""A coarser extended regular expression of both, so that a host sends few lines."""


def telling(lines: Iterable[str], sign: re.Pattern[str], ignore: Sequence[str] = ()) -> list[str]:
    """Return the lines that tell of something.

    Args:
        lines: Of the journal.
        sign: What makes a line count.
        ignore: Regular expressions of lines that do not count.

    Raises:
        re.error: One of these is none.
    """
    ignored = [re.compile(expression) for expression in ignore]
    return [line for line in lines if sign.search(line) and not any(one.search(line) for one in ignored)]
