"""Builds the project's images, as far as the cache does not have them: base, packages, the project itself, archive."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proving_ground import __version__
from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.fleet.pod.own import IMAGE
from proving_ground.images import base, pins
from proving_ground.images.archive import Image, Layer, write_archive, write_layer
from proving_ground.images.base import Base, Source, execute

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PLACE = "opt/proving-ground"
"""Where the project is in its images; the packages are in ``lib`` of it, the project itself in ``app``."""
LIBRARIES, APPLICATION = f"{PLACE}/lib", f"{PLACE}/app"
KINDS: Mapping[str, tuple[str, ...]] = {
    "mocks": ("python3", "-m", "proving_ground.fleet.pod"),
    "servers": ("python3", "-m", "proving_ground.fleet.pod"),
    "stand_ins": ("python3", "-m"),
}
"""What containers of each kind of image run; those of the stand-ins name the module as their first argument."""
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
SOURCE_LABEL = "proving.ground/content"
_PART = r"[a-z0-9]+(?:(?:[.]|_{1,2}|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(rf"(?:[a-zA-Z0-9.-]+(?::[0-9]+)?/)?{_PART}(?:/{_PART})*:[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}")
"""An image with its tag, by the grammar of the distribution project's package ``reference``."""
_RECIPE = 1
"""Counted up where this module makes other layers of the same content."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be built.

    Attributes:
        cache: Folder that keeps what was built.
        lock: The requirements lock.
        source: Where the base comes from.
        names: References of the images of each kind.
        output: Where the archive goes; empty: into the cache, under a name of its content.
    """

    cache: Path
    lock: Path
    source: Source
    names: Mapping[str, Sequence[str]]
    output: Path | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """What was built."""

    archive: Path
    changed: bool
    """Whether the archive was written, rather than found."""
    names: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    """Names that no image can have; a pod that asks for one is told so by its kubelet."""


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
    wanted.cache.mkdir(parents=True, exist_ok=True)
    with _alone(wanted.cache):
        ground = Base.made(wanted.cache, wanted.source)
        libraries = _libraries(wanted, ground, machine)
        application = _application(wanted.cache, ground, wanted.source.key)
        layers = (ground.layer, libraries, application)
        usable = {
            kind: tuple(dict.fromkeys(name for name in names if _REFERENCE.fullmatch(name)))
            for kind, names in sorted(wanted.names.items())
        }
        images = [_image(kind, names, layers) for kind, names in usable.items() if names]
        digest = _digest(*(image.configuration(machine).hex() + "\0".join(image.names) for image in images))
        archive = wanted.output or wanted.cache / f"images-{digest}.tar"
        note = archive.with_name(f"{archive.name}.content")
        fresh = not archive.is_file() or not note.is_file() or note.read_text(encoding="ascii") != digest
        if fresh:
            archive.parent.mkdir(parents=True, exist_ok=True)
            write_archive(archive, images, ARCHITECTURES[machine])
            note.write_text(digest, encoding="ascii")
        _forget_old(wanted.cache, {archive, note, *(layer.path for layer in layers)})
    built = tuple(name for image in images for name in image.names)
    left_out = {name for names in wanted.names.values() for name in names}.difference(built)
    return Built(archive, fresh, built, tuple(sorted(left_out)))


def _image(kind: str, names: tuple[str, ...], layers: tuple[Layer, ...]) -> Image:
    environment = {
        "PATH": base.PATH,
        "PYTHONPATH": f"/{APPLICATION}:/{LIBRARIES}",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        # Nothing else is looked for: each folder that is costs some of the start.
        "PYTHONNOUSERSITE": "1",
        # kopf asks who it is, and a container's user has no name.
        "USER": "proving-ground",
        IMAGE: names[0],
    }
    labels = {"org.opencontainers.image.version": __version__, SOURCE_LABEL: layers[-1].digest}
    return Image(names, layers, KINDS[kind], environment, labels)


def _libraries(wanted: Wanted, ground: Base, machine: str) -> Layer:
    """Return the layer of the packages that the images' programs import, for the base's Python."""
    python = ground.python()
    try:
        lock = wanted.lock.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"the lock cannot be read: {error.strerror}", where=str(wanted.lock)) from error
    pinned = pins.pinned(lock, pins.needed(pins.ROOTS, python))
    path = wanted.cache / f"libraries-{_digest(str(_RECIPE), wanted.source.key, python, machine, pinned)}.tar"
    if not path.is_file():
        target = ground.root / LIBRARIES
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        requirements = wanted.cache / f".requirements.{os.getpid()}.txt"
        requirements.write_text(pinned, encoding="utf-8")
        try:
            execute(
                [
                    _uv(),
                    "pip",
                    "install",
                    "--quiet",
                    "--no-deps",
                    "--require-hashes",
                    "--only-binary=:all:",
                    "--link-mode=copy",
                    f"--python-version={python}",
                    f"--python-platform={machine}-manylinux_2_28",
                    f"--target={target}",
                    f"--requirement={requirements}",
                ]
            )
        finally:
            requirements.unlink(missing_ok=True)
        shutil.rmtree(target / "bin", ignore_errors=True)
        (target / ".lock").unlink(missing_ok=True)
        _compile(ground, LIBRARIES)
        write_layer(path, ground.root, [LIBRARIES])
    return Layer.of(path)


def _application(cache: Path, ground: Base, key: str) -> Layer:
    """Return the layer of the project's own package, as it is imported here."""
    found = importlib.util.find_spec("proving_ground")
    if found is None or not found.submodule_search_locations:
        raise InfrastructureError("the package proving_ground has no folder", where="images")
    package = Path(next(iter(found.submodule_search_locations)))
    files = sorted(
        path
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and "__pycache__" not in path.parts
    )
    content = hashlib.sha256(f"{_RECIPE}\0{key}".encode())
    for path in files:
        content.update(f"{path.relative_to(package)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    path = cache / f"application-{content.hexdigest()[:16]}.tar"
    if not path.is_file():
        target = ground.root / APPLICATION
        shutil.rmtree(target, ignore_errors=True)
        for file in files:
            copy = target / "proving_ground" / file.relative_to(package)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        _compile(ground, APPLICATION)
        write_layer(path, ground.root, [APPLICATION])
    return Layer.of(path)


def _compile(ground: Base, folder: str) -> None:
    """Compile a folder with the base's own Python: no start of a pod is to do it.

    Files that belong to other versions of Python cannot be compiled, and do not need to be.
    """
    command = "import compileall, py_compile, sys; compileall.compile_dir(sys.argv[1], quiet=2, force=True, "
    mode = "invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)"
    ground.run("python3", "-c", command + mode, f"/{folder}")


def _uv() -> str:
    """Return the program uv: that beside this Python, else that on PATH.

    Raises:
        ConfigurationError: There is none.
    """
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise ConfigurationError("uv is not installed", where="images", hint="pip install uv")
    return found


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Let one build at a time use a cache."""
    with (cache / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _forget_old(cache: Path, kept: set[Path]) -> None:
    """Remove layers and archives of earlier contents; bases stay, since they take longest."""
    for pattern in ("images-*.tar*", "libraries-*.tar*", "application-*.tar*"):
        for path in cache.glob(pattern):
            if path not in kept and path.with_suffix("") not in kept:
                path.unlink(missing_ok=True)


def report(built: Built) -> str:
    """Return what was built as one line of JSON."""
    told = {"archive": str(built.archive), "changed": built.changed, "names": built.names, "left_out": built.left_out}
    return json.dumps(told)
