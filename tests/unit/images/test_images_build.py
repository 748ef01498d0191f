"""Building images on a base that is there already."""

from __future__ import annotations

import dataclasses
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.images import layers as laying
from proving_ground.images.archive import write_layer
from proving_ground.images.base import Base, Source, _unpack
from proving_ground.images.build import Wanted, build, report
from proving_ground.servers.model import Model

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
    monkeypatch.setattr(laying, "execute", installed)
    return Wanted(tmp_path / "cache", LOCK, source, NAMES)


@pytest.fixture
def serving(wanted: Wanted, tmp_path: Path) -> Wanted:
    """The same with images of an inference server and of load workers."""
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    names = {**NAMES, "inference_servers": ["a/inference:1"], "load_workers": ["a/load:1"]}
    return dataclasses.replace(wanted, names=names, model=Model(tmp_path / "m.gguf", "m", "random", "a note"))


def configurations(archive: Path) -> dict[str, dict[str, Any]]:
    """Return what containers of each image run, by the image's first name."""
    with tarfile.open(archive) as opened:
        return {
            each["RepoTags"][0]: json.load(opened.extractfile(each["Config"]))["config"]  # type: ignore[arg-type]
            for each in json.load(opened.extractfile("manifest.json"))  # type: ignore[arg-type]
        }


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
    for name in ("libraries-old.tar", "application-old.tar.sha256", "packages-llama-other.tar"):
        (wanted.cache / name).write_text("old")
    build(wanted)
    assert not list(wanted.cache.glob("*-old.*"))
    # It is of images that were not asked for.
    assert (wanted.cache / "packages-llama-other.tar").exists()
    assert len(list(wanted.cache.glob("*.tar"))) == 4


def test_an_archive_of_other_content_stays_as_long_as_nodes_may_be_given_it(wanted: Wanted) -> None:
    for name in ("images-new.tar", "images-old.tar", "images-old.tar.content"):
        (wanted.cache / name).write_text("other")
    os.utime(wanted.cache / "images-old.tar", (0, 0))
    built = build(wanted)
    assert {path.name for path in wanted.cache.glob("images-*.tar")} == {"images-new.tar", built.archive.name}
    assert not (wanted.cache / "images-old.tar.content").exists()


def test_the_project_itself_is_in_the_last_layer_without_compiled_files_of_ours(wanted: Wanted) -> None:
    build(wanted)
    (path,) = wanted.cache.glob("application-*.tar")
    with tarfile.open(path) as layer:
        names = layer.getnames()
    assert "opt/proving-ground/app/proving_ground/fleet/pod/__main__.py" in names
    assert not [name for name in names if name.endswith(".pyc")]


def test_packages_and_model_lie_between_what_all_share_and_the_project(serving: Wanted) -> None:
    layers = {each["RepoTags"][0]: each["Layers"] for each in manifest(build(serving).archive)}
    inference, load, mocks = (layers[name] for name in ("a/inference:1", "a/load:1", NAMES["mocks"][0]))
    assert (len(inference), len(load), len(mocks)) == (5, 4, 3)
    for each in (inference, load):
        assert (each[:2], each[-1]) == (mocks[:2], mocks[-1])
    with tarfile.open(next(serving.cache.glob("model-*.tar"))) as layer:
        assert layer.getnames() == [
            "opt",
            "opt/proving-ground",
            "opt/proving-ground/model",
            "opt/proving-ground/model/m.gguf",
            "opt/proving-ground/model/served.json",
        ]
        told = json.load(layer.extractfile("opt/proving-ground/model/served.json"))  # type: ignore[arg-type]
    assert told["model_path"] == "/opt/proving-ground/model/m.gguf"
    assert (told["model"], told["model_kind"], told["model_note"]) == ("m", "random", "a note")


def test_containers_find_the_packages_of_their_kind(serving: Wanted) -> None:
    found = configurations(build(serving).archive)
    paths = {name: dict(each.split("=", 1) for each in told["Env"])["PYTHONPATH"] for name, told in found.items()}
    shared = "/opt/proving-ground/app:/opt/proving-ground/lib"
    assert paths["a/b:1"] == shared
    assert paths["a/inference:1"] == f"{shared}:/opt/proving-ground/lib-llama"
    assert paths["a/load:1"] == f"{shared}:/opt/proving-ground/lib-load"
    assert found["a/inference:1"]["Entrypoint"][:4] == [
        "python3",
        "-m",
        "proving_ground.servers.llama",
        "--installed=/opt/proving-ground/model/served.json",
    ]


def test_what_is_served_is_told_with_the_archive(serving: Wanted, wanted: Wanted) -> None:
    assert json.loads(report(build(serving)))["served"]["model"] == "m"
    assert json.loads(report(build(wanted)))["served"] is None


def test_another_model_is_another_archive_of_the_same_packages(serving: Wanted) -> None:
    first = build(serving)
    packages = {path.name for path in serving.cache.glob("packages-*.tar")}
    assert serving.model is not None
    second = build(dataclasses.replace(serving, model=dataclasses.replace(serving.model, name="other")))
    assert second.archive != first.archive
    assert {path.name for path in serving.cache.glob("packages-*.tar")} == packages
    assert len(list(serving.cache.glob("model-*.tar"))) == 1


def test_an_inference_server_without_a_model_is_refused(serving: Wanted) -> None:
    with pytest.raises(ConfigurationError, match="expected a model for images of inference servers"):
        build(dataclasses.replace(serving, model=None))


def test_packages_that_the_base_cannot_import_are_told(serving: Wanted, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = Base.run

    def fails(base: Base, *command: str) -> str:
        if command[-1] == "import xllamacpp":
            raise InfrastructureError("chroot ended with 1: libgomp.so.1 is missing", where="images")
        return ran(base, *command)

    monkeypatch.setattr(Base, "run", fails)
    with pytest.raises(InfrastructureError, match=r"xllamacpp: .*libgomp[.]so[.]1 is missing.*package libgomp1"):
        build(serving)
    assert not list(serving.cache.glob("packages-llama-*.tar"))


def test_a_kind_that_is_not_known_is_refused(wanted: Wanted) -> None:
    known = "expected mocks, servers, stand_ins, inference_servers, load_workers, found others"
    with pytest.raises(ConfigurationError, match=known):
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
