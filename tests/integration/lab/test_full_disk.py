"""Hosts without room for images."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from proving_ground.ownership.state import cache_home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Lab

PAUSE = "registry.k8s.io/pause:3.10.2"
NOTES = "/var/lib/proving-ground/images"
INGEST = "/var/lib/containerd/io.containerd.content.v1.content/ingest"


@pytest.fixture
def archive(cluster: Lab) -> Path:
    """The archive of images that w1 was given, which it is known by there."""
    given = cluster.shell("w1", f"ls {NOTES}").split()
    for path in (cache_home() / "images").glob("kubernetes-node-*.tar"):
        with path.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() in given:
                return path
    pytest.fail(f"none of the archives is one of {given}")


@pytest.fixture
def small(cluster: Lab, request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Return what mounts a file system of a megabyte over a directory of w1."""

    def mount(directory: str) -> None:
        cluster.shell("w1", f"mount -t tmpfs -o size=1m tmpfs {directory}")
        request.addfinalizer(lambda: cluster.shell("w1", f"! mountpoint -q {directory} || umount {directory}"))

    return mount


def test_a_host_without_room_for_images_is_named_before_they_are_sent(
    cluster: Lab, archive: Path, small: Callable[[str], None]
) -> None:
    images = [{"path": str(archive), "names": [PAUSE]}]
    small(NOTES)
    outcome = cluster.play("w1", "node_images", node_images_archives=images)
    assert outcome.status == "failed"
    assert outcome.cause.startswith(f"w1: images need more room than there is: {NOTES} needs 1")
    assert f"{NOTES} has 1.00 MB free; free space there, and run this again" in outcome.cause
    assert cluster.shell("w1", f"ls {NOTES}") == ""
    cluster.shell("w1", f"umount {NOTES}")
    assert cluster.play("w1", "node_images", node_images_archives=images).cause == ""


def test_a_disk_that_fills_up_while_images_are_unpacked_is_one_line(
    cluster: Lab, archive: Path, small: Callable[[str], None]
) -> None:
    images = [{"path": str(archive), "names": [PAUSE]}]
    # As on a host that the images are new to.
    cluster.shell("w1", f"rm {NOTES}/*; ctr -n k8s.io images ls -q | xargs ctr -n k8s.io images rm --sync")
    small(INGEST)
    outcome = cluster.play("w1", "node_images", node_images_archives=images)
    assert outcome.status == "failed"
    assert outcome.cause.startswith("w1: ctr: ")
    assert "no space left on device" in outcome.cause
    assert "; free space there (task: load | Hand them to containerd)" in outcome.cause
    cluster.shell("w1", f"umount {INGEST}")
    assert cluster.play("w1", "node_images", node_images_archives=images).cause == ""
    assert PAUSE in cluster.shell("w1", "ctr -n k8s.io images ls -q")
