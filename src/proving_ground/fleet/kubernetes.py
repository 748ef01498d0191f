"""The pods of a Kubernetes cluster: list and watch, and the few writes of a kubelet."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any

import aiohttp

from proving_ground.fleet.source import Change, NamespaceChange, PodChange, ServiceChange
from proving_ground.fleet.views import Key, Manifest, PodView, faults_of, pod_view, service_view
from proving_ground.kube import tls
from proving_ground.kube.credentials import written

if TYPE_CHECKING:
    from proving_ground.kube.kubeconfig import Access

LOG = logging.getLogger(__name__)
_MERGE = "application/merge-patch+json"
_GONE = frozenset({404, 409})
_EXPIRED = 410
_PAGE = 500
_WATCH_SECONDS = 290
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 1.0
_PARALLEL = 16
_TIMEOUT = aiohttp.ClientTimeout(total=30.0, sock_connect=2.0)
_EVENT_TIMEOUT = aiohttp.ClientTimeout(total=5.0)
_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=2.0, sock_read=_WATCH_SECONDS + 30.0)
_WATCH_BUFFER = 1 << 20
_REFUSED = 400
_UNAVAILABLE = 500
_DENIED = frozenset({401, 403, 429})

Reader = Callable[[Manifest, bool], Change | None]


class ExpiredError(Exception):
    """The API server does not remember as far back as a watch asks (410): list anew."""


def _read_pod(manifest: Manifest, gone: bool) -> Change | None:
    return PodChange(pod_view(manifest), gone)


def _read_service(manifest: Manifest, gone: bool) -> Change | None:
    view = service_view(manifest)
    if view is None:
        # It may have been one that the fleet answers for: the change then takes it away.
        empty = {"metadata": manifest["metadata"], "spec": {"clusterIP": "0", "selector": {"-": "-"}}}
        view, gone = service_view(empty), True
    return None if view is None else ServiceChange(view, gone)


def _read_namespace(manifest: Manifest, gone: bool) -> Change | None:
    meta = manifest["metadata"]
    return NamespaceChange(
        meta["name"], faults_of(meta.get("annotations") or {}), gone, terminating="deletionTimestamp" in meta
    )


_RESOURCES: tuple[tuple[str, Reader, Mapping[str, str]], ...] = (
    ("namespaces", _read_namespace, {}),
    ("services", _read_service, {}),
    ("pods", _read_pod, {"fieldSelector": "spec.nodeName!="}),
)


class KubernetesSource:
    """The pods of one cluster.

    Args:
        access: How to reach its API server.

    Raises:
        ConfigurationError: The access cannot be used.
    """

    def __init__(self, access: Access) -> None:
        self._server = access.server
        self._credential = written(access)
        self._tls = tls.context(access, self._credential) if access.server.startswith("https:") else False
        self._opened: aiohttp.ClientSession | None = None
        self._turn = asyncio.Semaphore(_PARALLEL)
        self._queue: asyncio.Queue[Change | BaseException] = asyncio.Queue()
        self._known: dict[str, dict[Key, Manifest]] = {name: {} for name, _, _ in _RESOURCES}
        self.requests = 0

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            headers = {"user-agent": "proving-ground-fleet"}
            if self._credential.authorization:
                headers["authorization"] = self._credential.authorization
            self._opened = aiohttp.ClientSession(
                base_url=self._server,
                headers=headers,
                connector=aiohttp.TCPConnector(ssl=self._tls, limit=0, keepalive_timeout=60),
                timeout=_TIMEOUT,
                skip_auto_headers=("accept-encoding",),
            )
        return self._opened

    async def close(self) -> None:
        """Close all connections."""
        if self._opened is not None:
            await self._opened.close()

    async def changes(self) -> AsyncIterator[Change]:
        """Give all that is there, then every change, for ever."""
        loop = asyncio.get_running_loop()
        tasks = [
            loop.create_task(self._follow(name, read, params), name=f"watch {name}")
            for name, read, params in _RESOURCES
        ]
        for task in tasks:
            task.add_done_callback(self._ended)
        try:
            while True:
                change = await self._queue.get()
                if isinstance(change, BaseException):
                    raise change
                yield change
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Hand over what ended a watch, which goes on for ever unless there is a mistake in it."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._queue.put_nowait(error)

    def _put(self, name: str, read: Reader, manifest: Manifest, *, gone: bool) -> None:
        meta = manifest["metadata"]
        key = (meta.get("namespace") or "", meta["name"])
        if gone:
            self._known[name].pop(key, None)
        else:
            self._known[name][key] = {"metadata": {"uid": meta["uid"], "name": meta["name"], **_place(meta)}}
        try:
            change = read(manifest, gone)
        except (KeyError, TypeError, ValueError) as error:
            LOG.warning("%s %s/%s cannot be read: %r", name, *key, error)
            return
        if change is not None:
            self._queue.put_nowait(change)

    async def _follow(self, name: str, read: Reader, params: Mapping[str, str]) -> None:
        wait, lost = _FIRST_WAIT, False
        version: str | None = None
        while True:
            try:
                if version is None:
                    version = await self._list(name, read, params)
                if lost:
                    LOG.info("watching %s again", name)
                wait, lost = _FIRST_WAIT, False
                async for seen in self._watch(name, read, params, version):
                    version = seen
            except ExpiredError:
                version = None
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                if not lost:
                    LOG.warning("lost sight of %s, trying again: %r", name, error)
                lost = True
                await asyncio.sleep(wait)
                wait = min(_LONGEST_WAIT, wait * 2)
                if isinstance(error, aiohttp.ClientResponseError | ValueError):
                    version = None

    async def _list(self, name: str, read: Reader, params: Mapping[str, str]) -> str:
        """List all, and tell what is new, changed or gone since the last time."""
        seen: dict[Key, str] = {}
        items: list[Manifest] = []
        query = {**params, "limit": str(_PAGE)}
        while True:
            async with self._session.get(f"/api/v1/{name}", params=query) as response:
                if response.status == _EXPIRED:
                    raise ExpiredError
                response.raise_for_status()
                page = json.loads(await response.read())
            items += page.get("items") or ()
            if not page["metadata"].get("continue"):
                break
            query["continue"] = page["metadata"]["continue"]
        for item in items:
            seen[item["metadata"].get("namespace") or "", item["metadata"]["name"]] = item["metadata"]["uid"]
        for key, known in list(self._known[name].items()):
            if seen.get(key) != known["metadata"]["uid"]:
                self._put(name, _gone_reader(read, name), known, gone=True)
        for item in items:
            self._put(name, read, item, gone=False)
        version: str = page["metadata"]["resourceVersion"]
        return version

    async def _watch(self, name: str, read: Reader, params: Mapping[str, str], version: str) -> AsyncIterator[str]:
        """Tell changes after a version; gives the version that each event brought, ends when the server ends it."""
        query = {
            **params,
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        path = f"/api/v1/{name}"
        async with self._session.get(path, params=query, timeout=_WATCH_TIMEOUT, read_bufsize=_WATCH_BUFFER) as stream:
            if stream.status == _EXPIRED:
                raise ExpiredError
            stream.raise_for_status()
            rest = b""
            async for part in stream.content.iter_any():
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    kind, item = event["type"], event["object"]
                    if kind == "ERROR":
                        if item.get("code") == _EXPIRED:
                            raise ExpiredError
                        raise ValueError(item.get("message") or "the watch failed")
                    if kind != "BOOKMARK":
                        self._put(name, read, item, gone=kind == "DELETED")
                    yield item["metadata"]["resourceVersion"]

    async def namespace_faults(self, name: str) -> frozenset[str] | None:
        """Ask for the faults that a namespace names, now."""
        status, body = await self._insist("GET", f"/api/v1/namespaces/{name}")
        if status in _GONE:
            return None
        return faults_of(json.loads(body)["metadata"].get("annotations") or {})

    async def write_status(self, pod: PodView, status: Mapping[str, Any]) -> bool:
        """Replace a pod's status; the uid makes sure that it is that very pod."""
        patch = {"metadata": {"uid": pod.uid}, "status": status}
        answer, body = await self._insist("PATCH", f"{_path(pod)}/status", patch)
        if answer >= _REFUSED and answer not in _GONE:
            LOG.error("status of pod %s/%s refused: %s", pod.namespace, pod.name, body[:500].decode(errors="replace"))
        return answer < _REFUSED

    async def remove(self, pod: PodView) -> None:
        """Delete a pod at once, if it is still that very pod."""
        answer, body = await self._insist(
            "DELETE", _path(pod), {"gracePeriodSeconds": 0, "preconditions": {"uid": pod.uid}}
        )
        if answer >= _REFUSED and answer not in _GONE:
            LOG.error("removal of pod %s/%s refused: %s", pod.namespace, pod.name, body[:500].decode(errors="replace"))

    async def tell(self, pod: PodView, reason: str, message: str) -> None:
        """Record a warning event about a pod; best effort."""
        now = dt.datetime.now(tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        about = {"apiVersion": "v1", "kind": "Pod", "namespace": pod.namespace, "name": pod.name, "uid": pod.uid}
        event = {
            "metadata": {"name": f"{pod.name[:200]}.{uuid.uuid4().hex[:16]}", "namespace": pod.namespace},
            "involvedObject": about,
            "type": "Warning",
            "reason": reason,
            "message": message[:1000],
            "source": {"component": "kubelet", "host": pod.node},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            async with self._turn:
                path = f"/api/v1/namespaces/{pod.namespace}/events"
                async with self._session.post(path, json=event, timeout=_EVENT_TIMEOUT) as response:
                    await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            LOG.debug("event about pod %s/%s lost: %r", pod.namespace, pod.name, error)

    async def _insist(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Send until the API server has given an answer that it means; returns status and body."""
        wait = _FIRST_WAIT
        headers = {"content-type": _MERGE if method == "PATCH" else "application/json"}
        data = None if body is None else json.dumps(body).encode()
        while True:
            try:
                self.requests += 1
                async with self._turn, self._session.request(method, path, data=data, headers=headers) as response:
                    answer, status = await response.read(), response.status
                if status < _UNAVAILABLE and status not in _DENIED:
                    return status, answer
                LOG.warning("%s %s: status %d, trying again", method, path, status)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                LOG.warning("%s %s: %r, trying again", method, path, error)
            await asyncio.sleep(wait)
            wait = min(_LONGEST_WAIT, wait * 2)


def _path(pod: PodView) -> str:
    return f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"


def _place(meta: Manifest) -> dict[str, str]:
    return {"namespace": meta["namespace"]} if meta.get("namespace") else {}


def _gone_reader(read: Reader, name: str) -> Reader:
    """Read what is left to know of an object that vanished between two lists: its names and uid."""
    specs: Mapping[str, Manifest] = {"pods": {}, "services": {"clusterIP": "0", "selector": {"-": "-"}}}

    def reader(manifest: Manifest, gone: bool) -> Change | None:
        return read({**manifest, "spec": specs.get(name, {})}, gone)

    return reader
