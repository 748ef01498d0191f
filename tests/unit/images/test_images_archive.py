"""Docker archives."""

from __future__ import annotations

import hashlib
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.images.archive import Image, Layer, write_archive, write_files, write_layer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def layer(tmp_path: Path) -> Layer:
    root = tmp_path / "root"
    (root / "opt" / "app").mkdir(parents=True)
    (root / "opt" / "app" / "program").write_text("run")
    (root / "opt" / "app" / "program").chmod(0o700)
    (root / "opt" / "app" / "data").write_text("data")
    (root / "opt" / "app" / "link").symlink_to("/usr/bin/python3")
    (root / "elsewhere").write_text("not this")
    write_layer(tmp_path / "layer.tar", root, ["opt/app"])
    return Layer.of(tmp_path / "layer.tar")


def image(layer: Layer, *names: str, entrypoint: tuple[str, ...] = ("run",)) -> Image:
    return Image(names, (layer,), entrypoint, {"A": "1"}, {"l": "m"})


def content(path: Path) -> dict[str, Any]:
    with tarfile.open(path) as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isfile()}  # type: ignore[union-attr]


def test_a_layer_holds_folders_and_their_parents_of_root_without_times(layer: Layer) -> None:
    with tarfile.open(layer.path) as archive:
        entries = {entry.name: entry for entry in archive}
    assert sorted(entries) == ["opt", "opt/app", "opt/app/data", "opt/app/link", "opt/app/program"]
    assert {(e.uid, e.gid, e.mtime) for e in entries.values()} == {(0, 0, 0)}
    assert entries["opt/app/program"].mode == 0o755
    assert entries["opt/app/data"].mode == 0o644
    assert entries["opt/app/link"].linkname == "/usr/bin/python3"


def test_the_same_content_is_the_same_layer(layer: Layer, tmp_path: Path) -> None:
    write_layer(tmp_path / "again.tar", tmp_path / "root", ["opt/app"])
    assert Layer.of(tmp_path / "again.tar").digest == layer.digest


def test_files_are_a_layer_with_their_parents(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("content")
    write_files(tmp_path / "files.tar", {"a/b/file": tmp_path / "here", "a/told": b"told"})
    with tarfile.open(tmp_path / "files.tar") as archive:
        entries = {entry.name: (entry.isdir(), entry.mode, entry.uid, entry.mtime) for entry in archive}
    assert entries == {
        "a": (True, 0o755, 0, 0),
        "a/b": (True, 0o755, 0, 0),
        "a/b/file": (False, 0o644, 0, 0),
        "a/told": (False, 0o644, 0, 0),
    }
    assert content(tmp_path / "files.tar")["a/told"] == b"told"


def test_the_digest_of_a_layer_is_that_of_its_file(layer: Layer) -> None:
    assert layer.digest == hashlib.sha256(layer.path.read_bytes()).hexdigest()
    assert Layer.of(layer.path) == layer


def test_an_archive_names_its_images_and_holds_a_shared_layer_once(layer: Layer, tmp_path: Path) -> None:
    images = [image(layer, "a/b:1", "c/d:2"), image(layer, "e:3", entrypoint=("other",))]
    write_archive(tmp_path / "images.tar", images, "amd64")
    files = content(tmp_path / "images.tar")
    manifest = json.loads(files["manifest.json"])
    assert [entry["RepoTags"] for entry in manifest] == [["a/b:1", "c/d:2"], ["e:3"]]
    assert files[f"{layer.digest}/layer.tar"] == layer.path.read_bytes()
    assert len(files) == 4
    for entry in manifest:
        configuration = files[entry["Config"]]
        assert entry["Config"] == f"{hashlib.sha256(configuration).hexdigest()}.json"
        told = json.loads(configuration)
        assert told["rootfs"]["diff_ids"] == [f"sha256:{layer.digest}"]
        assert (told["os"], told["architecture"], told["config"]["Env"]) == ("linux", "amd64", ["A=1"])


def test_an_archive_that_cannot_be_written_leaves_the_old_one(layer: Layer, tmp_path: Path) -> None:
    path = tmp_path / "images.tar"
    path.write_text("old")
    layer.path.unlink()
    with pytest.raises(FileNotFoundError):
        write_archive(path, [image(layer, "a:1")], "amd64")
    assert path.read_text() == "old"
    assert not list(tmp_path.glob(".images.tar*"))
