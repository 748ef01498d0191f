"""The layers of images, each made once for its content: packages, a model, the project itself."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.images import pins
from proving_ground.images.archive import Layer, write_files, write_layer
from proving_ground.images.base import execute
from proving_ground.images.kinds import APPLICATION, LIBRARIES, MODEL, SERVED
from proving_ground.servers.llama import described

if TYPE_CHECKING:
    from proving_ground.images.base import Base
    from proving_ground.images.kinds import Packages
    from proving_ground.servers.model import Model

_RECIPE = 1
"""Counted up where this module makes other layers of the same content."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What layers are made on.

    Attributes:
        cache: Folder that keeps them.
        base: The base of all images.
        key: What tells the base from others.
        python: Version of its Python, as ``3.13``.
        machine: Machine that they are for, as ``platform.machine()`` says it.
    """

    cache: Path
    base: Base
    key: str
    python: str
    machine: str

    def libraries(self, lock: Path) -> Layer:
        """Return the layer of the packages that programs of all images import.

        Raises:
            ConfigurationError: The lock cannot be read or does not pin them, or one of them is not installed here.
            InfrastructureError: They cannot be installed.
        """
        pinned = pins.pinned(_read(lock), pins.needed(pins.ROOTS, self.python))
        return self._installed("libraries", LIBRARIES, pinned)

    def packages(self, wanted: Packages, lock: Path) -> Layer:
        """Return the layer of the packages that one kind of images has beside those.

        Raises:
            ConfigurationError: As of `libraries`.
            InfrastructureError: They cannot be installed, or what is installed cannot be imported.
        """
        names = set(wanted.roots)
        if wanted.lock is None:
            names = pins.needed(wanted.roots, self.python) - pins.needed(pins.ROOTS, self.python)
        pinned = pins.pinned(_read(wanted.lock or lock), names)
        return self._installed(f"packages-{wanted.name}", wanted.folder, pinned, wanted)

    def _installed(self, name: str, folder: str, pinned: str, tried: Packages | None = None) -> Layer:
        path = self.cache / f"{name}-{digest(str(_RECIPE), self.key, self.python, self.machine, pinned)}.tar"
        if path.is_file():
            return Layer.of(path)
        target = self.base.root / folder
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        requirements = self.cache / f".requirements.{os.getpid()}.txt"
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
                    f"--python-version={self.python}",
                    f"--python-platform={self.machine}-manylinux_2_28",
                    f"--target={target}",
                    f"--requirement={requirements}",
                ]
            )
        finally:
            requirements.unlink(missing_ok=True)
        shutil.rmtree(target / "bin", ignore_errors=True)
        (target / ".lock").unlink(missing_ok=True)
        if tried is not None:
            self._try(tried)
        self._compile(folder)
        write_layer(path, self.base.root, [folder])
        return Layer.of(path)

    def _try(self, packages: Packages) -> None:
        module = packages.roots[0]
        paths = f"PYTHONPATH=/{packages.folder}:/{LIBRARIES}"
        try:
            self.base.run("/usr/bin/env", paths, "python3", "-c", f"import {module}")
        except InfrastructureError as error:
            raise InfrastructureError(f"{module}: {error}", where="images", hint=packages.hint) from error

    def model(self, model: Model) -> Layer:
        """Return the layer of a model, with what is told of it."""
        told = json.dumps(described(model, f"/{MODEL}/{model.path.name}"))
        seen = model.path.stat()
        name = digest(str(_RECIPE), str(model.path), str(seen.st_size), str(seen.st_mtime_ns), told)
        path = self.cache / f"model-{name}.tar"
        if not path.is_file():
            write_files(path, {f"{MODEL}/{model.path.name}": model.path, SERVED: told.encode()})
        return Layer.of(path)

    def application(self) -> Layer:
        """Return the layer of the project's own package, as it is imported here.

        Raises:
            InfrastructureError: It has no folder.
        """
        found = importlib.util.find_spec("proving_ground")
        if found is None or not found.submodule_search_locations:
            raise InfrastructureError("the package proving_ground has no folder", where="images")
        package = Path(next(iter(found.submodule_search_locations)))
        files = sorted(
            path
            for path in package.rglob("*")
            if path.is_file() and path.suffix != ".pyc" and "__pycache__" not in path.parts
        )
        content = hashlib.sha256(f"{_RECIPE}\0{self.key}".encode())
        for path in files:
            content.update(f"{path.relative_to(package)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
        path = self.cache / f"application-{content.hexdigest()[:16]}.tar"
        if not path.is_file():
            target = self.base.root / APPLICATION
            shutil.rmtree(target, ignore_errors=True)
            for file in files:
                copy = target / "proving_ground" / file.relative_to(package)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
            self._compile(APPLICATION)
            write_layer(path, self.base.root, [APPLICATION])
        return Layer.of(path)

    def _compile(self, folder: str) -> None:
        """Compile a folder with the base's own Python: no start of a pod is to do it.

        Files that belong to other versions of Python cannot be compiled, and do not need to be.
        """
        command = "import compileall, py_compile, sys; compileall.compile_dir(sys.argv[1], quiet=2, force=True, "
        mode = "invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)"
        self.base.run("python3", "-c", command + mode, f"/{folder}")


def _read(lock: Path) -> str:
    try:
        return lock.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"the lock cannot be read: {error.strerror}", where=str(lock)) from error


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


def digest(*parts: str) -> str:
    """Return what names content."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
