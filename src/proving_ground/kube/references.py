"""Names of Kubernetes things: resource types, single objects, sets of objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Object = dict[str, Any]
"""A Kubernetes object as its JSON: plain dictionaries and lists."""
Objects = list[Object]


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A kind as the API server serves it (one entry of its discovery documents)."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the URL path of the collection, of one object, or of its subresource.

        Without a namespace a namespaced kind's path is that of the whole cluster.
        """
        prefix = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        parts = [prefix]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name:
            parts.append(name)
        if subresource:
            parts.append(subresource)
        return "/".join(parts)


@dataclass(frozen=True, slots=True)
class Reference:
    """One object by name; ``namespace`` is empty for cluster-scoped kinds."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""

    @classmethod
    def of(cls, obj: Object) -> Reference:
        """Return the reference of an object."""
        metadata = obj.get("metadata") or {}
        return cls(
            str(obj.get("apiVersion") or ""),
            str(obj.get("kind") or ""),
            str(metadata.get("name") or ""),
            str(metadata.get("namespace") or ""),
        )

    def __str__(self) -> str:
        """Return for example ``AIMService chainsaw-x/model``."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Target:
    """A set of objects of one kind: by name, by labels, by namespace; empty fields do not restrict."""

    api_version: str
    kind: str
    namespace: str = ""
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, reference: Reference) -> Target:
        """Return the target that holds only the object of a reference."""
        return cls(reference.api_version, reference.kind, reference.namespace, reference.name)

    def holds(self, obj: Object) -> bool:
        """Tell whether an object of this kind belongs to the set."""
        metadata = obj.get("metadata") or {}
        if self.name and metadata.get("name") != self.name:
            return False
        if self.namespace and metadata.get("namespace", "") != self.namespace:
            return False
        labels = metadata.get("labels") or {}
        return all(labels.get(key) == value for key, value in self.labels.items())

    def __str__(self) -> str:
        """Return for example ``AIMService chainsaw-x/model`` or ``Pod chainsaw-x (app=model)``."""
        scope = "/".join(part for part in (self.namespace, self.name) if part)
        labels = ",".join(f"{key}={value}" for key, value in self.labels.items())
        return " ".join(part for part in (self.kind, scope, f"({labels})" if labels else "") if part)


def conditions(obj: Object) -> Iterator[tuple[str, str, str, str]]:
    """Yield (type, status, reason, message) of each condition in an object's status."""
    status = obj.get("status")
    found = status.get("conditions") if isinstance(status, dict) else None
    for condition in found if isinstance(found, list) else ():
        if isinstance(condition, dict):
            yield (
                str(condition.get("type", "")),
                str(condition.get("status", "")),
                str(condition.get("reason", "")),
                str(condition.get("message", "")),
            )


def summarise(obj: Object | None) -> str:
    """Say in one line what state an object was last seen in."""
    if obj is None:
        return "does not exist"
    metadata = obj.get("metadata") or {}
    status = obj.get("status")
    parts = []
    if metadata.get("deletionTimestamp"):
        finalizers = ", ".join(metadata.get("finalizers") or []) or "none"
        parts.append(f"being deleted since {metadata['deletionTimestamp']}, finalizers: {finalizers}")
    if isinstance(status, dict):
        parts += [f"{key} {status[key]}" for key in ("status", "phase", "state") if isinstance(status.get(key), str)]
    parts += [
        f"{kind}={state}" + (f" {reason}" if reason else "") + (f": {message}" if message else "")
        for kind, state, reason, message in conditions(obj)
    ]
    return "; ".join(parts) or "exists, without a status"
