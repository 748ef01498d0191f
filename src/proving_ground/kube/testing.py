"""An API server in memory, for tests of what uses a :class:`~proving_ground.kube.Cluster`.

It speaks HTTP to the real client: discovery, get, list, create, merge patch, delete, finalizers, watches with
resource versions, and the failures that a real one shows.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from proving_ground.kube.cluster import Cluster
from proving_ground.kube.connection import Connection
from proving_ground.kube.references import Object, ResourceType

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

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
_NAMESPACE_PATH = re.compile(r"^/api/v1/namespaces(?:/(?P<name>[^/]+))?$")


class MemoryApi:
    """The API server.

    Attributes:
        requests: Each request as ``(method, path)``, watches as ``("WATCH", path)``.
        answers: Called before each request; a response that it returns is the answer.
        keep_namespaces: Whether deleted namespaces stay, being deleted for ever.
    """

    def __init__(self, kinds: Iterable[ResourceType] = KINDS) -> None:
        self.requests: list[tuple[str, str]] = []
        self.answers: Callable[[str, str], httpx.Response | Exception | None] = lambda _method, _path: None
        self.keep_namespaces = False
        self.logs: dict[str, str] = {}
        self._kinds = {(kind.api_version, kind.plural): kind for kind in kinds}
        self._objects: dict[tuple[str, str, str, str], Object] = {}
        self._events: list[tuple[int, str, str, Object]] = []
        self._version = 0
        self._oldest = 0
        self._streams: set[_Stream] = set()

    @contextlib.asynccontextmanager
    async def cluster(self, *, patience: float = 0.2) -> AsyncIterator[Cluster]:
        """Give a client of this server."""
        connection = Connection.over(httpx.MockTransport(self._handle), "http://memory", patience=patience)
        cluster = Cluster(connection, Path("/nonexistent/kubeconfig"), patience=patience)
        try:
            yield cluster
        finally:
            await cluster.close()

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

    def break_watches(self) -> None:
        """End every watch as if the connection had failed."""
        for stream in list(self._streams):
            stream.fail(httpx.ReadError("broken"))

    def forget_history(self) -> None:
        """Forget all events, so that watches have to start anew."""
        self._oldest = self._version + 1
        self._version += 1
        self._events.clear()

    # Requests

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        method, path, params = request.method, request.url.path, request.url.params
        watching = params.get("watch") == "true"
        self.requests.append(("WATCH" if watching else method, path))
        canned = self.answers(self.requests[-1][0], path)
        if isinstance(canned, Exception):
            raise canned
        if canned is not None:
            return canned
        if path in {f"/api/{v}" if "/" not in v else f"/apis/{v}" for v, _ in self._kinds}:
            return self._discover(path)
        body = json.loads(request.content) if request.content else {}
        return self._answer(self.requests[-1][0], path, params, body)

    def _answer(self, method: str, path: str, params: httpx.QueryParams, body: Object) -> httpx.Response:
        place = self._resolve(path)
        if place is None:
            return _status(404, "NotFound", "the server could not find the requested resource")
        kind, namespace, name, sub = place
        match method:
            case "WATCH":
                return self._watch(kind, namespace, int(params["resourceVersion"]))
            case "POST":
                return self._create(kind, namespace, body)
            case "GET" if not name:
                return self._list(kind, namespace, params)
            case "GET" if sub == "log":
                return httpx.Response(200, text=self.logs.get(name, ""))
        return self._change(method, kind, (kind.api_version, kind.plural, namespace, name), body)

    def _resolve(self, path: str) -> tuple[ResourceType, str, str, str] | None:
        if found := _NAMESPACE_PATH.match(path):
            return self._kinds["v1", "namespaces"], "", found["name"] or "", ""
        match = _PATH.match(path)
        kind = self._kinds.get((match["core"] or match["group"], match["plural"])) if match else None
        if match is None or kind is None:
            return None
        return kind, match["namespace"] or "", match["name"] or "", match["sub"] or ""

    def _change(self, method: str, kind: ResourceType, key: tuple[str, str, str, str], body: Object) -> httpx.Response:
        obj = self._objects.get(key)
        if obj is None:
            return _status(404, "NotFound", f'{kind.plural} "{key[3]}" not found')
        if method == "PATCH":
            return _json(self._store(kind, _merge(obj, body), "MODIFIED"))
        if method == "DELETE":
            return self._delete(kind, key, obj)
        return _json(obj)

    def _discover(self, path: str) -> httpx.Response:
        version = path.removeprefix("/apis/").removeprefix("/api/")
        resources = [
            {"name": kind.plural, "kind": kind.kind, "namespaced": kind.namespaced, "verbs": sorted(kind.verbs)}
            for kind in self._kinds.values()
            if kind.api_version == version
        ]
        return _json({"kind": "APIResourceList", "resources": resources})

    def _create(self, kind: ResourceType, namespace: str, body: Object) -> httpx.Response:
        if kind.namespaced:
            body["metadata"]["namespace"] = namespace
            if ("v1", "namespaces", "", namespace) not in self._objects:
                return _status(404, "NotFound", f'namespaces "{namespace}" not found')
        if self._key(kind, body) in self._objects:
            return _status(409, "AlreadyExists", f'{kind.plural} "{body["metadata"]["name"]}" already exists')
        return _json(self._store(kind, body, "ADDED"), 201)

    def _list(self, kind: ResourceType, namespace: str, params: httpx.QueryParams) -> httpx.Response:
        wanted = dict(part.split("=", 1) for part in params.get("labelSelector", "").split(",") if part)
        items = [
            {key: value for key, value in obj.items() if key not in {"apiVersion", "kind"}}
            for (version, plural, place, _), obj in self._objects.items()
            if (version, plural) == (kind.api_version, kind.plural)
            and (not namespace or place == namespace)
            and wanted.items() <= (obj["metadata"].get("labels") or {}).items()
        ]
        return _json({"kind": "List", "metadata": {"resourceVersion": str(self._version)}, "items": items})

    def _delete(self, kind: ResourceType, key: tuple[str, str, str, str], obj: Object) -> httpx.Response:
        held = bool(obj["metadata"].get("finalizers")) or (kind.kind == "Namespace" and self.keep_namespaces)
        if kind.kind == "Namespace":
            for inner, other in [(k, o) for k, o in self._objects.items() if k[2] == key[3]]:
                if other["metadata"].get("finalizers"):
                    held = True
                else:
                    self._drop(inner, other)
        if held:
            obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            return _json(self._store(kind, obj, "MODIFIED"))
        self._drop(key, obj)
        return _json({"kind": "Status", "status": "Success"})

    def _watch(self, kind: ResourceType, namespace: str, version: int) -> httpx.Response:
        if version < self._oldest:
            gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            return httpx.Response(200, text=json.dumps({"type": "ERROR", "object": gone}) + "\n")
        stream = _Stream(self._streams, kind, namespace)
        for number, plural, event, obj in self._events:
            if number > version and plural == kind.plural:
                stream.send(event, obj)
        return httpx.Response(200, stream=stream)

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


class _Stream(httpx.AsyncByteStream):
    """One watch."""

    def __init__(self, streams: set[_Stream], kind: ResourceType, namespace: str) -> None:
        self.kind = kind
        self._namespace = namespace
        self._streams = streams
        self._queue: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        streams.add(self)

    def send(self, event: str, obj: Object) -> None:
        if not self._namespace or obj["metadata"].get("namespace") == self._namespace:
            self._queue.put_nowait(json.dumps({"type": event, "object": obj}).encode() + b"\n")

    def fail(self, error: Exception) -> None:
        self._queue.put_nowait(error)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            part = await self._queue.get()
            if isinstance(part, Exception):
                raise part
            yield part

    async def aclose(self) -> None:
        self._streams.discard(self)


def _json(value: object, code: int = 200) -> httpx.Response:
    return httpx.Response(code, json=value)


def _status(code: int, reason: str, message: str) -> httpx.Response:
    return _json({"kind": "Status", "code": code, "reason": reason, "message": message}, code)


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
