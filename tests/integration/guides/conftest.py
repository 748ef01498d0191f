"""A copy of the project for each test, to which an example of the guides was added as the guide says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "docs" / "guides" / "examples"
# What examples add to; everything else is the project's own.
OPEN = ("inventories", "molecule", "playbooks", "roles")
OWN = ("docs", "meta", "plugins", "pyproject.toml", "src")


@dataclass(frozen=True)
class Copy:
    root: Path
    state: Path

    def add(self, example: str) -> None:
        """Do what the guide says: copy the folder over the project, and append what is in its `append/`."""
        folder = EXAMPLES / example
        shutil.copytree(folder, self.root, dirs_exist_ok=True, ignore=lambda _, names: {"append"} & set(names))
        for part in (folder / "append").rglob("*.yml"):
            with (self.root / part.relative_to(folder / "append")).open("a") as stream:
                stream.write(part.read_text())

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "ANSIBLE_COLLECTIONS_PATH": str(self.root.parent / "collections"),
            "ANSIBLE_HOME": str(self.state / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PROVING_GROUND_STATE": str(self.state),
        }

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the copy to its end."""
        return subprocess.run(
            command, cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=600, check=False
        )

    def proving_ground(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "proving_ground", *arguments)


@pytest.fixture
def copy_with(tmp_path: Path) -> Callable[[str], Copy]:
    """Return a copy of the project, without suites, to which an example was added."""

    def make(example: str) -> Copy:
        copy = Copy(tmp_path / "project", tmp_path / "state")
        for folder in OPEN:
            shutil.copytree(ROOT / folder, copy.root / folder)
        for name in OWN:
            (copy.root / name).symlink_to(ROOT / name)
        shutil.copy(ROOT / "stages.yml", copy.root)
        place = tmp_path / "collections" / "ansible_collections" / "proving"
        place.mkdir(parents=True)
        (place / "ground").symlink_to(copy.root)
        copy.add(example)
        return copy

    return make
