"""Where a process runs, by what the kubelet mounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.fleet.pod.place import Place, here, read_mounts

if TYPE_CHECKING:
    from pathlib import Path

UID = "0a1b2c3d-0000-4000-8000-123456789abc"
LOG = f"/var/lib/kubelet/pods/{UID}/containers/metrics-sidecar/4f1e2d3c"


def line(root: str, target: str) -> str:
    return f"1042 1031 254:1 {root} {target} rw,relatime - ext4 /dev/vda1 rw"


@pytest.mark.parametrize("root", [LOG, LOG.removeprefix("/var/lib/kubelet"), f"/volumes/1f/_data{LOG[16:]}"])
def test_the_mount_of_the_termination_log_names_pod_and_container(root: str) -> None:
    text = "\n".join([line("/", "/"), line("/null", "/dev/null"), line(root, "/dev/termination-log"), ""])
    assert read_mounts(text) == (UID, "metrics-sidecar")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense\n",
        "1 2 3",
        line("/", "/dev/termination-log"),
        line(f"/pods/{UID}/etc-hosts", "/etc/hosts"),
        line(LOG, "/data/of/somebody"),
        line(f"/pods/short/containers/{'x' * 9000}/1", "/dev/termination-log"),
    ],
)
def test_other_mounts_name_nothing(text: str) -> None:
    assert read_mounts(text) == ("", "")


def test_outside_of_a_pod_only_the_machine_is_known(tmp_path: Path) -> None:
    found = here(account=tmp_path, mounts=tmp_path / "absent")
    assert found == Place(pod=found.pod)
    assert found.pod


def test_the_namespace_is_that_of_the_service_account(tmp_path: Path) -> None:
    (tmp_path / "namespace").write_text("models\n")
    assert here(account=tmp_path, mounts=tmp_path / "absent").namespace == "models"
