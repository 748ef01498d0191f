"""The namespace of a test: the one that it names, the one of the Configuration, or a fresh one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from proving_ground.chainsaw.templates import render
from proving_ground.kube import ConflictError
from proving_ground.kube.namespaces import marks, random_name

if TYPE_CHECKING:
    from proving_ground import kube
    from proving_ground.chainsaw.model import Configuration, Test
    from proving_ground.chainsaw.scope import Scope

_PREFIX = "chainsaw"


@dataclass(frozen=True)
class Placement:
    """Where a test runs.

    Attributes:
        name: The namespace.
        cluster: The cluster that has it.
        remove: Whether it goes with the test.
    """

    name: str
    cluster: kube.Cluster
    remove: bool


async def settle(
    scope: Scope, test: Test, configuration: Configuration, *, keep: bool
) -> tuple[Scope, Placement | None]:
    """Return the scope in the test's namespace, which is made where it is missing; without a cluster there is none.

    Args:
        scope: On the test's cluster.
        test: The test.
        configuration: What holds for it.
        keep: Whether what is made is kept.

    Raises:
        OperationError: An expression of the name or the template failed.
        ApiError: The namespace cannot be made.
    """
    if scope.connected is None:
        return scope, None
    cluster = scope.connected
    fresh = not test.namespace and not configuration.namespace
    name = await scope.string(test.namespace) or configuration.namespace or random_name(_PREFIX)
    namespace = await _object(scope, name, test, configuration)
    name = str(namespace["metadata"]["name"])

    async def make() -> bool:
        """Create it where it is missing, and tell whether it has to be removed again."""
        if not fresh and await cluster.get("v1", "Namespace", name) is not None:
            return False
        try:
            await cluster.create(namespace)
        except ConflictError:  # another test was quicker; a fresh name is nobody else's
            if fresh:
                raise
            return False
        return not keep

    if fresh:
        await cluster.removals.room()
    remove = False
    if not fresh and not test.namespace:
        await scope.shared.namespace(cluster, name, make, scope.timeouts.cleanup or 0.0)
    else:
        remove = await make()
    placed = replace(scope.bind(namespace=name), namespace=name, own_namespace=fresh)
    return placed, Placement(name, cluster, remove)


async def _object(scope: Scope, name: str, test: Test, configuration: Configuration) -> dict[str, Any]:
    """Return the namespace as it is to be created: its template, and the marks of the run over it."""
    rendered: Any = {}
    template = test.namespace_template or configuration.namespace_template
    if template is not None:
        bindings = {**scope.bindings, "namespace": name}
        rendered = await scope.evaluate(lambda calls: render(template, None, bindings, calls))
    rendered = rendered if isinstance(rendered, dict) else {}
    metadata = rendered.get("metadata") or {}
    own = marks(scope.surroundings.run_id, scope.surroundings.fault)
    return {
        **rendered,
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            **metadata,
            "labels": {**(metadata.get("labels") or {}), **own["labels"]},
            "annotations": {**(metadata.get("annotations") or {}), **own["annotations"]},
        },
    }
