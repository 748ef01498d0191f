"""What keeps a host from getting what every host has: a password, and packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Lab

USER = "keeper"
PASSWORD = "right-0ne"
MAKE = f"""
set -e
useradd --create-home --shell /bin/sh --groups sudo {USER}
echo {USER}:{PASSWORD} | chpasswd
install -d -o {USER} -m 0700 /home/{USER}/.ssh
install -o {USER} -m 0600 /root/.ssh/authorized_keys /home/{USER}/.ssh/authorized_keys
"""


@pytest.fixture
def keeper(cluster: Lab) -> Iterator[dict[str, Any]]:
    """Variables of a user who may do everything on w1 who knows a password."""
    cluster.shell("w1", MAKE)
    yield {"ansible_user": USER, "ansible_become": True, "ansible_remote_tmp": "~/.ansible/tmp"}
    cluster.forget_connections()
    cluster.shell("w1", f"userdel --force --remove {USER} 2>/dev/null; ! id {USER}")


def test_a_wrong_sudo_password_is_named_and_the_right_one_goes_on(cluster: Lab, keeper: dict[str, Any]) -> None:
    outcome = cluster.play("w1", "host_baseline", facts=True, ansible_become_password="wrong", **keeper)
    assert outcome.status == "failed"
    assert outcome.cause.startswith(
        "w1: Incorrect sudo password; set ansible_become_password to the password of ansible_user on that host"
    )
    assert cluster.play("w1", "host_baseline", facts=True, ansible_become_password=PASSWORD, **keeper).cause == ""


def test_a_package_archive_that_is_out_of_reach_is_named_with_the_package(cluster: Lab) -> None:
    outcome = cluster.play("w1", "host_baseline", facts=True, host_baseline_extra_packages=["htop"])
    assert outcome.status == "failed"
    assert outcome.cause.startswith("w1: could not install htop: ")
    # Which of the archives of a host apt names first is a matter of chance.
    assert ".debian.org" in outcome.cause
    assert "Let the host reach the archives" in outcome.cause
    assert cluster.play("w1", "host_baseline", facts=True).cause == ""
