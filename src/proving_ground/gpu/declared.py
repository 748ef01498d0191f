"""What an inventory declares of a host's GPUs: ``hosts[].declared.gpu`` of platform.json.

Products' values come from the inventory's ``gpu_skus``; a host adds how many it has and what is set up on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError

from proving_ground.contracts.base import Contract
from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Images(Contract):
    """Images of the workloads that use a GPU; a check without its image is a mistake of the inventory."""

    vector_add: str = Field(default="", description="Adds two vectors on one GPU and ends with status 0.")
    collectives: str = Field(default="", description="Has the command of `collectives_command`.")
    collectives_command: list[str] = Field(
        default=[],
        description="Runs an all-reduce over all GPUs of the host; `{count}` stands for their number.",
    )


class InfinibandPorts(Contract):
    """Ports to other hosts."""

    ports: int = Field(ge=0, description="How many must be active.")
    gbit: float = Field(gt=0, description="Rate of each in Gbit/s.")


class DeclaredGpu(Contract):
    """GPUs of one host; what is not declared is judged only as far as it can be wrong by itself."""

    vendor: Literal["nvidia", "amd"] = Field(description="Who made them; a host has GPUs of one vendor.")
    sku: str = Field(default="", description="Key in gpu_skus, for messages.")
    count: int = Field(ge=0, description="GPUs of the host.")
    products: list[str] = Field(default=[], description="Names of the product as its tool prints them.")
    memory_mib: int | None = Field(default=None, description="Memory of each, as its tool prints it.")
    driver_min: str = Field(default="", description="Oldest driver that is good enough.")
    driver_max: str = Field(default="", description="Newest driver that is allowed; `570` allows every 570.x.")
    pcie_generation: int | None = Field(default=None, description="PCI Express generation of its slot.")
    pcie_width: int | None = Field(default=None, description="Lanes of its slot.")
    links: int | None = Field(default=None, description="NVLink or xGMI links of each GPU that must be active.")
    nvswitch: bool = Field(
        default=False, description="Whether its GPUs are joined by switches: a fabric manager must run."
    )
    peers: bool = Field(default=True, description="Whether each GPU must be able to read the memory of every other.")
    ecc: bool = Field(default=True, description="Whether ECC must be on.")
    persistence: bool = Field(default=True, description="Whether the driver must stay loaded (NVIDIA).")
    partition: str = Field(default="", description="`disabled`, `enabled` (MIG) or the compute partition (`SPX`).")
    power_cap_watts: float | None = Field(default=None, description="Cap of power that must be in force.")
    clock_mhz: float | None = Field(default=None, description="Clock that each must be able to reach.")
    temperature_limit: float | None = Field(default=None, description="Degrees Celsius that no GPU may reach.")
    memory_temperature_limit: float | None = Field(default=None, description="The same, of its memory.")
    retired_pages_max: int = Field(default=59, description="Retired pages that a GPU may have.")
    xids_allowed: list[int] = Field(
        default=[], description="Xids that may be in the log, beside those that programs cause and that only inform."
    )
    bus_bandwidth: float | None = Field(default=None, description="Bus bandwidth of an all-reduce over all GPUs, GB/s.")
    infiniband: InfinibandPorts | None = Field(default=None, description="Ports to other hosts.")
    toolkit: bool = Field(
        default=True, description="Whether the container toolkit and its CDI specification must be there."
    )
    images: Images = Field(default=Images(), description="Images of workloads.")
    root: str = Field(
        default="",
        description="What stands for `/` when files are read; the host's shell expands it. For simulated GPUs.",
    )
    kernel_log: str = Field(
        default="journalctl --dmesg --no-pager --output=short-iso --since=@{since}",
        description="Command that prints the kernel's log; `{since}` stands for the start of the window, in seconds.",
    )


def declared_gpu(declared: Mapping[str, Any], host: str) -> DeclaredGpu | None:
    """Return what is declared of a host's GPUs; None: it has none.

    Raises:
        ConfigurationError: A field is unknown or has a wrong value.
    """
    if declared.get("gpu") is None:
        return None
    try:
        found = DeclaredGpu.model_validate(declared["gpu"])
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in ("gpu", *first["loc"]))
        raise ConfigurationError(
            f"{field}: {first['msg']}", where=host, hint="see platform_hosts_declared and gpu_skus of the inventory"
        ) from None
    return found if found.count > 0 else None
