"""Watches that many waiters share: one stream for each kind (and scope), however many wait."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import time
from typing import TYPE_CHECKING, Any

from proving_ground.errors import InfrastructureError
from proving_ground.kube.errors import ApiError, ExpiredError, NotFoundError, StreamError, api_error
from proving_ground.kube.following import Followers, Following, key_of, version_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from proving_ground.kube.connection import Connection
    from proving_ground.kube.following import Key
    from proving_ground.kube.references import Object, ResourceType

_STREAM_SECONDS = 240
_EXPIRED = 410
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


class _Pauses:
    """How long to wait before the next attempt, and whether there is to be one."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self.reset()

    def reset(self) -> None:
        """It works."""
        self._pause = _FIRST_PAUSE
        self._failing_since: float | None = None

    def exhausted(self) -> bool:
        """Tell whether it has been failing for too long."""
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        return now - self._failing_since > self._patience

    def next(self) -> float:
        """Return the next pause in seconds; each is longer than the one before."""
        pause, self._pause = self._pause, min(self._pause * 2, _LONGEST_PAUSE)
        return pause


class Watch:
    """One list-and-watch loop; restarted when a waiter comes after it ended."""

    def __init__(self, connection: Connection, resource: ResourceType, namespace: str = "", *, patience: float) -> None:
        self._connection = connection
        self._resource = resource
        self._path = resource.path(namespace)
        self._patience = patience
        self._followers = Followers()
        self._version = ""
        self._task: asyncio.Task[None] | None = None
        self._opened = asyncio.Event()
        self.forbidden = False

    @property
    def followed(self) -> bool:
        """Whether anybody waits."""
        return bool(self._followers)

    @property
    def version(self) -> str:
        """Version up to which everything was told."""
        return self._version

    async def ready(self) -> None:
        """Wait until the stream is open, or it is known that it will not be so soon."""
        await self._opened.wait()

    @contextlib.contextmanager
    def follow(self, following: Following) -> Iterator[None]:
        """Deliver events to a waiter while the context lasts."""
        self._followers.add(following)
        if self._task is None or self._task.done():
            self._version = ""
            self._opened.clear()
            # in a context of its own: it serves others than the one who happens to be first
            self._task = asyncio.get_running_loop().create_task(
                self._run(), name=f"watch {self._path}", context=contextvars.Context()
            )
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
        self._opened.set()
        for following in self._followers:
            following.fail(error)

    async def _watch(self) -> None:
        """List and watch until nobody waits any more; the next one who does starts it again."""
        pauses = _Pauses(self._patience)
        while True:
            try:
                if not self._version:
                    self._version = await self._list()
                async for seen in self._events(self._version):
                    self._version = seen
                    pauses.reset()
                pauses.reset()
                problem, pause = "", 0.0
            except (ApiError, StreamError, json.JSONDecodeError) as error:
                problem, pause = self._survive(error)
                pause = max(pause, pauses.next())
            if not self._followers:
                return
            if problem and pauses.exhausted():
                raise InfrastructureError(
                    f"the watch of {self._path} was lost: {problem}",
                    where=self._connection.server,
                    hint="is the cluster up?",
                )
            await asyncio.sleep(pause)

    def _survive(self, error: ApiError | StreamError | json.JSONDecodeError) -> tuple[str, float]:
        """Return what is wrong, empty where nothing is, and the seconds for which the API server asks to wait."""
        if not isinstance(error, ApiError):
            return str(error), 0.0  # it goes on from where it was
        if error.status < 500 and error.status not in {404, 410, 429}:  # noqa: PLR2004  # the API server's own fault
            raise error
        self._version = ""
        if isinstance(error, NotFoundError):
            # The kind is just being set up, or was removed and may come again: until then there is none of it.
            self._nothing_there()
        expected = isinstance(error, NotFoundError | ExpiredError)
        return "" if expected else str(error), error.retry_after

    def _nothing_there(self) -> None:
        self._opened.set()
        for following in self._followers:
            following.replace([])

    async def _list(self) -> str:
        answer: dict[str, Any] = await self._connection.request("GET", self._path)
        version = str(answer["metadata"]["resourceVersion"])
        listed: dict[Key, Object] = {}
        for obj in answer.get("items") or []:
            obj.setdefault("apiVersion", self._resource.api_version)
            obj.setdefault("kind", self._resource.kind)
            listed[key_of(obj)] = obj
        self._followers.reconcile(listed, version)
        return version

    async def _events(self, version: str) -> AsyncIterator[str]:
        params: dict[str, str | int | bool] = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": _STREAM_SECONDS,
        }
        async with self._connection.lines(self._path, params, silence=_STREAM_SECONDS + 15) as lines:
            self._opened.set()
            async for line in lines:
                if line:
                    yield self._deliver(json.loads(line))

    def _deliver(self, event: dict[str, Any]) -> str:
        """Hand one event to every follower and return the version it brings."""
        obj = event["object"]
        if event["type"] == "ERROR":
            raise api_error(int(obj.get("code") or 0) or _EXPIRED, obj, f"watch {self._path}")
        if event["type"] != "BOOKMARK":
            for following in self._followers.concerned(key_of(obj)):
                following.observe(event["type"], obj)
        return version_of(obj)
