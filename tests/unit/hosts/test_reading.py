"""What is read of a host, by one command."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.errors import InfrastructureError
from proving_ground.hosts.declared import declared_of
from proving_ground.hosts.machine import Output
from proving_ground.hosts.reading import Reading, read, script, sections_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., dict[str, str]]

NAMES = [
    "kernel",
    "os",
    "modules",
    "sysctls",
    "swaps",
    "synchronized",
    "limits",
    "cgroup",
    "mounts",
    "free",
    "mtu",
    "dns",
    "services",
    "versions",
    "certificates",
    "failed",
    "journal",
    "end",
]


TOOLS = ("cat", "cut", "head", "sed", "stat", "timeout")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return what runs the command on a machine that has few programs."""
    path = tmp_path / "bin"
    path.mkdir()
    for tool in TOOLS:
        (path / tool).symlink_to(str(shutil.which(tool)))

    def run(**declared: object) -> dict[str, str]:
        # What it would look for beside these is none of the test's business.
        command = script(declared_of("h", {"services": [], **declared}), since=0, mark="@m@")
        command = command.replace(":/usr/sbin:/sbin:/usr/local/sbin:/usr/local/bin", "")
        ended = subprocess.run(
            ["/bin/sh", "-c", command], capture_output=True, text=True, check=False, env={"PATH": str(path)}
        )
        return sections_of(ended.stdout, "@m@")

    return run


def test_a_host_prints_every_section_whatever_it_lacks(run: Run) -> None:
    assert list(run()) == NAMES


def test_a_file_system_is_told_with_its_path(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "with blank"
    place.mkdir()

    *counts, _ = run(free={str(place): {}})["free"].split(" ", 5)

    assert all(count.isdigit() for count in counts)
    assert run(free={str(place): {}})["free"].endswith(str(place))


def test_of_files_with_certificates_no_key_is_read(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "kubelet.pem"
    file.write_text(
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        "-----BEGIN EC PRIVATE KEY-----\nSECRET\n-----END EC PRIVATE KEY-----\n"
        "    client-certificate-data: QUJD\n    client-key-data: SECRET\n    token: SECRET\n"
    )

    found = run(certificates={"paths": [f"{tmp_path}/*.pem"]})["certificates"]

    assert found.splitlines()[0] == f"> {file}"
    assert "AAAA" in found
    assert "QUJD" in found
    assert "SECRET" not in found


def test_a_hostile_path_of_certificates_runs_nothing(run: Run, tmp_path: Path) -> None:
    victim = tmp_path / "victim"

    run(certificates={"paths": [f"/tmp/$(touch {victim});`touch {victim}`"]})

    assert not victim.exists()


def test_a_kernel_setting_is_told_with_its_key(run: Run) -> None:
    found = run(sysctls={"kernel.ostype": "Linux", "no.such": 1})["sysctls"]

    assert found.splitlines()[0] == "kernel.ostype Linux"
    assert found.splitlines()[1].strip() == "no.such"


def test_only_what_lies_after_the_mark_is_a_section() -> None:
    assert sections_of("motd\n@m@ kernel\n6.1\n@x@ os\n@m@ end\n", "@m@") == {"kernel": "6.1\n@x@ os", "end": ""}


@pytest.mark.parametrize("printed", ["", "motd", "@m@ kernel\n6.1\n@m@ os", "@m@"])
def test_what_ends_too_early_is_refused(printed: str) -> None:
    with pytest.raises(ValueError, match="it "):
        sections_of(printed, "@m@")


def test_a_host_that_does_not_say_all_is_an_infrastructure_error() -> None:
    @dataclasses.dataclass
    class Cut:
        name = "gpu1"

        async def run(self, *_: Any, **__: Any) -> Output:
            return Output(1, "", "sudo: a password is required\n")

    with pytest.raises(InfrastructureError, match=r"gpu1: what the host says.*sudo: a password is required"):
        asyncio.run(read(Cut(), declared_of("gpu1", {}), since=0))  # type: ignore[arg-type]


def test_a_section_that_is_missing_is_empty() -> None:
    reading = Reading({"swaps": "\n \nx\n"})

    assert (reading.text("none"), reading.lines("none"), reading.lines("swaps")) == ("", [], ["x"])
