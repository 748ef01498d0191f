"""What an operation works with: cluster, namespace, bindings, time-outs."""

from __future__ import annotations

import contextlib
import copy
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from proving_ground.chainsaw.assertions import check
from proving_ground.chainsaw.differences import render_mismatches
from proving_ground.chainsaw.errors import ExpressionError, TreeError
from proving_ground.chainsaw.failures import OperationError
from proving_ground.chainsaw.lookups import resolve
from proving_ground.chainsaw.notation import parse_marked
from proving_ground.chainsaw.resources import load_resources
from proving_ground.chainsaw.templates import render, render_resource, render_string
from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.kube import UnknownKindError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from proving_ground import kube
    from proving_ground.chainsaw.assertions import Mismatch, Tree
    from proving_ground.chainsaw.background import Background
    from proving_ground.chainsaw.cleanup import Cleaner
    from proving_ground.chainsaw.lookups import ClusterCalls
    from proving_ground.chainsaw.model import (
        Binding,
        ClusterEntry,
        Expectation,
        ObjectRef,
        Output,
        ResourceRef,
        Timeouts,
    )
    from proving_ground.chainsaw.reporting import Report, Secrecy, Surroundings
    from proving_ground.chainsaw.resources import Resource
    from proving_ground.chainsaw.shared import Shared

T = TypeVar("T")
Bindings = dict[str, Any]


_NO_CLUSTER = "there is no cluster: the tests are run without one"


