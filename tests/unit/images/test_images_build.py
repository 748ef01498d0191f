"""Building images on a base that is there already."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from proving_ground.errors import ConfigurationError
from proving_ground.images import build as building
from proving_ground.images.archive import write_layer
from proving_ground.images.base import Base, Source, _unpack
from proving_ground.images.build import Wanted, build

LOCK = Path(__file__).parents[3] / "requirements.lock"
NAMES = {"mocks": ["localhost/proving-ground/mocks:1"], "servers": ["a/b:1", "a/b:1", "A/Upper:1"], "stand_ins": []}


@pytest.fixture
def wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wanted:
    """What is wanted, on a base whose programs only say that they ran."""
    source = Source()
    folder = tmp_path / "cache" / f"base-{source.key}"
    (folder / "root" / "etc").mkdir(parents=True)
    (folder / "root" / "etc" / "os-release").write_text("Debian")
    write_layer(folder / "base.tar", folder / "root", ["etc"])

    def ran(_: Base, *command: str) -> str:
        return "3.13\n" if "version_info" in command[-1] else ""

    def installed(command: list[str]) -> str:
        target = next(Path(word.partition("=")[2]) for word in command if word.startswith("--target="))
        (target / "package.py").write_text("")
        return ""

    monkeypatch.setattr(Base, "run", ran)
    monkeypatch.setattr(building, "execute", installed)
    return Wanted(tmp_path / "cache", LOCK, source, NAMES)


def manifest(archive: Path) -> list[dict[str, Any]]:
    with tarfile.open(archive) as opened:
        found: list[dict[str, Any]] = json.load(opened.extractfile("manifest.json"))  # type: ignore[arg-type]
        return found


def test_images_share_three_layers_and_have_their_names_once(wanted: Wanted) -> None:
    built = build(wanted)
    mocks, servers = manifest(built.archive)
    assert (mocks["RepoTags"], servers["RepoTags"]) == (["localhost/proving-ground/mocks:1"], ["a/b:1"])
    assert mocks["Layers"] == servers["Layers"]
    assert len(mocks["Layers"]) == 3
    assert built.names == ("localhost/proving-ground/mocks:1", "a/b:1")


def test_a_name_that_no_image_can_have_is_left_out_and_told(wanted: Wanted) -> None:
    assert build(wanted).left_out == ("A/Upper:1",)


def test_a_second_build_writes_nothing(wanted: Wanted) -> None:
    first, second = build(wanted), build(wanted)
    assert (first.changed, second.changed, second.archive) == (True, False, first.archive)


def test_the_layers_of_other_contents_are_forgotten(wanted: Wanted) -> None:
    for name in ("images-old.tar", "images-old.tar.content", "libraries-old.tar", "application-old.tar.sha256"):
        (wanted.cache / name).write_text("old")
    build(wanted)
    assert not list(wanted.cache.glob("*-old.*"))
    assert len(list(wanted.cache.glob("*.tar"))) == 3


def test_the_project_itself_is_in_the_last_layer_without_compiled_files_of_ours(wanted: Wanted) -> None:
    build(wanted)
    (path,) = wanted.cache.glob("application-*.tar")
    with tarfile.open(path) as layer:
        names = layer.getnames()
    assert "opt/proving-ground/app/proving_ground/fleet/pod/__main__.py" in names
    assert not [name for name in names if name.endswith(".pyc")]


def test_a_kind_that_is_not_known_is_refused(wanted: Wanted) -> None:
    with pytest.raises(ConfigurationError, match="expected mocks, servers, stand_ins, found others"):
        build(Wanted(wanted.cache, LOCK, wanted.source, {"others": ["a:1"]}))


def test_a_lock_that_is_not_there_is_told(wanted: Wanted, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="the lock cannot be read"):
        build(Wanted(wanted.cache, tmp_path / "none", wanted.source, NAMES))


def test_a_base_is_unpacked_without_devices_and_never_outside(tmp_path: Path) -> None:
    archive = tmp_path / "base.tar"
    with tarfile.open(archive, "w") as made:
        for name, kind in (("etc", tarfile.DIRTYPE), ("dev/null", tarfile.CHRTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = kind, 0o755
            made.addfile(entry)
        link = tarfile.TarInfo("etc/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/usr/bin/python3"
        made.addfile(link)
    _unpack(archive, tmp_path / "root")
    assert [path.name for path in (tmp_path / "root").rglob("*")] == ["etc", "link"]
    with tarfile.open(archive, "w") as made:
        made.addfile(tarfile.TarInfo("../outside"))
    with pytest.raises(tarfile.FilterError):
        _unpack(archive, tmp_path / "other")
