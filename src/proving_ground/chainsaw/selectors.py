"""Which objects a manifest or an assertion tree is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proving_ground.chainsaw.errors import TreeError
from proving_ground.chainsaw.signatures import kind, shown
from proving_ground.chainsaw.templates import render_string

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proving_ground.chainsaw.lookups import ClusterCalls


@dataclass(frozen=True, slots=True)
class Selector:
    """Which objects a tree or a manifest is about; an empty text selects any.

    Args:
        api_version: ``group/version``, or ``version`` of the core group.
        kind: The kind.
        name: The name; where given, labels do not select.
        namespace: The namespace.
        labels: Labels that have to be there, where no name is given.
    """

    api_version: str
    kind: str
    name: str
    namespace: str
    labels: Mapping[str, str]

    @property
    def selects_nothing(self) -> bool:
        """Whether there is no kind to read: the tree is about bindings only."""
        return not self.api_version or not self.kind

    def selects(self, obj: dict[str, Any]) -> bool:
        """Return whether an object is selected."""
        metadata = obj.get("metadata") or {}
        if (obj.get("apiVersion"), obj.get("kind")) != (self.api_version, self.kind):
            return False
        if self.namespace and metadata.get("namespace") != self.namespace:
            return False
        if self.name:
            return bool(metadata.get("name") == self.name)
        labels = metadata.get("labels") or {}
        return all(labels.get(key) == value for key, value in self.labels.items())

    def __str__(self) -> str:
        """Return kind, name or labels, and namespace, as a person would say it."""
        labels = ",".join(f"{key}={value}" for key, value in self.labels.items())
        which = self.name or (f"with {labels}" if labels else "of any name")
        return f"{self.kind} {which}" + (f" in namespace {self.namespace}" if self.namespace else "")


def selector_of(
    raw: dict[str, Any],
    bindings: Mapping[str, Any],
    calls: ClusterCalls | None = None,
    *,
    template: bool = True,
) -> Selector:
    """Return which objects a tree is about.

    Args:
        raw: The tree.
        bindings: What ``$name`` means in its apiVersion, kind, name, namespace and labels.
        calls: Known answers of the cluster.
        template: Whether those may be expressions.

    Raises:
        ExpressionError: An expression failed or gives something that is not a text.
        TreeError: One of them is not a text.
    """
    metadata = raw.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise TreeError("metadata", f"expected an object, found {kind(metadata)}")

    def text(path: str, value: Any) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise TreeError(path, f"expected a string, found {kind(value)} {shown(value)}")
        return render_string(value, bindings, calls) if template else value

    labels = metadata.get("labels") or {}
    if not isinstance(labels, dict):
        raise TreeError("metadata.labels", f"expected an object, found {kind(labels)}")
    if not all(isinstance(value, str) for value in labels.values()):
        labels = {}  # where one is a tree, the API cannot select by them; they are compared like everything else
    return Selector(
        text("apiVersion", raw.get("apiVersion")),
        text("kind", raw.get("kind")),
        text("metadata.name", metadata.get("name")),
        text("metadata.namespace", metadata.get("namespace")),
        {str(key): text(f"metadata.labels.{key}", value) for key, value in labels.items()},
    )
