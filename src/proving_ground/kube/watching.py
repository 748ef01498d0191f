"""Watches that many waiters share: one stream for each kind (and scope), however many wait."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from typing import TYPE_CHECKING, Any

from proving_ground.errors import InfrastructureError
from proving_ground.kube.errors import ApiError, ExpiredError, StreamError, api_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from proving_ground.kube.connection import Connection
    from proving_ground.kube.references import Object, ResourceType, Target

LOG = logging.getLogger(__name__)
_STREAM_SECONDS = 240
_EXPIRED = 410


def is_newer(version: str, than: str) -> bool:
    """Tell whether a resource version is later than another.

    Versions of one kind count up (Kubernetes enhancement 5504 makes it a promise); where they are not
    numbers, any other version counts as later.
    """
    if version.isdecimal() and than.isdecimal():
        return int(version) > int(than)
    return version != than


class Following:
    """What one waiter knows of the objects of a target; kept up to date by the shared watch."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._objects: dict[tuple[str, str], Object] = {}
        self._changed = asyncio.Event()
        self._failure: Exception | None = None

    @property
    def objects(self) -> list[Object]:
        """The objects as last seen, in the order of their names."""
        return [self._objects[key] for key in sorted(self._objects)]

    async def change(self, timeout: float) -> bool:  # noqa: ASYNC109  # cheaper than a task for each wait
        """Wait for the next change of the target's objects; False when none came in time.

        Args:
            timeout: Seconds.

        Raises:
            InfrastructureError: The cluster cannot be watched any more.
            ApiError: The API server refuses to let this kind be watched.
        """
        if self._failure is None and not self._changed.is_set():
            # asyncio.timeout is cheaper than wait_for's extra task and cancels nothing that is shared
            try:
                async with asyncio.timeout(max(timeout, 0)):
                    await self._changed.wait()
            except TimeoutError:
                return False
        if self._failure is not None:
            raise self._failure
        self._changed.clear()
        return True

    def seed(self, objects: list[Object]) -> None:
        """Start from objects that were read directly; what the watch brings later must be newer."""
        for obj in objects:
            self._store(obj)
        self._changed.clear()

    def observe(self, kind: str, obj: Object) -> None:
        """Take in one event of the watch: ADDED, MODIFIED or DELETED."""
        key = _key(obj)
        if kind == "DELETED":
            known = self._objects.get(key)
            if known is not None and not is_newer(_version(known), _version(obj)):
                del self._objects[key]
                self._changed.set()
        elif self.target.holds(obj):
            self._store(obj)
        elif key in self._objects and is_newer(_version(obj), _version(self._objects[key])):
            del self._objects[key]  # it lost the labels that it was selected by
            self._changed.set()

    def reconcile(self, listed: dict[tuple[str, str], Object], version: str) -> None:
        """Take in a whole list: what it does not hold any more was deleted meanwhile."""
        for key in [k for k, o in self._objects.items() if k not in listed and not is_newer(_version(o), version)]:
            del self._objects[key]
            self._changed.set()
        for obj in listed.values():
            self.observe("MODIFIED", obj)

    def replace(self, objects: list[Object]) -> None:
        """Take in the whole state, as read by polling."""
        found = {_key(obj): obj for obj in objects}
        if found != self._objects:
            self._objects = found
            self._changed.set()

    def fail(self, failure: Exception) -> None:
        """Tell the waiter that nothing will come any more."""
        self._failure = failure
        self._changed.set()

    def _store(self, obj: Object) -> None:
        key = _key(obj)
        known = self._objects.get(key)
        if known is None or is_newer(_version(obj), _version(known)):
            self._objects[key] = obj
            self._changed.set()


