"""Objects that an operation names as kubectl's command line does: a kind, and a name, a selector, or all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proving_ground.chainsaw.failures import OperationError
from proving_ground.chainsaw.processes import expand
from proving_ground.kube import ApiError

if TYPE_CHECKING:
    from proving_ground.chainsaw.model import ObjectQuery
    from proving_ground.chainsaw.scope import Scope

_EVERYWHERE = "*"


@dataclass(frozen=True, slots=True)
class Query:
    """What an `ObjectQuery` means in a scope.

    Args:
        namespace: Empty: all of them, or the kind has none.
        name: Empty: those of the selector.
        selector: Empty: all.
    """

    api_version: str
    kind: str
    namespace: str
    name: str
    selector: str

    async def find(self, scope: Scope) -> list[dict[str, Any]]:
        """Return the objects as they are now, ordered by namespace and name.

        Raises:
            OperationError: One was named and is not there, or the API server refuses to show them.
        """
        try:
            if self.name:
                found = await scope.cluster.get(self.api_version, self.kind, self.name, self.namespace)
                if found is None:
                    raise OperationError(f"there is no {self}")
                return [found]
            objects = await scope.cluster.list(self.api_version, self.kind, self.namespace, labels=self.selector)
        except ApiError as error:
            raise OperationError(str(error)) from error
        return sorted(objects, key=lambda obj: (obj["metadata"].get("namespace", ""), obj["metadata"]["name"]))

    def __str__(self) -> str:
        """Return for example ``Pod ns/name``, ``Pod (app=x) in ns`` or ``Pod in all namespaces``."""
        if self.name:
            return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"
        chosen = f"{self.kind} ({self.selector})" if self.selector else self.kind
        return f"{chosen} in {self.namespace}" if self.namespace else chosen


async def text(scope: Scope, written: str) -> str:
    """Return a text as kubectl gets it from chainsaw: its expression evaluated, then ``$NAME`` replaced."""
    return expand(await scope.string(written), {"NAMESPACE": scope.namespace})


async def query(scope: Scope, ref: ObjectQuery) -> Query:
    """Return what an operation's reference means.

    Raises:
        OperationError: Nobody serves the kind; or both a name and a selector are given, or no namespace is known.
    """
    api_version, kind = await scope.string(ref.api_version), await scope.string(ref.kind)
    name, selector = await text(scope, ref.name), await text(scope, ref.selector)
    if name and selector:
        raise OperationError(f"both a name ({name}) and a selector ({selector}) are given")
    try:
        resource = await scope.cluster.resource(api_version, kind)
    except ApiError as error:
        raise OperationError(str(error)) from error
    namespace = await placed(scope, ref.namespace) if resource.namespaced else ""
    return Query(api_version, kind, namespace, name, selector)


async def placed(scope: Scope, written: str) -> str:
    """Return the namespace that is meant: the test's where none is given; empty for ``*``, which means all.

    Raises:
        OperationError: None is given, and the test has none.
    """
    namespace = await text(scope, written) or scope.namespace
    if not namespace:
        raise OperationError("no namespace is given, and the test has none")
    return "" if namespace == _EVERYWHERE else namespace
