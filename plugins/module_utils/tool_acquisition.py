# Copyright: Proving Ground contributors
# Apache-2.0 (see LICENSE)
"""From the tools that are wanted to the paths where they are: the order of the sources."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.proving.ground.plugins.module_utils.tool_build import Builder
from ansible_collections.proving.ground.plugins.module_utils.tool_cache import Cache
from ansible_collections.proving.ground.plugins.module_utils.tool_catalogue import (
    Host,
    ToolError,
    load,
    same_version,
    select,
    version_in,
)
from ansible_collections.proving.ground.plugins.module_utils.tool_download import Downloader
from ansible_collections.proving.ground.plugins.module_utils.tool_progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ansible_collections.proving.ground.plugins.module_utils.tool_catalogue import Tool

_PATIENCE = {"auto": 1.3, "download": 10.0}


@dataclasses.dataclass(frozen=True)
class Request:
    """What is wanted, and how; the fields are the options of the module."""

    tools: Sequence[str]
    definitions: Path
    cache_dir: Path
    source: str = "auto"
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    path_dirs: Sequence[str] = ()
    allow_other_versions: bool = False
    go: str | None = None
    progress_file: Path | None = None
    memory_file: Path | None = None
    timeout: float = 3600.0
    check_mode: bool = False


@dataclasses.dataclass
class Outcome:
    """Where the tools are.

    Attributes:
        paths: Absolute path of each tool.
        sources: How each tool came: cache, path, download or build.
        changed: Whether anything was, or in check mode would be, fetched or built.
        warnings: Sources that failed before another one worked.
    """

    paths: dict[str, str] = dataclasses.field(default_factory=dict)
    sources: dict[str, str] = dataclasses.field(default_factory=dict)
    changed: bool = False
    warnings: list[str] = dataclasses.field(default_factory=list)


def acquire(request: Request) -> Outcome:
    """Get every tool of a request.

    Raises:
        ToolError: One of them cannot be had; the text is one line for people.
    """
    catalogue = load(request.definitions / "tools.json")
    tools = select(catalogue, request.tools, request.versions)
    outcome = Outcome()
    if request.source == "path":
        for tool in tools:
            outcome.paths[tool.name] = str(installed(tool, request.path_dirs, any_version=request.allow_other_versions))
            outcome.sources[tool.name] = "path"
        return outcome
    cache = Cache(request.cache_dir, Host.here())
    missing = [tool for tool in tools if not _from_cache(cache, tool, outcome)]
    outcome.changed = bool(missing)
    if request.check_mode:
        outcome.paths.update({tool.name: str(cache.path(tool)) for tool in missing})
        outcome.sources.update({tool.name: request.source for tool in missing})
        return outcome
    if missing:
        _Acquisition(request, cache, outcome).fill(missing)
    return outcome


def installed(tool: Tool, directories: Sequence[str], *, any_version: bool) -> Path:
    """Return the path of a tool that is already installed, in ``directories`` or else on PATH.

    Raises:
        ToolError: It is not there, or has another version and may not.
    """
    where = os.pathsep.join(directories) if directories else None
    found = shutil.which(tool.name, path=where)
    if found is None:
        raise ToolError(f"{tool.name} is not in {where or 'PATH'} (install {tool.version}, or use the source auto)")
    if not any_version:
        version = version_of(Path(found), tool)
        if not same_version(version, tool.version):
            raise ToolError(
                f"{found}: expected version {tool.version}, found {version or 'none'}"
                " (install that one, or allow others with tool_binaries_allow_other_versions)",
            )
    return Path(found).absolute()


def version_of(file: Path, tool: Tool) -> str:
    """Return the version that a binary says it has; empty where it says none."""
    try:
        result = subprocess.run(
            [str(file), *tool.version_command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return version_in(f"{result.stdout}\n{result.stderr}") if result.returncode == 0 else ""


class _Acquisition:
    """The work on those tools that the cache does not hold."""

    def __init__(self, request: Request, cache: Cache, outcome: Outcome) -> None:
        self.request = request
        self.cache = cache
        self.outcome = outcome
        self.progress = Progress(request.progress_file)
        self.deadline = time.monotonic() + request.timeout
        self.downloader = Downloader(patience=_PATIENCE.get(request.source, 1.3), memory=request.memory_file)

    def fill(self, missing: Sequence[Tool]) -> None:
        """Fill the cache, one manifest after the other, and add to the outcome."""
        if self.request.source in _PATIENCE:
            host = self.cache.host
            urls = [tool.expand(tool.download.url, host) for tool in missing if tool.download]
            self.downloader.probe(urls)
        for manifest in dict.fromkeys(tool.manifest for tool in missing):
            group = [tool for tool in missing if tool.manifest == manifest]

            def waiting(holder: str, names: str = ", ".join(tool.name for tool in group)) -> None:
                self.progress.say(f"waiting for another run (process {holder}) that gets {names}")

            with self.cache.work_on(manifest, deadline=self.deadline, waiting=waiting) as work, self.cache.writing():
                self._group([tool for tool in group if not _from_cache(self.cache, tool, self.outcome)], work)

    def _group(self, wanted: Sequence[Tool], work: Path) -> None:
        left = list(wanted)
        for source in ("path", "download", "build") if self.request.source == "auto" else (self.request.source,):
            if left:
                for tool, file in getattr(self, f"_by_{source}")(left, work):
                    self._install(tool, file, source)
                    left.remove(tool)

    def _by_path(self, tools: Sequence[Tool], work: Path) -> Iterator[tuple[Tool, Path]]:
        """Copy what is installed in exactly the wanted version."""
        for tool in list(tools):
            try:
                found = installed(tool, self.request.path_dirs, any_version=False)
            except ToolError:
                continue
            yield tool, Path(shutil.copyfile(found, work / tool.name))

    def _by_download(self, tools: Sequence[Tool], work: Path) -> Iterator[tuple[Tool, Path]]:
        for tool in list(tools):
            try:
                file = self.downloader.fetch(tool, self.cache.host, work, self.progress)
            except ToolError as error:
                if self.request.source == "download":
                    raise
                if str(error) not in self.outcome.warnings:  # one line for a host, not one for each of its files
                    self.outcome.warnings.append(str(error))
                    self.progress.say(str(error))
                continue
            yield tool, file

    def _by_build(self, tools: Sequence[Tool], work: Path) -> Iterator[tuple[Tool, Path]]:
        definitions = self.request.definitions / "go"
        builder = Builder(definitions, self.cache, self.progress, deadline=self.deadline, go=self.request.go)
        files = builder.build(tools, work)
        yield from [(tool, files[tool.name]) for tool in tools]

    def _install(self, tool: Tool, file: Path, source: str) -> None:
        file.chmod(0o755)
        version = version_of(file, tool)
        if not same_version(version, tool.version):
            raise ToolError(f"{tool.name} by {source}: expected version {tool.version}, found {version or 'none'}")
        self.outcome.paths[tool.name] = str(self.cache.install(tool, file))
        self.outcome.sources[tool.name] = source


def _from_cache(cache: Cache, tool: Tool, outcome: Outcome) -> bool:
    found = cache.find(tool)
    if found is None:
        return False
    outcome.paths[tool.name] = str(found.absolute())
    outcome.sources[tool.name] = "cache"
    return True
