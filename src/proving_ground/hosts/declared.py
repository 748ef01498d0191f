"""What an inventory may declare of a host: what has to hold there, and the bounds of what may be.

It arrives as ``hosts[].declared`` of platform.json. Whatever is left out is judged by what needs no declaration: that
hosts are equal, that something bad is absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import pydantic
from pydantic import Field

from proving_ground.contracts.base import Contract
from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

UnitName = Annotated[str, Field(pattern=r"^[A-Za-z0-9:_.\\@-]+$", max_length=255)]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/*-]*$", max_length=255)]
AbsolutePath = Annotated[str, Field(pattern=r"^/", max_length=4096)]
LimitName = Literal["nofile", "nproc", "memlock", "core", "stack", "fsize", "as"]


class Space(Contract):
    """How much of a file system has to be free."""

    percent: float = Field(default=10.0, ge=0, le=100, description="Free space in percent.")
    bytes: int = Field(default=0, ge=0, description="Free space in bytes, where percent alone says too little.")
    inodes_percent: float = Field(default=5.0, ge=0, le=100, description="Free inodes in percent.")


class Mount(Contract):
    """How something has to be mounted."""

    type: str = Field(default="", description="Type of the file system, as /proc/mounts has it; empty: any.")
    options: list[str] = Field(default=[], description="Options that it must have, for example noatime.")


class Certificates(Contract):
    """Which certificates are looked at, and how long they must be valid still."""

    paths: list[AbsolutePath] = Field(
        default=[
            "/etc/kubernetes/pki/*.crt",
            "/etc/kubernetes/pki/etcd/*.crt",
            "/etc/kubernetes/*.conf",
            "/var/lib/kubelet/pki/kubelet.crt",
            "/var/lib/kubelet/pki/kubelet-client-current.pem",
            "/var/lib/kubelet/pki/kubelet-server-current.pem",
        ],
        description="Files or patterns of them: PEM, or kubeconfigs with certificates in them. Keys are not read.",
    )
    days: float = Field(default=30.0, ge=0, description="Days that each must be valid still.")


class Journal(Contract):
    """What part of the journal is judged."""

    hours: float = Field(default=0.0, ge=0, description="Hours before now; 0: since the run started.")
    ignore: list[str] = Field(default=[], description="Regular expressions of lines that do not count.")


class ControlPlane(Contract):
    """What is declared of the cluster, on its control plane hosts; suite `cluster` judges it."""

    etcd_metrics_url: str = Field(
        default="http://127.0.0.1:2381/metrics",
        description="Where etcd tells its metrics, on the host (kubeadm's own).",
    )
    etcd_health_url: str = Field(
        default="http://127.0.0.1:2381/health?serializable=false",
        description="Where etcd tells its health, on the host.",
    )
    etcd_fsync_p99_seconds: float = Field(
        default=0.01,
        gt=0,
        description="Most that 99 of 100 syncs of etcd's log may take. 10 ms is what etcd asks of disks.",
    )
    storage_classes: list[str] = Field(default=[], description="Storage classes that the cluster must have.")
    default_storage_class: str = Field(default="", description="The one that is the default; empty: not judged.")
    system_pod_restarts: int = Field(
        default=5, ge=0, description="Restarts that each container of kube-system may have had."
    )
    certificate_days: float = Field(default=30.0, ge=0, description="Days that the API server's must be valid still.")


class Declared(Contract):
    """Everything that may be declared of a host."""

    shares_kernel: bool = Field(
        default=False,
        description="Whether its kernel is that of the machine it runs on: modules may be built in, and its clock is "
        "compared with the controller's only.",
    )
    sudo: bool = Field(default=False, description="Whether its user becomes root by sudo, which asks for no password.")
    kernel: str = Field(default="", description="Kernel release, or a pattern of it: `6.1.*`.")
    os: str = Field(default="", description="Operating system, as `debian 13` or `ubuntu 24.04`, or a pattern of it.")
    modules: list[Word] = Field(default=[], description="Kernel modules that must be loaded, or built in.")
    sysctls: dict[Word, str | int] = Field(default={}, description="Kernel settings and their values.")
    swap: bool = Field(default=False, description="Whether swap may be on.")
    clock_seconds: float = Field(
        default=1.0, gt=0, description="Most that its clock may differ from the controller's, beside the round trip."
    )
    limits: dict[UnitName, dict[LimitName, int | Literal["unlimited"]]] = Field(
        default={}, description="Least soft limits that the main process of a running service must have."
    )
    cgroup: Literal["", "v1", "hybrid", "v2"] = Field(default="", description="Version of control groups.")
    mounts: dict[AbsolutePath, Mount] = Field(default={}, description="Paths that must be mount points.")
    free: dict[AbsolutePath, Space] = Field(
        default={"/": Space()}, description="What must be free on the file systems of these paths."
    )
    interface: Word | Literal[""] = Field(
        default="",
        description="Network interface whose MTU is judged; empty: that of the default route, "
        "else that of the address that it is reached by.",
    )
    mtu: int = Field(default=0, ge=0, description="Its MTU; 0: only equal across hosts.")
    dns: list[Word] = Field(default=[], description="Names that it must resolve, beside its own.")
    services: list[UnitName] = Field(
        default=["containerd.service", "kubelet.service"], description="Services that must be active and enabled."
    )
    versions: dict[Literal["containerd", "runc", "kubelet", "kubeadm", "systemd", "openssh"], str] = Field(
        default={}, description="Versions of programs, or patterns of them: `1.7.*`; others must be equal across hosts."
    )
    certificates: Certificates = Field(default=Certificates(), description="Which are judged, and their days.")
    failed_units: list[str] = Field(default=[], description="Units, or patterns of them, that may have failed.")
    journal: Journal = Field(default=Journal(), description="Which part of the journal is judged.")
    control_plane: ControlPlane = Field(default=ControlPlane(), description="Of the cluster; on control plane hosts.")
    gpu: dict[str, object] = Field(default={}, description="Its GPUs; suite `gpus` judges them.")


def declared_of(host: str, values: Mapping[str, object]) -> Declared:
    """Return what is declared of a host.

    Args:
        host: Its name, for the message.
        values: As platform.json has them.

    Raises:
        ConfigurationError: A value cannot be used, or a name is not known.
    """
    try:
        return Declared.model_validate(dict(values))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"the inventory declares {field} in a way that cannot be used: {first['msg']}",
            where=host,
            hint="see platform_hosts_declared and the reference of hosts",
        ) from error
