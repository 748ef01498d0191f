"""What may be declared of a host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proving_ground.errors import ConfigurationError
from proving_ground.hosts.declared import (
    Certificates,
    ControlPlane,
    Declared,
    Journal,
    Mount,
    Space,
    declared_of,
)

if TYPE_CHECKING:
    from proving_ground.contracts.base import Contract


def test_nothing_needs_to_be_declared() -> None:
    declared = declared_of("gpu1", {})

    assert declared.services == ["containerd.service", "kubelet.service"]
    assert declared.free["/"].percent == 10.0


@pytest.mark.parametrize("model", [Declared, Space, Mount, Certificates, Journal, ControlPlane])
def test_every_field_stands_in_the_reference_with_its_meaning(model: type[Contract]) -> None:
    page = (Path(__file__).parents[3] / "docs/reference/hosts.md").read_text(encoding="utf-8")

    for name, field in model.model_fields.items():
        assert any(line.startswith(f"| `{name}` |") and str(field.description) in line for line in page.splitlines()), (
            name
        )


def test_what_is_declared_of_gpus_is_kept_as_it_is() -> None:
    gpu = {"count": 8, "vendor": "nvidia", "nested": {"anything": [1]}}

    assert declared_of("gpu1", {"gpu": gpu}).gpu == gpu


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"kernel_release": "6.1"}, "kernel_release"),
        ({"mtu": "large"}, "mtu"),
        ({"cgroup": "v3"}, "cgroup"),
        ({"free": {"/": {"percent": 101}}}, "free./.percent"),
        ({"mounts": {"relative": {}}}, "mounts.relative"),
        ({"services": ["a; rm -rf /"]}, "services.0"),
        ({"sysctls": {"a$(reboot)": 1}}, "sysctls"),
        ({"dns": ["$(reboot)"]}, "dns.0"),
        ({"limits": {"a.service": {"nofile": "many"}}}, "limits.a.service.nofile"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_host_and_field(values: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigurationError, match="gpu1: the inventory declares") as raised:
        declared_of("gpu1", values)

    assert field in str(raised.value)
