"""The base of images: a small Debian, or an image of a registry, with Python."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.images.archive import Layer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PACKAGES = ("ca-certificates", "curl", "libgomp1", "python3")
"""The library of threads is what llama.cpp is linked with."""
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
_SECONDS = 900.0
_MODE = 0o755


@dataclass(frozen=True, slots=True)
class Source:
    """Where the base comes from.

    Attributes:
        image: An image of a registry that has Python; empty: made of Debian's packages.
        release: Debian's release.
        mirror: URL of a Debian archive; empty: Debian's own.
        podman: How podman is called.
    """

    image: str = ""
    release: str = "trixie"
    mirror: str = ""
    podman: tuple[str, ...] = ("podman",)

    @property
    def key(self) -> str:
        """What tells it from others, short enough for a name."""
        words = [self.image] if self.image else [self.release, self.mirror, *PACKAGES, *_LEFT_OUT]
        return hashlib.sha256("\0".join(words).encode()).hexdigest()[:16]


class Base:
    """A base in the cache: a layer, and the same unpacked, in which programs of it can be run.

    Args:
        folder: Its folder in the cache.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self._file = folder / "base.tar"

    @property
    def layer(self) -> Layer:
        """The layer."""
        return Layer.of(self._file)

    @classmethod
    def made(cls, cache: Path, source: Source) -> Base:
        """Return the base of a source, made where the cache has none.

        Raises:
            ConfigurationError: A program is missing that makes it.
            InfrastructureError: It cannot be made.
        """
        folder = cache / f"base-{source.key}"
        if not folder.is_dir():
            fresh = cache / f".base-{source.key}.{os.getpid()}"
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(parents=True)
            try:
                _fetch(fresh / "base.tar", source)
                _unpack(fresh / "base.tar", fresh / "root")
                fresh.rename(folder)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
        return cls(folder)

    def run(self, *command: str) -> str:
        """Run a program of the base in it, and return what it printed.

        Raises:
            InfrastructureError: It fails.
        """
        root = ["chroot", str(self.root), "/usr/bin/env", "-i", f"PATH={PATH}", *command]
        return execute(root if os.geteuid() == 0 else ["unshare", "--map-root-user", *root])

    def python(self) -> str:
        """Return the version of its Python, as ``3.13``."""
        return self.run("python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()


PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _fetch(path: Path, source: Source) -> None:
    if source.image:
        # An image of several layers becomes one, as a container sees it.
        podman = list(source.podman)
        made = execute([*podman, "create", "--pull=missing", "--", source.image]).strip().splitlines()[-1]
        try:
            execute([*podman, "export", f"--output={path}", made])
        finally:
            execute([*podman, "rm", made])
        return
    execute(
        [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            f"--include={','.join(PACKAGES)}",
            '--aptopt=Apt::Install-Recommends "false"',
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
            '--customize-hook=rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/var/log/*',
            source.release,
            str(path),
            *([source.mirror] if source.mirror else []),
        ]
    )  # fmt: skip


def _unpack(path: Path, root: Path) -> None:
    root.mkdir(mode=_MODE)
    with tarfile.open(path) as archive:
        # Devices cannot be made by everybody, and nothing that is run here needs one.
        members = [entry for entry in archive if not entry.isdev()]
        archive.extractall(root, members, filter=_as_owner)  # noqa: S202 -- the filter keeps it inside


def _as_owner(entry: tarfile.TarInfo, _: str) -> tarfile.TarInfo:
    """Keep absolute links as they are, since the folder is a root; what leads outside by its name is no part of it."""
    if entry.name.startswith("/") or ".." in entry.name.split("/"):
        raise tarfile.FilterError(f"{entry.name} leads out of the image")
    return entry.replace(uid=os.geteuid(), gid=os.getegid(), uname="", gname="")


def execute(command: Sequence[str]) -> str:
    """Run a command and return what it printed.

    Raises:
        ConfigurationError: There is no such program.
        InfrastructureError: It fails, or takes too long.
    """
    try:
        done = subprocess.run(
            list(command), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except FileNotFoundError as error:
        what = f"{command[0]} is not installed"
        raise ConfigurationError(what, where="images", hint="see the role project_images") from error
    except subprocess.TimeoutExpired as error:
        raise InfrastructureError(f"{command[0]} did not end within {_SECONDS:g} s", where="images") from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise InfrastructureError(f"{command[0]} ended with {done.returncode}: {said[-1][:300]}", where="images")
    return done.stdout
