"""The collection as its users have it, installed from its archive: a playbook of a few lines provisions a host."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "docs/guides/examples/lab_host"
BIN = Path(sys.executable).parent


class Installed:
    """A directory with the example, where ansible finds the collection that was installed and no other.

    Args:
        directory: The directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.run_id = f"example-{uuid.uuid4().hex[:6]}"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_COLLECTIONS_PATH": str(directory / "collections"),
            "ANSIBLE_HOME": str(directory / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
        }

    def run(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=self.directory, env=self._environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def play(self, playbook: str) -> str:
        return self.run("ansible-playbook", "-i", "inventory", "-e", f"lab_hosts_run_id={self.run_id}", playbook)


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    """The example beside the collection, built and installed as its users do; hosts are removed in the end."""
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    installed = Installed(tmp_path)
    installed.run("ansible-galaxy", "collection", "build", str(ROOT), "--output-path", "dist")
    (archive,) = (tmp_path / "dist").glob("*.tar.gz")
    installed.run("ansible-galaxy", "collection", "install", str(archive), "-p", "collections", "--offline")
    yield installed
    installed.play("remove.yml")


def test_a_playbook_of_ten_lines_provisions_a_lab_host_and_changes_nothing_the_second_time(
    installed: Installed,
) -> None:
    assert len((EXAMPLE / "playbook.yml").read_text().splitlines()) <= 10
    assert "ok: [node1]" in installed.play("playbook.yml")
    container = f"pg-{installed.run_id}-node1"
    active = subprocess.run(["podman", "exec", container, "systemctl", "is-active", "containerd"], check=False)
    assert active.returncode == 0
    recap = installed.play("playbook.yml").rpartition("PLAY RECAP")[2]
    assert recap.count("changed=0") == 2, recap
