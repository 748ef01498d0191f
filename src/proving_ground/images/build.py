"""Builds the project's images, as far as the cache does not have them: base, packages, the project itself, archive."""

from __future__ import annotations

import fcntl
import json
import platform
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proving_ground import __version__
from proving_ground.errors import ConfigurationError
from proving_ground.fleet.pod.own import IMAGE
from proving_ground.images import base
from proving_ground.images.archive import Image, Layer, write_archive
from proving_ground.images.base import Base, Source
from proving_ground.images.kinds import APPLICATION, KINDS, LIBRARIES, MODEL
from proving_ground.images.layers import Ground, digest
from proving_ground.images.references import TAGGED
from proving_ground.servers.llama import described

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from proving_ground.servers.model import Model

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
SOURCE_LABEL = "proving.ground/content"
_IN_USE_SECONDS = 1800.0
"""How long an archive of earlier content stays: another run may be handing it to its nodes."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be built.

    Attributes:
        cache: Folder that keeps what was built.
        lock: The requirements lock.
        source: Where the base comes from.
        names: References of the images of each kind.
        output: Where the archive goes; empty: into the cache, under a name of its content.
        model: What images of inference servers serve; needed where there are any.
    """

    cache: Path
    lock: Path
    source: Source
    names: Mapping[str, Sequence[str]]
    output: Path | None = None
    model: Model | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """What was built."""

    archive: Path
    changed: bool
    """Whether the archive was written, rather than found."""
    names: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    """Names that no image can have; a pod that asks for one is told so by its kubelet."""
    served: Mapping[str, Any] | None = None
    """What images of inference servers serve."""


def build(wanted: Wanted) -> Built:
    """Build the images, or find them.

    Raises:
        ConfigurationError: A file or a program is missing, or a kind of images is not known.
        InfrastructureError: Something cannot be made.
    """
    unknown = sorted(set(wanted.names) - KINDS.keys())
    if unknown:
        raise ConfigurationError(f"expected {', '.join(KINDS)}, found {unknown[0]}", where="kinds of images")
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise ConfigurationError(f"expected {' or '.join(ARCHITECTURES)}, found {machine}", where="this machine")
    usable = {
        kind: tuple(dict.fromkeys(name for name in names if TAGGED.fullmatch(name)))
        for kind, names in sorted(wanted.names.items())
    }
    wanted.cache.mkdir(parents=True, exist_ok=True)
    with _alone(wanted.cache):
        made = Base.made(wanted.cache, wanted.source)
        ground = Ground(wanted.cache, made, wanted.source.key, made.python(), machine)
        images = [
            _image(kind, names, layers)
            for kind, layers in _layers(wanted, ground, [kind for kind, names in usable.items() if names]).items()
            for names in [usable[kind]]
        ]
        name = digest(*(image.configuration(machine).hex() + "\0".join(image.names) for image in images))
        archive = wanted.output or wanted.cache / f"images-{name}.tar"
        note = archive.with_name(f"{archive.name}.content")
        fresh = not archive.is_file() or not note.is_file() or note.read_text(encoding="ascii") != name
        if fresh:
            archive.parent.mkdir(parents=True, exist_ok=True)
            write_archive(archive, images, ARCHITECTURES[machine])
            note.write_text(name, encoding="ascii")
        else:
            archive.touch()
        _forget_old(wanted.cache, archive, {layer.path for image in images for layer in image.layers})
    built = tuple(name for image in images for name in image.names)
    left_out = {name for names in wanted.names.values() for name in names}.difference(built)
    served = any(KINDS[kind].serves and names for kind, names in usable.items())
    return Built(archive, fresh, built, tuple(sorted(left_out)), _served(wanted) if served else None)


def _layers(wanted: Wanted, ground: Ground, kinds: Sequence[str]) -> dict[str, tuple[Layer, ...]]:
    """Return the layers of each kind, those that change least at the bottom."""
    libraries, application = ground.libraries(wanted.lock), ground.application()
    found = {}
    for name in kinds:
        kind = KINDS[name]
        layers = [ground.base.layer, libraries]
        if kind.packages is not None:
            layers.append(ground.packages(kind.packages, wanted.lock))
        if kind.serves:
            layers.append(ground.model(_model(wanted)))
        found[name] = (*layers, application)
    return found


def _model(wanted: Wanted) -> Model:
    if wanted.model is None:
        raise ConfigurationError("expected a model for images of inference servers, found none", where="images")
    return wanted.model


def _served(wanted: Wanted) -> dict[str, Any]:
    model = _model(wanted)
    return described(model, f"/{MODEL}/{model.path.name}")


def _image(kind: str, names: tuple[str, ...], layers: tuple[Layer, ...]) -> Image:
    packages = KINDS[kind].packages
    places = [APPLICATION, LIBRARIES, *([packages.folder] if packages is not None else [])]
    environment = {
        "PATH": base.PATH,
        "PYTHONPATH": ":".join(f"/{place}" for place in places),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        # Nothing else is looked for: each folder that is costs some of the start.
        "PYTHONNOUSERSITE": "1",
        # kopf asks who it is, and a container's user has no name.
        "USER": "proving-ground",
        IMAGE: names[0],
    }
    labels = {"org.opencontainers.image.version": __version__, SOURCE_LABEL: layers[-1].digest}
    return Image(names, layers, KINDS[kind].command, environment, labels)


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Let one build at a time use a cache."""
    with (cache / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _forget_old(cache: Path, archive: Path, layers: set[Path]) -> None:
    """Remove earlier contents of the layers that were asked for, and archives that nobody uses.

    Bases stay, since they take longest, and so do layers of other kinds of images.
    """
    names = {path.name.rpartition("-")[0] for path in layers if path.parent == cache}
    for path in [each for name in names for each in cache.glob(f"{name}-*.tar*")]:
        if path not in layers and path.with_suffix("") not in layers:
            path.unlink(missing_ok=True)
    for path in cache.glob("images-*.tar"):
        if path != archive and path.stat().st_mtime < time.time() - _IN_USE_SECONDS:
            path.unlink(missing_ok=True)
            path.with_name(f"{path.name}.content").unlink(missing_ok=True)


def report(built: Built) -> str:
    """Return what was built as one line of JSON."""
    told = {
        "archive": str(built.archive),
        "changed": built.changed,
        "names": built.names,
        "left_out": built.left_out,
        "served": built.served,
    }
    return json.dumps(told)
