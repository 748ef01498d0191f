"""One description of a host's GPUs, whoever made them and whatever tool told it.

A value of None means that the tool did not tell it, or that the GPU has nothing of the kind (``N/A``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping  # noqa: TC003  # pydantic reads it
from typing import Literal

from proving_ground.errors import ProvingGroundError

Vendor = Literal["nvidia", "amd"]

LARGEST = 64 << 20
"""Bytes; a tool that says more of a machine's GPUs is broken."""
_SHOWN = 60


class DocumentError(ProvingGroundError):
    """What a tool printed is not what it prints."""


@dataclasses.dataclass(frozen=True)
class Pcie:
    """The link between a GPU and its slot.

    Attributes:
        generation: At this moment; falls while the GPU idles, to save power.
        generation_max: The best that GPU and slot can agree on.
        generation_device: The best that the GPU can do anywhere.
        width: Lanes in use; does not fall while the GPU idles.
        width_max: Lanes that GPU and slot have.
        replays: Packets that were sent again since the driver was loaded.
    """

    generation: int | None = None
    generation_max: int | None = None
    generation_device: int | None = None
    width: int | None = None
    width_max: int | None = None
    replays: int | None = None


@dataclasses.dataclass(frozen=True)
class Ecc:
    """Error correction of the GPU's memories.

    Attributes:
        enabled: Now.
        pending: After the next reset.
        uncorrectable: Errors since the driver was loaded (NVIDIA: volatile).
        correctable: The same, of those that were corrected.
        aggregate_uncorrectable: Errors of the GPU's whole life.
        threshold_exceeded: Whether so many were in SRAM that the vendor replaces the GPU.
    """

    enabled: bool | None = None
    pending: bool | None = None
    uncorrectable: int | None = None
    correctable: int | None = None
    aggregate_uncorrectable: int | None = None
    threshold_exceeded: bool | None = None


@dataclasses.dataclass(frozen=True)
class Repair:
    """What the GPU did about memory that fails.

    Attributes:
        rows: Rows that were replaced by spare ones.
        pending: Repairs that wait for a reset of the GPU, by their names; None: not told.
        failed: Whether a repair was not possible.
        exhausted_banks: Banks that have no spare row left.
        pages: Pages that are not used any more (GPUs before Ampere, and AMD's).
        pages_pending: Whether a page waits for the next load of the driver.
    """

    rows: int | None = None
    pending: tuple[str, ...] | None = None
    failed: bool | None = None
    exhausted_banks: int | None = None
    pages: int | None = None
    pages_pending: bool | None = None


@dataclasses.dataclass(frozen=True)
class Thermal:
    """Temperatures in degrees Celsius.

    Attributes:
        gpu: Of the hottest spot that the tool tells.
        memory: Of the memory.
        margin: Degrees that are left until the GPU slows down, on GPUs that tell it so (Hopper and later).
        slowdown: At which it slows down.
        memory_slowdown: At which the memory makes it slow down.
    """

    gpu: float | None = None
    memory: float | None = None
    margin: float | None = None
    slowdown: float | None = None
    memory_slowdown: float | None = None


@dataclasses.dataclass(frozen=True)
class Power:
    """Electrical power in watts: drawn, the cap in force, and the highest cap that can be set."""

    drawn: float | None = None
    cap: float | None = None
    cap_max: float | None = None


@dataclasses.dataclass(frozen=True)
class Clocks:
    """Clocks of the compute units in MHz.

    Attributes:
        now: At this moment.
        highest: That the GPU can reach.
        chosen: Application clock that was set; None where there is no such thing.
        usual: Application clock that is set by default.
        reasons: Why the clock is lower than it could be, in NVIDIA's words (``hw_slowdown``, ``gpu_idle``).
    """

    now: float | None = None
    highest: float | None = None
    chosen: float | None = None
    usual: float | None = None
    reasons: frozenset[str] | None = None


@dataclasses.dataclass(frozen=True)
class Link:
    """A link from GPU to GPU or to a switch: NVLink, xGMI.

    Attributes:
        number: Of the link on its GPU.
        active: Whether it is trained and in use.
        errors: Name of a counter -> its value.
    """

    number: int
    active: bool
    errors: Mapping[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Gpu:
    """One GPU.

    Attributes:
        index: As the tool counts.
        name: Product, as the tool prints it.
        bus: PCI address.
        minor: Number in the name of its device node.
        memory_mib: All of its memory.
        driver: Version of its driver.
        persistence: Whether the driver stays loaded without a user (NVIDIA).
        partition: ``disabled``, ``enabled`` (MIG) or the compute partition (AMD: ``SPX``).
        links: None: not told.
        link_errors: Errors of all its links, where the tool does not tell which link had them.
        fabric: State in which it is known to the fabric manager, in lower case; None: no fabric.
        recovery: What the driver wants done to it; empty: nothing.
    """

    index: int
    name: str = ""
    uuid: str = ""
    serial: str = ""
    bus: str = ""
    minor: int | None = None
    memory_mib: int | None = None
    driver: str = ""
    persistence: bool | None = None
    partition: str | None = None
    pcie: Pcie = Pcie()
    ecc: Ecc = Ecc()
    repair: Repair = Repair()
    thermal: Thermal = Thermal()
    power: Power = Power()
    clocks: Clocks = Clocks()
    links: tuple[Link, ...] | None = None
    link_errors: int | None = None
    fabric: str | None = None
    recovery: str = ""

    @property
    def label(self) -> str:
        """What it is called in messages."""
        return f"GPU {self.index} ({self.bus})" if self.bus else f"GPU {self.index}"


@dataclasses.dataclass(frozen=True)
class GpuDocument:
    """The GPUs of a host.

    Attributes:
        vendor: Of all of them.
        source: Tool that told it.
        driver: Version of the driver; empty where it was not told.
        gpus: In the order of their index.
    """

    vendor: Vendor
    source: str
    driver: str
    gpus: tuple[Gpu, ...]


def readable(content: bytes | str, source: str) -> str:
    """Return what a tool printed as text.

    Args:
        content: What it printed.
        source: The tool, for messages.

    Raises:
        DocumentError: It is empty, larger than `LARGEST`, or not UTF-8.
    """
    if len(content) > LARGEST:
        raise DocumentError(f"expected what it prints of GPUs, found {len(content) >> 20} MiB", where=source)
    if isinstance(content, bytes):
        try:
            content = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DocumentError(f"expected UTF-8, found another byte at offset {error.start}", where=source) from None
    content = content.removeprefix("\ufeff")
    if "\0" in content:
        raise DocumentError("expected text, found a zero byte", where=source)
    if not content.strip():
        raise DocumentError("expected what it prints of GPUs, found nothing", where=source, hint="is it installed?")
    return content


def shown(text: str) -> str:
    """Return the beginning of a text, for messages."""
    line = " ".join(text.split())
    return repr(line if len(line) <= _SHOWN else f"{line[: _SHOWN - 3]}...")