class Watch:
    """One list-and-watch loop; restarted when a waiter comes after it ended."""

    def __init__(self, connection: Connection, resource: ResourceType, namespace: str = "", *, patience: float) -> None:
        self._connection = connection
        self._resource = resource
        self._path = resource.path(namespace)
        self._patience = patience
        self._followers: set[Following] = set()
        self._task: asyncio.Task[None] | None = None
        self._listed = asyncio.Event()
        self.forbidden = False

    async def ready(self) -> None:
        """Wait until the first list came, or it is known that none will."""
        await self._listed.wait()

    @contextlib.contextmanager
    def follow(self, following: Following) -> Iterator[None]:
        """Deliver events to a waiter while the context lasts."""
        self._followers.add(following)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"watch {self._path}")
        try:
            yield
        finally:
            self._followers.discard(following)

    async def stop(self) -> None:
        """End the loop."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        try:
            await self._watch()
        except asyncio.CancelledError:
            raise
        except (ApiError, InfrastructureError) as error:
            self.forbidden = isinstance(error, ApiError) and error.status == 403  # noqa: PLR2004  # forbidden
            self._fail(error)
        except Exception as error:  # noqa: BLE001  # a waiter must never wait for a loop that is dead
            self._fail(InfrastructureError(f"watching {self._path} failed: {error!r}", where=self._connection.server))

    def _fail(self, error: Exception) -> None:
        self._listed.set()
        for following in list(self._followers):
            following.fail(error)

    async def _watch(self) -> None:
        version, pause, failing_since = "", 0.05, None
        while True:
            try:
                if not version:
                    version = await self._list()
                async for seen in self._events(version):
                    version = seen
                    pause, failing_since = 0.05, None
                if not self._followers:
                    return  # nobody waits: the next one who does starts it again
                pause, failing_since = 0.05, None
                continue
            except ExpiredError:
                version = ""
                continue
            except (StreamError, json.JSONDecodeError) as error:
                problem = str(error)
            except ApiError as error:
                if error.status < 500 and error.status not in {404, 429}:  # noqa: PLR2004  # the API server's own fault
                    raise
                version, problem = "", str(error)  # 404 and 429: a custom kind that is just being set up
            failing_since = failing_since or time.monotonic()
            if time.monotonic() - failing_since > self._patience:
                raise InfrastructureError(
                    f"the watch of {self._path} was lost: {problem}",
                    where=self._connection.server,
                    hint="is the cluster up?",
                )
            LOG.debug("watch %s: %s; again in %.2f s", self._path, problem, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)

    async def _list(self) -> str:
        answer: dict[str, Any] = await self._connection.request("GET", self._path)
        version = str(answer["metadata"]["resourceVersion"])
        listed = {}
        for obj in answer.get("items") or []:
            obj.setdefault("apiVersion", self._resource.api_version)
            obj.setdefault("kind", self._resource.kind)
            listed[_key(obj)] = obj
        for following in list(self._followers):
            mine = {key: obj for key, obj in listed.items() if following.target.holds(obj)}
            following.reconcile(mine, version)
        self._listed.set()
        return version

    async def _events(self, version: str) -> AsyncIterator[str]:
        params: dict[str, str | int | bool] = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": _STREAM_SECONDS,
        }
        async with self._connection.lines(self._path, params, silence=_STREAM_SECONDS + 15) as lines:
            async for line in lines:
                if line:
                    yield self._deliver(json.loads(line))

    def _deliver(self, event: dict[str, Any]) -> str:
        """Hand one event to every follower and return the version it brings."""
        obj = event["object"]
        if event["type"] == "ERROR":
            raise api_error(int(obj.get("code") or 0) or _EXPIRED, obj, f"watch {self._path}")
        if event["type"] != "BOOKMARK":
            for following in list(self._followers):
                following.observe(event["type"], obj)
        return _version(obj)


def _key(obj: Object) -> tuple[str, str]:
    metadata = obj["metadata"]
    return str(metadata.get("namespace", "")), str(metadata["name"])


def _version(obj: Object) -> str:
    return str(obj["metadata"].get("resourceVersion", ""))