class Lookups:
    """A cluster as expressions ask it (``x_k8s_get`` and its like); without one, asking fails."""

    def __init__(self, cluster: kube.Cluster | None) -> None:
        self._connected = cluster

    @property
    def _cluster(self) -> kube.Cluster:
        if self._connected is None:
            raise OperationError(_NO_CLUSTER)
        return self._connected

    async def get(self, api_version: str, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """Return one object, or None."""
        return await self._cluster.get(api_version, kind, name, namespace)

    async def list(self, api_version: str, kind: str, namespace: str) -> dict[str, Any]:
        """Return a List object."""
        return {"apiVersion": "v1", "kind": "List", "items": await self._cluster.list(api_version, kind, namespace)}

    async def resource_exists(self, api_version: str, kind: str) -> bool:
        """Return whether the API server serves the kind."""
        try:
            await self._cluster.resource(api_version, kind)
        except UnknownKindError:
            return False
        return True

    async def server_version(self) -> dict[str, Any]:
        """Return the API server's version document."""
        return await self._cluster.version()


@dataclass(frozen=True)
class Scope:
    """Everything that holds for one operation; inner scopes are made from outer ones.

    Attributes:
        connected: The cluster where objects are; None: the tests are run without one.
        registered: Clusters that can be chosen by name, each with what its kubeconfig's path is relative to.
        shared: What the tests of the run share.
        background: What scripts of the test leave running.
        namespace: Namespace of the test; objects without one go there. Empty: the test has none.
        own_namespace: Whether that namespace was made for this test alone.
        directory: Base of relative files.
        bindings: Names without ``$`` and their values.
        outer: The bindings without those of the operation itself.
        timeouts: As the files say; already merged from inside to outside.
        template: Whether expressions in objects are evaluated.
        propagation: Deletion propagation policy.
        grace_period: Termination grace period that is forced on pods; None: not forced.
        fail_fast: States that end a wait at once.
        surroundings: What holds for the whole run.
        report: Whom to tell.
        secrecy: What must not be told.
    """

    connected: kube.Cluster | None
    registered: Mapping[str, tuple[ClusterEntry, Path]]
    shared: Shared
    background: Background
    namespace: str
    own_namespace: bool
    directory: Path
    bindings: Bindings
    timeouts: Timeouts
    template: bool
    propagation: str
    grace_period: float | None
    fail_fast: frozenset[str]
    surroundings: Surroundings
    report: Report
    secrecy: Secrecy
    cleaner: Cleaner | None = None
    outer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cluster(self) -> kube.Cluster:
        """Where objects are.

        Raises:
            OperationError: The tests are run without a cluster.
        """
        if self.connected is None:
            raise OperationError(_NO_CLUSTER)
        return self.connected

    @property
    def lookups(self) -> Lookups:
        """The cluster as expressions ask it."""
        return Lookups(self.connected)

    def remember(self, obj: dict[str, Any]) -> None:
        """Remember an object that was created, so that it is removed at the end; unless it is to be kept."""
        if self.cleaner is not None:
            self.cleaner.add(obj, self.cluster)

    async def on(self, chosen: str, entries: Iterable[ClusterEntry], bindings: Iterable[Binding] = ()) -> Scope:
        """Return a scope that knows further clusters and is on the chosen one; empty: on the same as before.

        Args:
            chosen: Name of a cluster, or ``(expr)``.
            entries: Clusters that can be chosen from here on.
            bindings: What is bound at the same place; those that need no cluster count in the expression.

        Raises:
            OperationError: There is no cluster of that name, or it cannot be connected to.
        """
        registered = {**self.registered, **{entry.name: (entry, self.directory) for entry in entries}}
        scope = replace(self, registered=registered)
        name = chosen
        if parse_marked(chosen) is not None:
            known = scope
            with contextlib.suppress(OperationError):  # a later one may ask for the cluster or the namespace
                for binding in bindings:
                    known = await known.with_bindings((binding,))
            name = await known.string(chosen)
        return scope.at(await scope._connect(name)) if name else scope  # noqa: SLF001  # its own class

    def at(self, cluster: kube.Cluster) -> Scope:
        """Return a scope on another cluster."""
        return replace(self, connected=cluster, bindings={**self.bindings, "client": cluster})

    async def _connect(self, name: str) -> kube.Cluster:
        if name not in self.registered:
            known = ", ".join(sorted(self.registered)) or "none"
            raise OperationError(f"no cluster {name!r} is registered; known: {known}")
        entry, directory = self.registered[name]
        path, context = await self.string(entry.kubeconfig), await self.string(entry.context)
        kubeconfig = directory / path if path else self.cluster.kubeconfig
        try:
            return await self.shared.cluster(kubeconfig, context, str(entry.where))
        except (ConfigurationError, InfrastructureError) as error:
            raise OperationError(f"cluster {name!r}: {error}") from error

    def bind(self, **values: object) -> Scope:
        """Return a scope with further bindings."""
        return replace(self, bindings={**self.bindings, **values})

    async def with_bindings(self, bindings: Iterable[Binding]) -> Scope:
        """Return a scope with bindings of the file, each evaluated knowing those before it."""
        values = dict(self.bindings)
        for binding in bindings:
            name = await self.evaluate(partial(render_string, binding.name, values))
            values[name] = await self.evaluate(partial(render, binding.value, None, values))
        return replace(self, bindings=values)

    async def evaluate(self, compute: Callable[[ClusterCalls], T]) -> T:
        """Run a pure computation that may ask the cluster.

        Raises:
            OperationError: An expression failed.
        """
        try:
            return await resolve(self.lookups, compute)
        except (ExpressionError, TreeError) as error:
            raise OperationError(str(error)) from error

    async def string(self, text: str) -> str:
        """Return a string with its expression evaluated."""
        return await self.evaluate(lambda calls: render_string(text, self.bindings, calls))

    async def resources(
        self, ref: ResourceRef, *, tree: bool = False, template: bool | None = None
    ) -> tuple[Resource, ...]:
        """Return the objects, or trees, that an operation names: inline, or from its files."""
        evaluated = self.template if template is None else template
        return await self.evaluate(
            lambda calls: load_resources(
                ref,
                self.directory,
                self.bindings,
                calls,
                tree=tree,
                template=evaluated,
                remote=self.surroundings.remote_files,
            )
        )

    async def rendered(self, obj: Mapping[str, Any], template: bool | None) -> dict[str, Any]:
        """Return a deep copy of an object with its expressions evaluated, unless templating is off."""
        raw = copy.deepcopy(dict(obj))
        if not (self.template if template is None else template):
            return raw
        return await self.evaluate(lambda calls: render_resource(raw, self.bindings, calls))

    async def placed(self, obj: dict[str, Any]) -> dict[str, Any]:
        """Return an object with the test's namespace, if its kind has one and it names none itself."""
        metadata = obj.setdefault("metadata", {})
        if not metadata.get("namespace") and self.namespace:
            resource = await self.cluster.resource(obj["apiVersion"], obj["kind"])
            if resource.namespaced:
                metadata["namespace"] = self.namespace
        return obj

    async def referenced(self, ref: ObjectRef) -> dict[str, Any]:
        """Return the object reference of a ``delete`` as a partial object, evaluated."""
        metadata: dict[str, Any] = {}
        if ref.name:
            metadata["name"] = await self.string(ref.name)
        if ref.namespace:
            metadata["namespace"] = await self.string(ref.namespace)
        if ref.labels:
            metadata["labels"] = {key: await self.string(value) for key, value in ref.labels.items()}
        return {
            "apiVersion": await self.string(ref.api_version),
            "kind": await self.string(ref.kind),
            "metadata": metadata,
        }

    async def check(self, tree: Tree, value: object, bindings: Bindings | None = None) -> list[Mismatch]:
        """Return where a value differs from a tree."""
        known = self.bindings if bindings is None else bindings
        return await self.evaluate(lambda calls: check(tree, value, known, calls))

    async def expect(self, expectations: Iterable[Expectation], obj: dict[str, Any], problem: str | None) -> None:
        """Hold the result of a write against the expectations of its operation.

        Where one applies, it alone decides: it may well expect an error. Otherwise an error is a failure. What they
        ask of ``$error`` and ``$warnings`` is bound by the caller.

        Raises:
            OperationError: The result is not the expected one.
        """
        applies, mismatches = False, list[Any]()
        for expectation in expectations:
            if expectation.match is not None and await self.check(expectation.match, obj, {}):
                continue
            applies = True
            mismatches += await self.check(expectation.check, obj)
        if mismatches:
            told = f"the API server answered: {problem}" if problem else "the API server accepted it"
            raise OperationError(f"the result is not the expected one; {told}", render_mismatches(mismatches, obj))
        if problem is not None and not applies:
            raise OperationError(problem)

    async def outputs(self, outputs: Iterable[Output], value: object, **known: object) -> Bindings:
        """Return the bindings that an operation hands to those after it."""
        bindings = {**self.bindings, **known}
        results: Bindings = {}
        for output in outputs:
            if output.match is not None and await self.check(output.match, value, bindings):
                continue
            name = await self.evaluate(partial(render_string, output.name, bindings))
            results[name] = bindings[name] = await self.evaluate(partial(render, output.value, value, bindings))
        return results


@dataclass
class Deadline:
    """The time that an operation has."""

    seconds: float
    started: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return a deadline that many seconds from now."""
        return cls(seconds, time.monotonic())

    @property
    def remaining(self) -> float:
        """Seconds left; negative afterwards."""
        return self.started + self.seconds - time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds gone."""
        return time.monotonic() - self.started
