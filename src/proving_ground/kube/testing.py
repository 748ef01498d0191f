"""An API server in memory, for tests of what uses a :class:`~proving_ground.kube.Cluster`.

It speaks HTTP to the real client, over a Unix socket: discovery, get, list, create, merge patch, server-side apply
(without owners of fields: as a merge), delete, finalizers, watches with resource versions, and the failures that a
real one shows.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from proving_ground.kube.cluster import Cluster
from proving_ground.kube.connection import Connection
from proving_ground.kube.references import Object, ResourceType

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

_VERBS = frozenset({"get", "list", "watch", "create", "patch", "delete"})
WIDGET = ResourceType("test.example/v1", "Widget", "widgets", namespaced=True, verbs=_VERBS)
KINDS = (
    ResourceType("v1", "Namespace", "namespaces", namespaced=False, verbs=_VERBS),
    ResourceType("v1", "ConfigMap", "configmaps", namespaced=True, verbs=_VERBS),
    ResourceType("v1", "Secret", "secrets", namespaced=True, verbs=_VERBS),
    ResourceType("v1", "Pod", "pods", namespaced=True, verbs=_VERBS),
    ResourceType("v1", "Event", "events", namespaced=True, verbs=_VERBS),
    WIDGET,
)
_PATH = re.compile(
    r"^/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+/[^/]+))"
    r"(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[^/]+))?$"
)
_NUMBER = "x-number"
_NAMESPACE_PATH = re.compile(r"^/api/v1/namespaces(?:/(?P<name>[^/]+))?$")


@dataclass(frozen=True)
class Answer:
    """An answer: its status, and a value that is sent as JSON or a text that is sent as it is."""

    status: int
    json: Any = None
    text: str | None = None
    headers: Mapping[str, str] | None = None

    def response(self) -> web.Response:
        """Return it as the server's response."""
        body = json.dumps(self.json) if self.text is None else self.text
        kind = "application/json" if self.text is None else "text/plain"
        return web.Response(status=self.status, text=body, content_type=kind, headers=self.headers)


