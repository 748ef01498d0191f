"""What the checks of hosts see of them, and the faults that are put in between."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from proving_ground.hosts import reading
from proving_ground.hosts.declared import Declared, Mount, declared_of
from proving_ground.hosts.judging import Judged, properties
from proving_ground.hosts.machine import on_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from proving_ground.contracts.platform import Platform
    from proving_ground.hosts.machine import Machine
    from proving_ground.plugin.check_run import CheckRun

    Distortion = Callable[[Judged], Judged]

RECORDED = Path(__file__).parent / "recorded"
UNIT = "containerd.service"
RUNNING = "Id={unit}\nLoadState=loaded\nActiveState={active}\nSubState={sub}\nUnitFileState={enabled}\nResult=success\n"


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n")


def saying(host: Judged, **sections: str) -> Judged:
    """Return a host that says something else in these sections."""
    told = dataclasses.replace(host.reading, sections={**host.reading.sections, **sections})
    return dataclasses.replace(host, reading=told)


def declaring(host: Judged, **fields: object) -> Judged:
    """Return a host of which something else is declared."""
    return dataclasses.replace(host, declared=Declared.model_validate({**host.declared.model_dump(), **fields}))


def ending_soon() -> str:
    """Return a certificate that ends in three days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=362))
        .not_valid_after(now + dt.timedelta(days=3))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def _full(host: Judged, *, inodes: bool) -> Judged:
    path = next(iter(host.declared.free), "/")
    counts = "500000 1000000 4096 0 1000000" if inodes else "10000 1000000 4096 900000 1000000"
    return saying(declaring(host, free={path: {}}), free=f"{counts} {path}")


def _unit(host: Judged, active: str, sub: str, enabled: str) -> Judged:
    kept = re.sub(rf"(?m)^Id={re.escape(UNIT)}$", "Id=other.service", host.reading.text("services"))
    said = RUNNING.format(unit=UNIT, active=active, sub=sub, enabled=enabled)
    return saying(declaring(host, services=[*host.declared.services, UNIT]), services=f"{kept}\n\n{said}")


def _other_version(host: Judged) -> Judged:
    kept = [line for line in host.reading.lines("versions") if not line.startswith("containerd ")]
    told = "containerd containerd github.com/containerd/containerd 1.4.0-recorded"
    # Also where it is the only host, or has no container runtime.
    declared = declaring(host, versions={**host.declared.versions, "containerd": "2.*"})
    return saying(declared, versions="\n".join([*kept, told]))


def _other(section: str, said: str, field: str) -> Distortion:
    """Return a distortion: what is said is not what is declared, nor what the other hosts say."""
    return lambda host: saying(
        declaring(host, **{field: getattr(host.declared, field) or host.reading.text(section).strip()}),
        **{section: said},
    )


def _other_mtu(host: Judged) -> Judged:
    interface, _, mtu = host.reading.text("mtu").strip().partition(" ")
    return saying(declaring(host, mtu=int(mtu)), mtu=f"{interface} {int(mtu) - 50}")


DISTORTIONS: dict[str, Distortion] = {
    "other-kernel": _other("kernel", "4.19.0-recorded", "kernel"),
    "other-os": _other("os", "debian 9", "os"),
    "module-missing": lambda host: saying(
        declaring(host, modules=["overlay"]),
        modules="\n".join(line for line in host.reading.lines("modules") if line != "overlay"),
    ),
    "setting-changed": lambda host: saying(
        declaring(host, sysctls={"net.ipv4.ip_forward": 1}), sysctls="net.ipv4.ip_forward 0"
    ),
    "swap-on": lambda host: saying(declaring(host, swap=False), swaps=recorded("swaps")),
    "clock-off": lambda host: saying(host, clock=f"{host.reading.asked - 600:.3f}"),
    "not-synchronised": lambda host: saying(declaring(host, shares_kernel=False), synchronized="no"),
    "low-limits": lambda host: saying(
        declaring(host, limits={UNIT: {"nofile": 16384}}), limits=f"> {UNIT}\n{recorded('limits')}"
    ),
    "other-cgroups": lambda host: saying(declaring(host, cgroup="v2"), cgroup="tmpfs"),
    "not-mounted": lambda host: saying(
        declaring(host, mounts={"/var/lib/containerd": Mount()}), mounts="proc /proc proc rw 0 0"
    ),
    "disk-full": lambda host: _full(host, inodes=False),
    "inodes-gone": lambda host: _full(host, inodes=True),
    "other-mtu": _other_mtu,
    "names-unresolved": lambda host: saying(
        host, dns="\n".join(f"{line.split()[0]} " for line in host.reading.lines("dns"))
    ),
    "service-down": lambda host: _unit(host, "inactive", "dead", "enabled"),
    "service-disabled": lambda host: _unit(host, "active", "running", "disabled"),
    "other-version": _other_version,
    "certificate-ending": lambda host: saying(
        host, certificates=f"{host.reading.text('certificates')}\n> /etc/kubernetes/pki/apiserver.crt\n{ending_soon()}"
    ),
    "unit-failed": lambda host: saying(host, failed=recorded("failed")),
    "memory-ran-out": lambda host: saying(host, journal=recorded("memory")),
    "disk-errors": lambda host: saying(host, journal=recorded("disk")),
    "journal-unreadable": lambda host: saying(host, journal=""),
}


async def _clock(machine: Machine) -> reading.Reading:
    asked = time.time()
    output = await machine.run("date +%s.%N")
    return reading.Reading({"clock": output.stdout.strip()}, asked, time.time())


@pytest.fixture(scope="session")
async def said(machines: tuple[Machine, ...], platform: Platform) -> tuple[Judged, ...]:
    """What all hosts say of themselves: read once, for all checks."""
    declared = {machine.name: declared_of(machine.name, machine.declared) for machine in machines}

    def since(machine: Machine) -> float:
        hours = declared[machine.name].journal.hours
        return time.time() - hours * 3600 if hours else platform.clock.started.timestamp()

    async def ask(machine: Machine) -> Judged:
        sections = await reading.read(machine, declared[machine.name], since=since(machine))
        told = await _clock(machine)
        whole = dataclasses.replace(told, sections={**sections, **told.sections})
        return Judged(machine.name, declared[machine.name], whole)

    answers = await on_all(machines, ask)
    return tuple(answers[machine.name] for machine in machines)


@pytest.fixture
def hosts(said: tuple[Judged, ...], check: CheckRun) -> tuple[Judged, ...]:
    """The hosts, as this check sees them: under a fault the last one is not what it is."""
    check.metric("hosts", len(said))
    for name, value in properties(said).items():
        check.property(name, value)
    distorted = said[-1]
    for fault in (check.settings.fault or "").split(","):
        if fault in DISTORTIONS:
            distorted = DISTORTIONS[fault](distorted)
    return (*said[:-1], distorted)
