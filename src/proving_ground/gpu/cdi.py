"""Specifications of the Container Device Interface: which devices a container runtime can hand out.

Source: https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import yaml

from proving_ground.gpu.document import DocumentError, readable, shown


@dataclasses.dataclass(frozen=True)
class CdiSpec:
    """One specification.

    Attributes:
        file: It came from.
        kind: ``nvidia.com/gpu``, ``amd.com/gpu``.
        devices: Name of a device -> paths of its device nodes, without those that all devices share.
        shared: Device nodes that all devices share.
    """

    file: str
    kind: str
    devices: dict[str, tuple[str, ...]]
    shared: tuple[str, ...]


def parse(content: bytes | str, file: str) -> CdiSpec:
    """Return a specification.

    Args:
        content: YAML or JSON.
        file: Its path, for messages.

    Raises:
        DocumentError: It is none.
    """
    text = readable(content, file)
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        line = str(error).splitlines()[0]
        raise DocumentError(f"expected YAML, found: {line}", where=file) from None
    if not isinstance(found, dict) or not isinstance(found.get("kind"), str) or "cdiVersion" not in found:
        raise DocumentError(f"expected cdiVersion and kind, found {shown(text)}", where=file)
    devices = found.get("devices")
    if not isinstance(devices, list) or not all(isinstance(one, dict) and "name" in one for one in devices):
        raise DocumentError("expected devices with names, found none", where=file)
    names = [str(device["name"]) for device in devices]
    if len(set(names)) != len(names):
        raise DocumentError("expected each device once, found one twice", where=file)
    return CdiSpec(
        file=file,
        kind=found["kind"],
        devices={str(device["name"]): _nodes(device) for device in devices},
        shared=_nodes(found),
    )


def _nodes(owner: dict[str, Any]) -> tuple[str, ...]:
    edits = owner.get("containerEdits")
    nodes = edits.get("deviceNodes") if isinstance(edits, dict) else None
    return tuple(str(node["path"]) for node in nodes or () if isinstance(node, dict) and "path" in node)
