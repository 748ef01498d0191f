"""What the kernel's log says of GPUs: NVIDIA's Xids, amdgpu's errors.

Lines are those of ``journalctl --dmesg --output=short-iso``, of ``dmesg --time-format=iso``, or without a time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from typing import TYPE_CHECKING

from proving_ground.gpu.document import LARGEST, DocumentError
from proving_ground.gpu.xids import Blame, meaning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_TIME = re.compile(r"^(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)\s")
#: ``NVRM: Xid (PCI:0000:4e:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.``
_XID = re.compile(
    r"NVRM: Xid \((?:PCI:)?(?P<bus>[0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}(?:\.[0-7])?)\): "
    r"(?P<code>\d+),?\s*(?P<text>.*)$"
)
#: ``nvidia-nvswitch3: SXid (PCI:0000:85:00.0): 20034, Fatal, Link 30 LTSSM Fault Up``
_SXID = re.compile(r"nvidia-nvswitch\d*: SXid \(PCI:(?P<bus>[0-9A-Fa-f:.]+)\): (?P<code>\d+),?\s*(?P<text>.*)$")
_AMD = re.compile(
    r"amdgpu (?P<bus>[0-9A-Fa-f]{4}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7]):\s*(?:amdgpu:\s*)?(?P<text>.*)$"
)
_UNCORRECTABLE = re.compile(
    r"(?:^|\s)(?P<count>\d+) (?:new )?uncorrectable hardware errors? detected(?P<total> in total)?"
)
#: Text of amdgpu -> what it means, whose fault it is, what to do. Source: messages in the kernel's drivers/gpu/drm/amd.
_AMD_SIGNS: tuple[tuple[re.Pattern[str], str, Blame, str], ...] = (
    (
        re.compile(r"device lost from bus"),
        "the GPU fell off the bus",
        "hardware",
        "power-cycle the host, check the slot",
    ),
    (
        re.compile(r"poison is consumed", re.IGNORECASE),
        "a program used memory that is broken",
        "hardware",
        "reset the GPU",
    ),
    (
        re.compile(r"uncorrectable hardware error \(ERREVENT"),
        "the GPU had a fatal error",
        "hardware",
        "power-cycle the host",
    ),
    (
        re.compile(r"bad (?:memory|page) .*threshold|exceeds? .*bad page", re.IGNORECASE),
        "too much memory is broken",
        "hardware",
        "replace the GPU",
    ),
    (re.compile(r"ring \S+ timeout"), "a program hung the GPU", "application", "restart the program"),
    (re.compile(r"GPU reset begin"), "the driver reset the GPU", "driver", "look at the messages before it"),
    (
        re.compile(r"GPU reset\(\d+\) failed|GPU reset end with ret = -"),
        "the GPU could not be reset",
        "hardware",
        "reboot the host",
    ),
    (
        re.compile(r"\[gfxhub\d*\] page fault|no-retry page fault"),
        "a program accessed memory that is not its own",
        "application",
        "restart the program",
    ),
)


@dataclasses.dataclass(frozen=True)
class KernelEvent:
    """One line that tells of a GPU's trouble.

    Attributes:
        time: When; None where the line has no time.
        bus: PCI address, in lower case.
        code: Xid; None for what is none.
        meaning: In our words.
        blame: Whose fault it is.
        todo: What to do first.
        text: What the line says.
    """

    time: dt.datetime | None
    bus: str
    code: int | None
    meaning: str
    blame: Blame
    todo: str
    text: str

    @property
    def label(self) -> str:
        """What it is called in messages."""
        return f"Xid {self.code}" if self.code is not None else "amdgpu"


def parse(content: str) -> tuple[KernelEvent, ...]:
    """Return what a log tells of GPUs, in its order; an empty log tells of none.

    Raises:
        DocumentError: It is larger than a log that somebody reads.
    """
    if len(content) > LARGEST:
        raise DocumentError(f"expected a kernel log, found {len(content) >> 20} MiB", where="kernel log")
    return tuple(event for line in content.splitlines() for event in _events(line))


def _events(line: str) -> Iterator[KernelEvent]:
    for read in (_xid, _sxid, _amd):
        if (event := read(line)) is not None:
            yield event
            return


def _time(line: str) -> dt.datetime | None:
    match = _TIME.match(line)
    if match is None:
        return None
    try:
        found = dt.datetime.fromisoformat(match["time"].replace(",", "."))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _xid(line: str) -> KernelEvent | None:
    match = _XID.search(line)
    if match is None:
        return None
    known = meaning(int(match["code"]))
    return KernelEvent(
        _time(line),
        match["bus"].lower(),
        int(match["code"]),
        known.meaning,
        known.blame,
        known.todo,
        match["text"].strip(),
    )


def _sxid(line: str) -> KernelEvent | None:
    match = _SXID.search(line)
    if match is None:
        return None
    fatal = "non-fatal" not in match["text"].lower()
    what = f"NVSwitch: SXid {match['code']}{'' if fatal else ', which it survived'}"
    todo = "look at the fabric manager's log, then check the switch"
    return KernelEvent(_time(line), match["bus"].lower(), None, what, "hardware", todo, match["text"].strip())


def _amd(line: str) -> KernelEvent | None:
    match = _AMD.search(line)
    if match is None:
        return None
    text = match["text"].strip()
    counted = _UNCORRECTABLE.search(text)
    if counted and int(counted["count"]) > 0:
        what = f"{counted['count']} errors of the hardware could not be corrected"
        return KernelEvent(
            _time(line),
            match["bus"].lower(),
            None,
            what,
            "hardware",
            "reset the GPU, replace it when it comes back",
            text,
        )
    for sign, what, blame, todo in _AMD_SIGNS:
        if sign.search(text):
            return KernelEvent(_time(line), match["bus"].lower(), None, what, blame, todo, text)
    return None


def within(events: Iterable[KernelEvent], since: dt.datetime, until: dt.datetime) -> tuple[KernelEvent, ...]:
    """Return the events of a window; those without a time are taken to be in it."""
    inside: Callable[[KernelEvent], bool] = lambda event: event.time is None or since <= event.time <= until  # noqa: E731
    return tuple(event for event in events if inside(event))
