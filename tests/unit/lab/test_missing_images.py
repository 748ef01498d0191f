"""What the role node_images finds missing on a host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

VARIABLES = Path(__file__).parents[3] / "roles/node_images/vars/main.yml"
DIGEST = "0" * 64


def missing(names: list[str], there: list[str]) -> list[dict[str, Any]]:
    """Return the archives that a host lacks, which has these lines of images and notes."""
    loader = DataLoader()
    archives = [{"path": "/images.tar", "names": names}]
    variables = {
        **loader.load_from_file(str(VARIABLES), trusted_as_template=True),
        "node_images_archives": archives,
        "node_images_directory": "/notes",
        "__node_images_files": {"results": [{"stat": {"checksum": DIGEST}}]},
        "__node_images_found": {"stdout_lines": there},
    }
    templar = Templar(loader, variables=variables)
    return templar.template(variables["__node_images_missing"])  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("name", "containerd"),
    [
        ("busybox:1.37", "docker.io/library/busybox:1.37"),
        ("amdenterpriseai/aim-base:0.8", "docker.io/amdenterpriseai/aim-base:0.8"),
        ("docker.io/library/busybox:1.37", "docker.io/library/busybox:1.37"),
        ("localhost/proving-ground/mocks:0.1.0", "localhost/proving-ground/mocks:0.1.0"),
        ("registry:5000/tools/curl:8", "registry:5000/tools/curl:8"),
    ],
)
def test_an_image_that_containerd_knows_by_its_whole_name_is_not_sent_again(name: str, containerd: str) -> None:
    assert missing([name], [containerd, f"/notes/{DIGEST}"]) == []


@pytest.mark.parametrize(
    "there",
    [
        ["docker.io/library/busybox:1.37"],
        [f"/notes/{DIGEST}"],
        [f"/notes/{DIGEST}", "ghcr.io/library/busybox:1.37"],
    ],
    ids=["without a note", "removed by the kubelet", "of another registry"],
)
def test_an_image_that_is_not_there_as_it_was_given_is_sent(there: list[str]) -> None:
    assert [archive["path"] for archive in missing(["busybox:1.37"], there)] == ["/images.tar"]
