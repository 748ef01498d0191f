"""Ports of InfiniBand and RoCE adapters, as ``/sys/class/infiniband`` tells them.

Source: the kernel's Documentation/ABI/stable/sysfs-class-infiniband.
"""

from __future__ import annotations

import dataclasses
import re

from proving_ground.gpu.document import DocumentError, shown

SOURCE = "/sys/class/infiniband"
_LINE = re.compile(r"^(?P<device>[^/:\s]+)/(?P<port>[0-9]+)/(?P<field>[a-z_]+)=(?P<value>.*)$")
_RATE = re.compile(r"^(?P<rate>[0-9]+(?:\.[0-9]+)?) Gb/sec")


@dataclasses.dataclass(frozen=True)
class Port:
    """One port.

    Attributes:
        device: Adapter.
        number: Of the port on it.
        state: Logical state in upper case: ``ACTIVE``, ``INIT``, ``DOWN``.
        physical: Physical state: ``LinkUp``, ``Polling``, ``Disabled``.
        rate: Gbit/s.
        layer: ``InfiniBand`` or ``Ethernet``.
    """

    device: str
    number: int
    state: str
    physical: str
    rate: float
    layer: str = "InfiniBand"

    @property
    def label(self) -> str:
        """What it is called in messages."""
        return f"{self.device} port {self.number}"


def parse(content: str) -> tuple[Port, ...]:
    """Return the ports; nothing at all is no port.

    Args:
        content: A line for each file: ``mlx5_0/1/state=4: ACTIVE``, fields state, phys_state, rate, link_layer.

    Raises:
        DocumentError: A line is none of these, or a port lacks its state or rate.
    """
    found: dict[tuple[str, int], dict[str, str]] = {}
    for line in content.splitlines():
        if not line.strip():
            continue
        match = _LINE.match(line.strip())
        if match is None:
            raise DocumentError(f"expected device/port/field=value, found {shown(line)}", where=SOURCE)
        found.setdefault((match["device"], int(match["port"])), {})[match["field"]] = match["value"].strip()
    return tuple(_port(device, number, fields) for (device, number), fields in sorted(found.items()))


def _port(device: str, number: int, fields: dict[str, str]) -> Port:
    rate = _RATE.match(fields.get("rate", ""))
    state = fields.get("state", "").partition(":")[2].strip()
    if rate is None or not state:
        raise DocumentError(
            f"expected state and rate of {device} port {number}, found {shown(str(fields))}", where=SOURCE
        )
    return Port(
        device=device,
        number=number,
        state=state.upper(),
        physical=fields.get("phys_state", "").partition(":")[2].strip(),
        rate=float(rate["rate"]),
        layer=fields.get("link_layer", "") or "InfiniBand",
    )
