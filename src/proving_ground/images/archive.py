"""Docker archives: images of several names that share layers, written straight into one file.

The format is that of ``docker save`` (Docker Image Specification v1.2: ``manifest.json``, a configuration for each
image, layers as tar files), which containerd, podman and docker import.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_CHUNK = 1 << 20
_CREATED = "1970-01-01T00:00:00Z"
"""Of everything: the same content is the same image."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer: a tar file, and its digest."""

    path: Path
    digest: str
    """SHA-256 of the uncompressed file, in hexadecimal digits."""

    @classmethod
    def of(cls, path: Path) -> Layer:
        """Return the layer that a tar file is; its digest is kept beside it."""
        note = path.with_name(f"{path.name}.sha256")
        if note.is_file() and note.stat().st_mtime_ns >= path.stat().st_mtime_ns:
            return cls(path, note.read_text(encoding="ascii").strip())
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        note.write_text(digest, encoding="ascii")
        return cls(path, digest)


@dataclass(frozen=True, slots=True)
class Image:
    """An image.

    Attributes:
        names: Full references, each with its tag.
        layers: From the bottom.
        entrypoint: What its containers run.
        environment: Variables of its containers.
        labels: Labels of the image.
    """

    names: tuple[str, ...]
    layers: tuple[Layer, ...]
    entrypoint: tuple[str, ...]
    environment: Mapping[str, str]
    labels: Mapping[str, str]

    def configuration(self, architecture: str) -> bytes:
        """Return the image's configuration; its digest is the image's id."""
        content = {
            "architecture": architecture,
            "os": "linux",
            "created": _CREATED,
            "config": {
                "Entrypoint": list(self.entrypoint),
                "Env": [f"{name}={value}" for name, value in sorted(self.environment.items())],
                "Labels": dict(sorted(self.labels.items())),
                "WorkingDir": "/",
                "StopSignal": "SIGTERM",
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.digest}" for layer in self.layers]},
            "history": [{"created": _CREATED} for _ in self.layers],
        }
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def write_archive(path: Path, images: Sequence[Image], architecture: str) -> None:
    """Write images into one file, which is there as a whole or not at all."""
    manifest: list[dict[str, Any]] = []
    files: dict[str, bytes | Path] = {}
    for image in images:
        configuration = image.configuration(architecture)
        name = f"{hashlib.sha256(configuration).hexdigest()}.json"
        files[name] = configuration
        layers = []
        for layer in image.layers:
            layers.append(f"{layer.digest}/layer.tar")
            files[layers[-1]] = layer.path
        manifest.append({"Config": name, "RepoTags": list(image.names), "Layers": layers})
    files["manifest.json"] = json.dumps(manifest).encode()
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as archive:
            for name, content in files.items():
                _add(archive, name, content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _add(archive: tarfile.TarFile, name: str, content: bytes | Path) -> None:
    entry = tarfile.TarInfo(name)
    if isinstance(content, bytes):
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
        return
    entry.size = content.stat().st_size
    with content.open("rb") as file:
        archive.addfile(entry, file)


def write_layer(path: Path, root: Path, folders: Iterable[str]) -> None:
    """Write folders below a root as a layer: owned by root, without times, in order.

    Args:
        path: The tar file; there as a whole or not at all.
        root: What stands for ``/``.
        folders: Relative to it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as archive:
            for folder in folders:
                for parent in reversed((root / folder).relative_to(root).parents):
                    if parent.parts:
                        archive.add(root / parent, str(parent), recursive=False, filter=_plain)
                archive.add(root / folder, folder, filter=_plain)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_files(path: Path, files: Mapping[str, Path | bytes]) -> None:
    """Write files as a layer: owned by root, without times, in order.

    Args:
        path: The tar file; there as a whole or not at all.
        files: What each is, a file or its content, by its name relative to ``/``.
    """
    parents = {str(parent) for name in files for parent in PurePosixPath(name).parents if parent.parts}
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as archive:
            for name in sorted(parents):
                folder = tarfile.TarInfo(name)
                folder.type, folder.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(folder)
            for name, content in sorted(files.items()):
                _add(archive, name, content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mtime = 0
    entry.pax_headers = {}
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry
