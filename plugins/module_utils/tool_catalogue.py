# Copyright: Proving Ground contributors
# Apache-2.0 (see LICENSE)
"""The tools that can be had, as data: what the catalogue file says, read strictly."""

from __future__ import annotations

import dataclasses
import json
import math
import platform
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_VERSION = re.compile(r"v?[0-9][0-9A-Za-z.+-]*")
_NUMBERS = re.compile(r"(?<![0-9A-Za-z.])v?([0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.+-]*)")
_ARCHITECTURES = {
    "x86_64": "amd64",
    "amd64": "amd64",
    "aarch64": "arm64",
    "arm64": "arm64",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
}


class ToolError(Exception):
    """A tool could not be had; the text is one line: what, where, what to do."""


@dataclasses.dataclass(frozen=True)
class Host:
    """The operating system and architecture that binaries are for, in Go's words."""

    os: str
    arch: str

    @classmethod
    def here(cls) -> Host:
        """Return this machine.

        Raises:
            ToolError: Its architecture is not one that any catalogue names.
        """
        machine = platform.machine().lower()
        if machine not in _ARCHITECTURES:
            raise ToolError(f"no tool is published for the architecture {machine!r} (use source 'path')")
        return cls(os=platform.system().lower(), arch=_ARCHITECTURES[machine])


@dataclasses.dataclass(frozen=True)
class Download:
    """Where a project publishes a release file and its SHA-256; the URLs still hold their placeholders."""

    url: str
    checksum_url: str
    member: str = ""


@dataclasses.dataclass(frozen=True)
class Tool:
    """One binary: its pinned version and each way to it.

    Attributes:
        version: The version that is wanted.
        manifest: Folder of the go.mod that pins it; tools of one manifest are built together.
        manifest_version: The version that the manifest builds, whatever is wanted.
        other_versions: Manifest of each version that can be built beside the pinned one.
        binary: The name that ``go build`` gives it.
        build_seconds: About how long a first build takes, measured on two cores.
    """

    name: str
    version: str
    manifest: str
    manifest_version: str
    package: str
    binary: str
    version_command: tuple[str, ...]
    ldflags: str = ""
    build_seconds: int = 60
    download: Download | None = None
    other_versions: Mapping[str, str] = dataclasses.field(default_factory=dict, hash=False)

    def expand(self, text: str, host: Host) -> str:
        """Return ``text`` with its placeholders replaced, those that ``placeholders`` names."""
        for name, value in self.placeholders(host).items():
            text = text.replace(f"{{{name}}}", value)
        return text

    def placeholders(self, host: Host) -> dict[str, str]:
        """Return what stands for version, number (the version without its v), major, minor, os and arch."""
        number = self.version.removeprefix("v")
        major, minor = [*number.split("."), ""][:2]
        return {
            "version": self.version,
            "number": number,
            "major": major,
            "minor": minor,
            "os": host.os,
            "arch": host.arch,
        }

    def at(self, version: str) -> Tool:
        """Return the tool at another version, with the manifest that builds that one where there is one."""
        manifest = self.other_versions.get(version)
        if manifest is None:
            return dataclasses.replace(self, version=version)
        return dataclasses.replace(self, version=version, manifest=manifest, manifest_version=version)

    @property
    def buildable(self) -> tuple[str, ...]:
        """Return the versions that a manifest pins, the one of the catalogue first."""
        return (self.manifest_version, *(v for v in self.other_versions if v != self.manifest_version))


def load(path: Path) -> dict[str, Tool]:
    """Read a catalogue file.

    Raises:
        ToolError: The file is missing, is no JSON, or a tool in it is not described as it must be.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ToolError(f"{path}: cannot read the catalogue of tools: {error.strerror}") from error
    except ValueError as error:
        raise ToolError(f"{path}: the catalogue of tools is not JSON: {error}") from error
    tools = data.get("tools") if isinstance(data, dict) else None
    if not isinstance(tools, dict):
        raise ToolError(f"{path}: expected an object 'tools' that maps names to descriptions")
    return {name: _tool(name, value, where=f"{path}: tool {name!r}") for name, value in tools.items()}


def select(catalogue: Mapping[str, Tool], names: Iterable[str], versions: Mapping[str, str]) -> list[Tool]:
    """Return the tools of ``names`` in their order, once each, at the versions asked for.

    Raises:
        ToolError: A name is not in the catalogue, or a version is not one.
    """
    unknown = sorted({*names, *versions} - catalogue.keys())
    if unknown:
        raise ToolError(f"unknown tool {unknown[0]!r} (known: {', '.join(sorted(catalogue))})")
    for name, version in versions.items():
        if not isinstance(version, str) or not _VERSION.fullmatch(version):
            raise ToolError(f"version of {name}: expected one such as {catalogue[name].version}, found {version!r}")
    return [catalogue[name].at(versions.get(name, catalogue[name].version)) for name in dict.fromkeys(names)]


def version_in(output: str) -> str:
    """Return the first x.y.z version in what a program printed, without its v; empty where there is none."""
    match = _NUMBERS.search(output)
    return match.group(1) if match else ""


def same_version(found: str, wanted: str) -> bool:
    """Tell whether two versions are equal, with or without a leading v."""
    return bool(found) and found.removeprefix("v") == wanted.removeprefix("v")


def in_words(seconds: float) -> str:
    """Return a duration for people: ``about 5 minutes``."""
    minutes = math.ceil(seconds / 60)
    return "about a minute" if minutes <= 1 else f"about {minutes} minutes"


def _tool(name: str, value: Any, *, where: str) -> Tool:
    if not _NAME.fullmatch(name):
        raise ToolError(f"{where}: a name is lower-case letters, digits, '.', '_' and '-'")
    if not isinstance(value, dict):
        raise ToolError(f"{where}: expected an object")
    value = dict(value)
    download = value.pop("download", None)
    fields = {field.name for field in dataclasses.fields(Tool)}
    fields -= {"name", "download", "manifest_version"}
    unknown = sorted(set(value) - fields)
    if unknown:
        raise ToolError(f"{where}: unknown field {unknown[0]!r} (known: {', '.join(sorted(fields))})")
    for field in ("version", "manifest", "package", "binary"):
        if not isinstance(value.get(field), str) or not value[field]:
            raise ToolError(f"{where}: expected text in the field {field!r}, found {value.get(field)!r}")
    if not _VERSION.fullmatch(value["version"]) or not _NAME.fullmatch(value["manifest"]):
        raise ToolError(f"{where}: version or manifest is not a plain word")
    command = value.pop("version_command", ["--version"])
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        raise ToolError(f"{where}: expected a list of words in the field 'version_command'")
    others = value.get("other_versions", {})
    if not isinstance(others, dict) or not all(
        _VERSION.fullmatch(version) and isinstance(manifest, str) and _NAME.fullmatch(manifest)
        for version, manifest in others.items()
    ):
        raise ToolError(f"{where}: expected an object of versions and their manifests in the field 'other_versions'")
    try:
        return Tool(
            name=name,
            manifest_version=value["version"],
            version_command=tuple(command),
            download=Download(**download) if download is not None else None,
            **value,
        )
    except TypeError as error:
        raise ToolError(f"{where}: expected url, checksum_url and at most member in the field 'download'") from error