class MemoryApi:
    """The API server.

    Attributes:
        requests: Each request as ``(method, path)``, watches as ``("WATCH", path)``.
        answers: Called before each request; an answer that it returns is given, an exception takes its place.
        keep_namespaces: Whether deleted namespaces stay, being deleted for ever.
    """

    def __init__(self, kinds: Iterable[ResourceType] = KINDS) -> None:
        self.requests: list[tuple[str, str]] = []
        self.answers: Callable[[str, str], Answer | Exception | None] = lambda _method, _path: None
        self.keep_namespaces = False
        self.logs: dict[str, str] = {}
        self._kinds = {(kind.api_version, kind.plural): kind for kind in kinds}
        self._objects: dict[tuple[str, str, str, str], Object] = {}
        self._events: list[tuple[int, str, str, Object]] = []
        self._version = 0
        self._oldest = 0
        self._streams: set[_Stream] = set()
        self._canned: dict[str, Answer] = {}

    @contextlib.asynccontextmanager
    async def cluster(self, *, patience: float = 0.2) -> AsyncIterator[Cluster]:
        """Give a client of this server."""
        with tempfile.TemporaryDirectory(prefix="memory-api-") as folder:
            socket = str(Path(folder, "socket"))
            runner = web.ServerRunner(web.Server(self._handle, handler_cancellation=True), shutdown_timeout=0)
            await runner.setup()
            connector = aiohttp.UnixConnector(socket, limit=0)
            connection = Connection.over(connector, "http://memory", patience=patience, middlewares=[self._begin])
            cluster = Cluster(connection, Path("/nonexistent/kubeconfig"), patience=patience)
            try:
                await web.UnixSite(runner, socket).start()
                yield cluster
            finally:
                await cluster.close()
                await connector.close()
                await runner.cleanup()

    def count(self, method: str, part: str = "") -> int:
        """Return how many requests of a method had a text in their path."""
        return Counter(m for m, path in self.requests if part in path)[method]

    def find(self, kind: str, name: str) -> Object | None:
        """Return an object by kind and name, wherever it is."""
        return next((o for (_, _, _, n), o in self._objects.items() if n == name and o["kind"] == kind), None)

    def all(self, kind: str) -> list[Object]:
        """Return the objects of a kind."""
        return [obj for obj in self._objects.values() if obj["kind"] == kind]

    def put(self, obj: Object) -> Object:
        """Create or replace an object, as a controller would."""
        kind = next(k for k in self._kinds.values() if (k.api_version, k.kind) == (obj["apiVersion"], obj["kind"]))
        known = self._objects.get(self._key(kind, obj))
        return self._store(kind, copy.deepcopy(obj), "ADDED" if known is None else "MODIFIED")

    def set_status(self, kind: str, name: str, status: dict[str, Any]) -> None:
        """Replace the status of an object, as its controller would."""
        obj = self.find(kind, name)
        if obj is None:
            raise LookupError(name)
        self.put({**obj, "status": status})

    def remove(self, kind: str, name: str) -> None:
        """Make an object vanish, whatever holds it."""
        key, obj = next((k, o) for k, o in self._objects.items() if o["kind"] == kind and k[3] == name)
        self._drop(key, obj)

    def serve(self, kind: ResourceType) -> None:
        """Serve a kind from now on, as when a CustomResourceDefinition is established."""
        self._kinds[kind.api_version, kind.plural] = kind

    def serve_no_more(self, kind: ResourceType) -> None:
        """Remove a kind with its objects, as when a CustomResourceDefinition is deleted."""
        for key, obj in [(k, o) for k, o in self._objects.items() if k[:2] == (kind.api_version, kind.plural)]:
            self._drop(key, obj)
        del self._kinds[kind.api_version, kind.plural]
        for stream in [each for each in self._streams if each.kind == kind]:
            stream.fail()

    def bookmark(self) -> None:
        """Tell every watch how far it has come."""
        for stream in self._streams:
            stream.bookmark(self._version)

    def break_watches(self) -> None:
        """End every watch as if the connection had failed."""
        for stream in list(self._streams):
            stream.fail()

    def forget_history(self) -> None:
        """Forget all events, so that watches have to start anew."""
        self._oldest = self._version + 1
        self._version += 1
        self._events.clear()

    # Requests

    async def _begin(self, request: aiohttp.ClientRequest, go: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        """Note a request on its way out, and lose it where an exception is to take the place of its answer."""
        watching = request.url.query.get("watch") == "true"
        self.requests.append(("WATCH" if watching else request.method, request.url.path))
        canned = self.answers(*self.requests[-1])
        if isinstance(canned, Exception):
            raise canned
        if canned is not None:
            number = str(len(self.requests))
            self._canned[number] = canned
            request.headers[_NUMBER] = number
        return await go(request)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        canned = self._canned.pop(request.headers.get(_NUMBER, ""), None)
        if canned is not None:
            return canned.response()
        content = await request.read()
        answer = self._respond(request.method, request.path, request.query, json.loads(content) if content else {})
        return await answer.serve(request) if isinstance(answer, _Stream) else answer.response()

    def _respond(self, method: str, path: str, params: Mapping[str, str], body: Object) -> Answer | _Stream:
        if path in {f"/api/{v}" if "/" not in v else f"/apis/{v}" for v, _ in self._kinds}:
            return self._discover(path)
        return self._answer("WATCH" if params.get("watch") == "true" else method, path, params, body)

    def _answer(self, method: str, path: str, params: Mapping[str, str], body: Object) -> Answer | _Stream:
        place = self._resolve(path)
        if place is None:
            return Answer(404, text="404 page not found\n")
        kind, namespace, name, sub = place
        match method:
            case "WATCH":
                return self._watch(kind, namespace, int(params["resourceVersion"]))
            case "POST":
                return self._create(kind, namespace, body)
            case "GET" if not name:
                return self._list(kind, namespace, params)
            case "GET" if sub == "log":
                return Answer(200, text=self.logs.get(name, ""))
        return self._change(method, kind, (kind.api_version, kind.plural, namespace, name), params, body)

    def _resolve(self, path: str) -> tuple[ResourceType, str, str, str] | None:
        if found := _NAMESPACE_PATH.match(path):
            return self._kinds["v1", "namespaces"], "", found["name"] or "", ""
        match = _PATH.match(path)
        kind = self._kinds.get((match["core"] or match["group"], match["plural"])) if match else None
        if match is None or kind is None:
            return None
        return kind, match["namespace"] or "", match["name"] or "", match["sub"] or ""

    def _change(
        self,
        method: str,
        kind: ResourceType,
        key: tuple[str, str, str, str],
        params: Mapping[str, str],
        body: Object,
    ) -> Answer:
        obj = self._objects.get(key)
        if obj is None and method == "PATCH" and "fieldManager" in params:
            return self._create(kind, key[2], body)
        if obj is None:
            return _status(404, "NotFound", f'{kind.plural} "{key[3]}" not found')
        if method in {"PATCH", "PUT"}:
            metadata = obj["metadata"]
            if (body.get("metadata") or {}).get("resourceVersion", metadata["resourceVersion"]) != (
                metadata["resourceVersion"]
            ):
                return _status(409, "Conflict", f'{kind.plural} "{key[3]}": the object has been modified')
            kept = {name: metadata[name] for name in ("uid", "namespace") if name in metadata}
            changed = _merge(obj, body) if method == "PATCH" else {**body, "metadata": {**body["metadata"], **kept}}
            return Answer(200, changed if "dryRun" in params else self._store(kind, changed, "MODIFIED"))
        if method == "DELETE":
            return self._delete(kind, key, obj)
        return Answer(200, obj)

    def _discover(self, path: str) -> Answer:
        version = path.removeprefix("/apis/").removeprefix("/api/")
        resources = [
            {"name": kind.plural, "kind": kind.kind, "namespaced": kind.namespaced, "verbs": sorted(kind.verbs)}
            for kind in self._kinds.values()
            if kind.api_version == version
        ]
        return Answer(200, {"kind": "APIResourceList", "resources": resources})

    def _create(self, kind: ResourceType, namespace: str, body: Object) -> Answer:
        if kind.namespaced:
            body["metadata"]["namespace"] = namespace
            if ("v1", "namespaces", "", namespace) not in self._objects:
                return _status(404, "NotFound", f'namespaces "{namespace}" not found')
        if self._key(kind, body) in self._objects:
            return _status(409, "AlreadyExists", f'{kind.plural} "{body["metadata"]["name"]}" already exists')
        return Answer(201, self._store(kind, body, "ADDED"))

    def _list(self, kind: ResourceType, namespace: str, params: Mapping[str, str]) -> Answer:
        wanted = dict(part.split("=", 1) for part in params.get("labelSelector", "").split(",") if part)
        items = [
            {key: value for key, value in obj.items() if key not in {"apiVersion", "kind"}}
            for (version, plural, place, _), obj in self._objects.items()
            if (version, plural) == (kind.api_version, kind.plural)
            and (not namespace or place == namespace)
            and wanted.items() <= (obj["metadata"].get("labels") or {}).items()
        ]
        return Answer(200, {"kind": "List", "metadata": {"resourceVersion": str(self._version)}, "items": items})

    def _delete(self, kind: ResourceType, key: tuple[str, str, str, str], obj: Object) -> Answer:
        held = bool(obj["metadata"].get("finalizers")) or (kind.kind == "Namespace" and self.keep_namespaces)
        if kind.kind == "Namespace":
            for inner, other in [(k, o) for k, o in self._objects.items() if k[2] == key[3]]:
                if other["metadata"].get("finalizers"):
                    held = True
                else:
                    self._drop(inner, other)
        if held:
            obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            return Answer(200, self._store(kind, obj, "MODIFIED"))
        self._drop(key, obj)
        return Answer(200, {"kind": "Status", "status": "Success"})

    def _watch(self, kind: ResourceType, namespace: str, version: int) -> Answer | _Stream:
        if version < self._oldest:
            gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            return Answer(200, {"type": "ERROR", "object": gone})
        stream = _Stream(self._streams, kind, namespace)
        for number, plural, event, obj in self._events:
            if number > version and plural == kind.plural:
                stream.send(event, obj)
        return stream

    # State

    def _key(self, kind: ResourceType, obj: Object) -> tuple[str, str, str, str]:
        metadata = obj["metadata"]
        return kind.api_version, kind.plural, metadata.get("namespace", ""), metadata["name"]

    def _store(self, kind: ResourceType, obj: Object, event: str) -> Object:
        self._version += 1
        metadata = obj["metadata"]
        metadata["resourceVersion"] = str(self._version)
        metadata.setdefault("uid", f"uid-{self._version}")
        self._objects[self._key(kind, obj)] = obj
        self._tell(kind.plural, event, obj)
        return obj

    def _drop(self, key: tuple[str, str, str, str], obj: Object) -> None:
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        del self._objects[key]
        self._tell(key[1], "DELETED", obj)

    def _tell(self, plural: str, event: str, obj: Object) -> None:
        seen = copy.deepcopy(obj)
        self._events.append((self._version, plural, event, seen))
        for stream in self._streams:
            if stream.kind.plural == plural:
                stream.send(event, seen)


class _Stream:
    """One watch."""

    def __init__(self, streams: set[_Stream], kind: ResourceType, namespace: str) -> None:
        self.kind = kind
        self._namespace = namespace
        self._streams = streams
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        streams.add(self)

    def send(self, event: str, obj: Object) -> None:
        if not self._namespace or obj["metadata"].get("namespace") == self._namespace:
            self._queue.put_nowait(json.dumps({"type": event, "object": obj}).encode() + b"\n")

    def bookmark(self, version: int) -> None:
        """Tell the version that everything up to it was sent."""
        obj = {"kind": self.kind.kind, "metadata": {"resourceVersion": str(version)}}
        self._queue.put_nowait(json.dumps({"type": "BOOKMARK", "object": obj}).encode() + b"\n")

    def fail(self) -> None:
        """Break the connection."""
        self._queue.put_nowait(None)

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Send what comes until the client goes or the connection is broken."""
        response = web.StreamResponse()
        try:
            await response.prepare(request)
            while (part := await self._queue.get()) is not None:
                await response.write(part)
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._streams.discard(self)
        return response


def _status(code: int, reason: str, message: str) -> Answer:
    return Answer(code, {"kind": "Status", "code": code, "reason": reason, "message": message})


def _merge(obj: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(obj) if isinstance(obj, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged
