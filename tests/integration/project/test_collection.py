"""The built collection holds what its users need, and nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

import proving_ground

ROOT = Path(__file__).parents[3]
FOLDERS = {"changelogs", "docs", "meta", "playbooks", "plugins", "roles"}


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Build the collection from the files of this checkout, with clutter beside them, and list its files."""
    out = tmp_path_factory.mktemp("dist")
    galaxy = Path(sys.executable).with_name("ansible-galaxy")
    subprocess.run(
        [str(galaxy), "collection", "build", str(ROOT), "--output-path", str(out)], capture_output=True, check=True
    )
    [archive] = out.glob("proving-ground-*.tar.gz")
    with tarfile.open(archive) as opened:
        names = [member.name for member in opened if member.isfile()]
        files = opened.extractfile("FILES.json")
        assert files is not None
        assert {entry["name"] for entry in json.load(files)["files"] if entry["ftype"] == "file"} == set(names) - {
            "FILES.json",
            "MANIFEST.json",
        }
    shutil.rmtree(out)
    return names


def test_it_holds_each_folder_that_a_user_needs_and_no_other(members: list[str]) -> None:
    folders = {name.split("/")[0] for name in members if "/" in name}
    assert {"meta", "plugins", "roles"} <= folders <= FOLDERS


def test_it_holds_no_other_file_at_its_root_than_these(members: list[str]) -> None:
    assert {name for name in members if "/" not in name} <= {
        "CHANGELOG.md",
        "FILES.json",
        "LICENSE",
        "MANIFEST.json",
        "README.md",
    }


def test_it_holds_the_manifests_that_tools_are_built_from(members: list[str]) -> None:
    for name in ("tools.json", "go/toolchain.txt", "go/kubernetes/go.mod", "go/kubernetes/go.sum"):
        assert f"roles/tool_binaries/files/{name}" in members


def test_it_holds_no_bytecode_and_nothing_private(members: list[str]) -> None:
    assert [name for name in members if name.endswith((".pyc", ".key", "values.yaml")) or "__pycache__" in name] == []


def test_every_module_and_role_of_the_tree_is_in_it(members: list[str]) -> None:
    patterns = ("plugins/*/*.py", "roles/*/*.md", "roles/*/tasks/*.yml", "roles/*/templates/*", "playbooks/*.yml")
    for path in [path for pattern in patterns for path in ROOT.glob(pattern)]:
        assert str(path.relative_to(ROOT)) in members


def test_its_version_is_that_of_the_package() -> None:
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text())
    assert galaxy["version"] == proving_ground.__version__
    assert (galaxy["namespace"], galaxy["name"]) == ("proving", "ground")


def test_its_action_group_names_every_module() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
    assert runtime["action_groups"]["ground"] == sorted(path.stem for path in ROOT.glob("plugins/modules/*.py"))
