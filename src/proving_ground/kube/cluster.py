"""A cluster as suites and engines see it: objects, waits, logs, events, namespaces."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from proving_ground.kube.connection import PATIENCE, Connection
from proving_ground.kube.discovery import Discovery, UnknownKindError
from proving_ground.kube.errors import ApiError, ConflictError, NotFoundError
from proving_ground.kube.kubeconfig import with_context
from proving_ground.kube.namespaces import Removals
from proving_ground.kube.overrides import Overrides
from proving_ground.kube.references import Object, Objects, Reference, ResourceType, Target
from proving_ground.kube.sharing import SharedWatches
from proving_ground.kube.waits import Propagation, Waits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from os import PathLike

    from proving_ground.kube.counting import Requests

PatchType = Literal["merge", "json", "strategic"]
_PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}
FIELD_MANAGER = "proving-ground"
"""Owner of what is applied server-side."""
_CONFLICT_RETRIES = 5
_AS_IT_IS = Overrides()


class Cluster(Waits):
    """An asynchronous client of one cluster. Make it with :meth:`connect`; share it in a process.

    Attributes:
        kubeconfig: The file it was made from, for programs that need one; a copy where something goes before it.
        removals: The namespaces that are being removed.
    """

    def __init__(self, connection: Connection, kubeconfig: Path, *, patience: float = PATIENCE) -> None:
        self.kubeconfig = kubeconfig
        self.removals = Removals()
        self._connection = connection
        self._discovery = Discovery(connection)
        self._watches = SharedWatches(connection, patience=patience)

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(
        cls,
        kubeconfig: str | PathLike[str],
        context: str | None = None,
        *,
        overrides: Overrides = _AS_IT_IS,
        patience: float = PATIENCE,
    ) -> AsyncIterator[Cluster]:
        """Connect to the cluster that a kubeconfig names, and close every connection at the end.

        Args:
            kubeconfig: Path of the file.
            context: Context in it; its current one if not given.
            overrides: What goes before the kubeconfig: another user, whom to impersonate, ...
            patience: Seconds for which an API server that fails or cannot be reached is asked again.

        Raises:
            ConfigurationError: The kubeconfig cannot be used.
        """
        path = Path(kubeconfig)
        connection = await Connection.open(path, context, overrides=overrides, patience=patience)
        with with_context(path, context, overrides) as chosen:
            cluster = cls(connection, chosen, patience=patience)
            try:
                yield cluster
            finally:
                await cluster.close()

    async def close(self) -> None:
        """Stop all watches and close all connections."""
        await self._watches.stop()
        await self._connection.close()

    def watch_by_namespace(self) -> None:
        """Watch single namespaces rather than the whole cluster from now on.

        Better where few namespaces are looked at and others keep the cluster busy: their changes are not told then.
        """
        self._watches.by_namespace = True

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._connection.server

    @property
    def requests(self) -> int:
        """How many requests were sent so far, retries and watches included."""
        return self._connection.requests.total()

    @property
    def requests_by(self) -> Requests:
        """How many they were of each verb and kind, such as ``("create", "namespaces")``; still counting."""
        return self._connection.requests

    # Reading

    async def version(self) -> dict[str, Any]:
        """Return the API server's version document (``major``, ``minor``, ``gitVersion``, ...)."""
        answer: dict[str, Any] = await self._connection.request("GET", "/version")
        return answer

    async def raw(
        self, path: str, params: Mapping[str, str | int | bool] | None = None, *, repeatable: bool = True
    ) -> str:
        """Return what is at a path of the API server as text: ``/readyz``, ``/metrics``, a proxied path.

        Args:
            path: URL path.
            params: Query parameters.
            repeatable: Whether it is asked again where the answer says that something behind it is failing.

        Raises:
            ApiError: The API server refused it.
        """
        answer: str = await self._connection.request("GET", path, params=params, text=True, repeatable=repeatable)
        return answer

    async def resource(self, api_version: str, kind: str) -> ResourceType:
        """Return how a kind is served; asks the API server again when it is not known yet.

        Raises:
            UnknownKindError: The cluster serves no such kind.
        """
        return await self._discovery.resolve(api_version, kind)

    async def _request(
        self, method: str, of: tuple[str, str], at: Callable[[ResourceType], str], **options: Any
    ) -> Any:
        """Send a request about a kind; where what is known of the kind has become wrong, find it anew.

        Args:
            method: HTTP method.
            of: apiVersion and kind.
            at: Tells the URL path.
            **options: Those of :meth:`Connection.request`.

        Raises:
            UnknownKindError: The cluster does not serve the kind any more.
        """
        known = self._discovery.known(*of) is not None
        resource = await self.resource(*of)
        try:
            return await self._connection.request(method, at(resource), **options)
        except NotFoundError as error:
            # An API server tells with a Status that there is no such object, and in plain words that there is no
            # such path: a custom kind was removed, or made anew with other names.
            if error.reason:
                raise
            self._discovery.forget(of[0])
            again = await self.resource(*of)
            if not known and again == resource:
                raise UnknownKindError(*of) from error
        try:
            return await self._connection.request(method, at(again), **options)
        except NotFoundError as error:
            raise error if error.reason else UnknownKindError(*of) from error

    async def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Object | None:
        """Return an object, or None when there is none of that name."""
        try:
            answer: Object = await self._request("GET", (api_version, kind), lambda r: r.path(namespace, name))
        except UnknownKindError:
            raise
        except NotFoundError:
            return None
        return answer

    async def list(
        self,
        api_version: str,
        kind: str,
        namespace: str = "",
        *,
        labels: Mapping[str, str] | str | None = None,
        fields: str = "",
    ) -> Objects:
        """Return the objects of a kind, of one namespace or of all.

        Args:
            api_version: For example ``v1`` or ``apps/v1``.
            kind: For example ``Pod``.
            namespace: Empty for all.
            labels: Labels that the objects have, or a selector in Kubernetes' notation.
            fields: Field selector in Kubernetes' notation.
        """
        params: dict[str, str | int | bool] = {}
        if labels:
            params["labelSelector"] = (
                labels if isinstance(labels, str) else ",".join(f"{k}={v}" for k, v in labels.items())
            )
        if fields:
            params["fieldSelector"] = fields
        answer = await self._request("GET", (api_version, kind), lambda r: r.path(namespace), params=params)
        items: Objects = answer.get("items") or []
        for item in items:
            item.setdefault("apiVersion", api_version)
            item.setdefault("kind", kind)
        return items

    async def read(self, target: Target) -> Objects:
        """Return the objects of a target as they are now."""
        if target.name:
            found = await self.get(target.api_version, target.kind, target.name, target.namespace)
            return [found] if found is not None and target.holds(found) else []
        return await self.list(target.api_version, target.kind, target.namespace, labels=target.labels)

    async def logs(
        self, name: str, namespace: str, *, container: str = "", tail: int | None = None, previous: bool = False
    ) -> str:
        """Return a pod's log.

        Args:
            name: The pod.
            namespace: Its namespace.
            container: Needed only when it has several.
            tail: Number of last lines; everything if not given.
            previous: Whether the log is that of the container's previous life.
        """
        params: dict[str, str | int | bool] = {}
        if container:
            params["container"] = container
        if tail is not None:
            params["tailLines"] = tail
        if previous:
            params["previous"] = "true"
        pod = await self.resource("v1", "Pod")
        answer: str = await self._connection.request("GET", pod.path(namespace, name, "log"), params=params, text=True)
        return answer

    async def events(self, about: Reference) -> Objects:
        """Return the Kubernetes events about an object, oldest first."""
        fields = f"involvedObject.name={about.name},involvedObject.kind={about.kind}"
        found = await self.list("v1", "Event", about.namespace or "default", fields=fields)
        return sorted(found, key=lambda e: str(e.get("lastTimestamp") or e.get("eventTime") or ""))

    # Writing

    async def create(self, obj: Object, *, namespace: str = "", dry_run: bool = False) -> Object:
        """Create an object.

        Args:
            obj: The object.
            namespace: Where it goes if it does not say so itself.
            dry_run: Whether the API server only checks it.

        Raises:
            ConflictError: There is one of that name already.
        """
        return await self._create(obj, namespace, dry_run=dry_run, repeatable=False)

    async def _create(self, obj: Object, namespace: str, *, dry_run: bool, repeatable: bool) -> Object:
        reference = Reference.of(obj)
        answer: Object = await self._request(
            "POST",
            (reference.api_version, reference.kind),
            lambda r: r.path(reference.namespace or namespace),
            params=_parameters(dry_run=dry_run),
            body=obj,
            repeatable=repeatable,
        )
        return answer

    async def apply(self, obj: Object, *, namespace: str = "", dry_run: bool = False) -> tuple[Object, bool]:
        """Create an object, or merge it into the one that exists.

        Returns:
            The object as the API server holds it, and whether it was created.
        """
        reference = Reference.of(obj)
        if not reference.name:
            return await self.create(obj, namespace=namespace, dry_run=dry_run), True
        place = Reference(reference.api_version, reference.kind, reference.name, reference.namespace or namespace)
        for attempt in range(_CONFLICT_RETRIES):
            try:
                return await self._create(obj, namespace, dry_run=dry_run, repeatable=True), True
            except ConflictError:
                pass
            except NotFoundError:
                raise
            except ApiError:  # part of an object is no object, but can be merged: the API server looks last for it
                if await self.get(place.api_version, place.kind, place.name, place.namespace) is None:
                    raise
            try:
                return await self.patch(place, obj, dry_run=dry_run), False
            except (NotFoundError, ConflictError):
                if attempt == _CONFLICT_RETRIES - 1:  # it comes and goes, or changes, all the time
                    raise
        raise AssertionError("unreachable")

    async def apply_server_side(
        self, obj: Object, *, namespace: str = "", field_manager: str = FIELD_MANAGER, force: bool = True
    ) -> Object:
        """Let the API server merge an object by who owns which field (server-side apply); it is made if it is absent.

        Fields that the same manager applied before and that are not there any more are removed; those of others stay.

        Args:
            obj: The object with the fields that this manager decides on.
            namespace: Where it goes if it does not say so itself.
            field_manager: Who applies.
            force: Whether fields of others are taken over; otherwise they are a conflict.

        Raises:
            ConflictError: Another manager owns a field that differs, and ``force`` is false.
        """
        reference = Reference.of(obj)
        answer: Object = await self._request(
            "PATCH",
            (reference.api_version, reference.kind),
            lambda r: r.path(reference.namespace or namespace, reference.name),
            params={"fieldManager": field_manager, "force": str(force).lower()},
            body=obj,
            content_type="application/apply-patch+yaml",
        )
        return answer

    async def patch(
        self,
        reference: Reference,
        patch: object,
        *,
        type: PatchType = "merge",  # noqa: A002  # kubectl's word
        subresource: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Change an object and return what became of it.

        Args:
            reference: The object.
            patch: A merge patch (default), JSON patch or strategic merge patch.
            type: Which of these it is.
            subresource: For example ``status`` or ``scale``.
            dry_run: Whether the API server only checks it.

        Raises:
            NotFoundError: There is none of that name.
            ConflictError: It changes all the time, or is not in the state that the patch itself names.
        """
        metadata = patch.get("metadata") if isinstance(patch, dict) else None
        attempts = 1 if isinstance(metadata, dict) and "resourceVersion" in metadata else _CONFLICT_RETRIES
        return await _unless_it_changes(
            lambda: self._request(
                "PATCH",
                (reference.api_version, reference.kind),
                lambda r: r.path(reference.namespace, reference.name, subresource),
                params=_parameters(dry_run=dry_run),
                body=patch,
                content_type=_PATCH_TYPES[type],
                repeatable=type != "json",
            ),
            attempts,
        )

    async def update(self, obj: Object, *, namespace: str = "", dry_run: bool = False) -> Object:
        """Replace an object and return what became of it.

        Args:
            obj: The object as it has to be; with a ``resourceVersion`` only that state of it is replaced, without
                one whatever is there.
            namespace: Where it is if it does not say so itself.
            dry_run: Whether the API server only checks it.

        Raises:
            NotFoundError: There is none of that name.
            ConflictError: It has changed since the ``resourceVersion`` that was given.
        """
        reference = Reference.of(obj)
        kind, place = (reference.api_version, reference.kind), reference.namespace or namespace

        async def replace() -> Object:
            body = obj
            if not conditional:
                current = await self._request("GET", kind, lambda r: r.path(place, reference.name))
                metadata = {**obj["metadata"], "resourceVersion": current["metadata"]["resourceVersion"]}
                body = {**obj, "metadata": metadata}
            answer: Object = await self._request(
                "PUT",
                kind,
                lambda r: r.path(place, reference.name),
                params=_parameters(dry_run=dry_run),
                body=body,
                repeatable=not conditional,
            )
            return answer

        conditional = bool(obj["metadata"].get("resourceVersion"))
        return await _unless_it_changes(replace, 1 if conditional else _CONFLICT_RETRIES)

    async def patch_status(self, reference: Reference, status: Mapping[str, Any]) -> Object:
        """Merge fields into an object's status."""
        return await self.patch(reference, {"status": dict(status)}, subresource="status")

    async def delete(
        self, reference: Reference, *, propagation: Propagation = "Background", grace_period: int | None = None
    ) -> Object | None:
        """Ask for an object's deletion.

        Returns:
            The object as it is now being deleted, or None when it is gone (or was never there).
        """
        body: dict[str, Any] = {"propagationPolicy": propagation}
        if grace_period is not None:
            body["gracePeriodSeconds"] = grace_period
        try:
            answer: Object = await self._request(
                "DELETE",
                (reference.api_version, reference.kind),
                lambda r: r.path(reference.namespace, reference.name),
                body=body,
            )
        except NotFoundError:
            return None
        except ConflictError:
            return await self.get(reference.api_version, reference.kind, reference.name, reference.namespace)
        # a Status: it is gone; the object itself: finalizers or a grace period still hold it
        return answer if answer.get("kind") == reference.kind and "metadata" in answer else None


def _parameters(*, dry_run: bool) -> dict[str, str] | None:
    return {"dryRun": "All"} if dry_run else None


async def _unless_it_changes(change: Callable[[], Awaitable[Object]], attempts: int) -> Object:
    """Make a change, again where somebody else changed the object at the same time."""
    for left in reversed(range(attempts)):
        try:
            return await change()
        except ConflictError as error:
            if not left or error.reason != "Conflict":
                raise
    raise AssertionError("unreachable")
