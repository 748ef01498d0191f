"""Scalers that want the same workload."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Conflict:
    """Two or more scalers of a namespace with one target."""

    namespace: str
    kind: str
    target: str
    scalers: tuple[str, ...]
    """Their names, sorted."""


def conflicting(scalers: Iterable[Mapping[str, Any]]) -> tuple[Conflict, ...]:
    """Find the conflicts among BudAIScalers; one that is being deleted, or names no target, has none."""
    wanted: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
    for scaler in scalers:
        metadata, spec = _part(scaler, "metadata"), _part(scaler, "spec")
        target = _part(spec, "scaleTargetRef")
        if target.get("kind") and target.get("name") and not metadata.get("deletionTimestamp"):
            key = (str(metadata.get("namespace", "")), str(target["kind"]), str(target["name"]))
            wanted[key].add(str(metadata.get("name", "")))
    return tuple(Conflict(*key, tuple(sorted(names))) for key, names in sorted(wanted.items()) if len(names) > 1)


def _part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}
