"""Lets every scaler have its passes in time, and knows what the watches tell."""

from __future__ import annotations

import asyncio
import http
import logging
import time
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from proving_ground.budaiscaler import faults
from proving_ground.budaiscaler.conflicts import conflicting
from proving_ground.budaiscaler.passes import Passes
from proving_ground.budaiscaler.settings import GROUP, PLURAL, VERSION, Settings
from proving_ground.budaiscaler.sources import Reader
from proving_ground.budaiscaler.tracking import Tracked, uid_of
from proving_ground.budaiscaler.world import World
from proving_ground.kube.operator_api import Api, ApiError, is_ending
from proving_ground.kube.operator_events import EventWriter

if TYPE_CHECKING:
    from proving_ground.budaiscaler.counters import Counters
    from proving_ground.budaiscaler.scraping import Scraper
    from proving_ground.budaiscaler.world import Key

Json = Mapping[str, Any]

STALE_AFTER = 5.0
"""Seconds after which a pod that was listed at start but that no watch has confirmed is taken for gone."""

CLOSING_SECONDS = 3.0
"""Within which passes end when the controller does, and again all that was learned is kept."""

COMPONENT = "budaiscaler"

log = logging.getLogger(__name__)


class Reconciler:
    """Keeps what is known, one pass at a time for each scaler, all scalers side by side."""

    def __init__(self, api: Api, scraper: Scraper, counters: Counters, settings: Settings) -> None:
        """Start with nothing known."""
        self._api = api
        self._counters = counters
        self._settings = settings
        self._closed = False
        self._scalers: dict[Key, Tracked] = {}
        self._rivals: dict[Key, tuple[str, ...]] = {}
        self._unconfirmed: dict[str, tuple[str, str]] = {}
        self._background: set[asyncio.Task[Any]] = set()
        self._events = EventWriter(api, COMPONENT)
        self.world = World()
        self._passes = Passes(
            api,
            world=self.world,
            reader=Reader(scraper, api, self.world),
            scraper=scraper,
            warn=self._warn,
            counters=counters,
            settings=settings,
        )

    @property
    def scalers(self) -> int:
        """How many scalers there are."""
        return len(self._scalers)

    # What the watches tell.

    async def preload(self) -> None:
        """Wait until the API serves the kind, and learn what exists.

        So a restart does not report the pods of a target as gone.
        """
        await self._api.until_served(f"/apis/{GROUP}/{VERSION}/{PLURAL}")
        for namespace in (await self._api.get("/api/v1/namespaces")).get("items") or []:
            self.namespace_seen(namespace)
        for pod in (await self._api.get("/api/v1/pods")).get("items") or []:
            self.pod_seen(pod)
            metadata = pod["metadata"]
            self._unconfirmed[uid_of(pod)] = (metadata["namespace"], metadata["name"])
        asyncio.get_running_loop().call_later(STALE_AFTER, self._forget_unconfirmed)

    def scaler_seen(self, scaler: Json) -> None:
        """Take in a BudAIScaler as it now is."""
        key = _key(scaler)
        tracked = self._scalers.get(key)
        if tracked is None or uid_of(tracked.scaler) != uid_of(scaler):
            if tracked is not None:
                tracked.drop()
            tracked = self._scalers[key] = Tracked(scaler=scaler)
        elif not tracked.take(scaler):
            return
        self._find_rivals(key[0])
        tracked.due = asyncio.get_running_loop().time()
        self.kick(key)

    def scaler_gone(self, scaler: Json) -> None:
        """Forget a BudAIScaler; the garbage collector removes what it owns."""
        key = _key(scaler)
        tracked = self._scalers.get(key)
        if tracked is not None and uid_of(tracked.scaler) == uid_of(scaler):
            self._scalers.pop(key).drop()
            self._find_rivals(key[0])

    def pod_seen(self, pod: Json) -> None:
        """Take in a pod as it now is."""
        self._unconfirmed.pop(uid_of(pod), None)
        self.world.pod_seen(pod)

    def pod_gone(self, pod: Json) -> None:
        """Forget a pod."""
        self._unconfirmed.pop(uid_of(pod), None)
        self.world.pod_gone(*_key(pod), uid_of(pod))

    def namespace_seen(self, namespace: Json) -> None:
        """Take in the annotations of a namespace."""
        self.world.namespaces[namespace["metadata"]["name"]] = namespace["metadata"].get("annotations") or {}

    def _find_rivals(self, namespace: str) -> None:
        for key in [key for key in self._rivals if key[0] == namespace]:
            del self._rivals[key]
        scalers = [tracked.scaler for key, tracked in self._scalers.items() if key[0] == namespace]
        for conflict in conflicting(scalers):
            for name in conflict.scalers:
                self._rivals[namespace, name] = tuple(other for other in conflict.scalers if other != name)

    # Passes.

    def kick(self, key: Key) -> None:
        """Start a pass over a scaler, or let the one under way be followed by another."""
        tracked = self._scalers.get(key)
        if tracked is None or self._closed:
            return
        tracked.dirty = True
        if tracked.task is None or tracked.task.done():
            tracked.task = asyncio.get_running_loop().create_task(self._work(key, tracked))

    async def close(self) -> None:
        """Let every pass under way be the last one, and keep what was learned; does so once."""
        if self._closed:
            return
        self._closed = True
        for tracked in self._scalers.values():
            tracked.dirty = False
        # One that has scaled and not yet told so must tell it: the next controller knows what the status holds.
        await self._ended()
        for tracked in self._scalers.values():
            tracked.drop()
        await self._ended()
        keeping = [asyncio.create_task(self._keep(key, t)) for key, t in self._scalers.items() if t.lessons]
        if keeping:
            _, late = await asyncio.wait(keeping, timeout=CLOSING_SECONDS)
            for task in late:
                task.cancel()
            if late:
                log.warning("%d scalers: what was learned last could not be kept", len(late))

    async def _ended(self) -> None:
        """Wait for what is under way, but not for ever."""
        tasks = [t.task for t in self._scalers.values() if t.task and not t.task.done()] + [*self._background]
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSING_SECONDS)

    async def _keep(self, key: Key, tracked: Tracked) -> None:
        if tracked.lessons is None:
            return
        try:
            now = tracked.clock.now(time.time())
            await tracked.lessons.keep(tracked.scaler, now=now, faults=self._faults(tracked))
        except (ApiError, TimeoutError, OSError) as error:
            log.warning("%s/%s: not kept: %s", *key, error)

    async def _work(self, key: Key, tracked: Tracked) -> None:
        loop = asyncio.get_running_loop()
        while tracked.dirty:
            tracked.dirty = False
            begun, failed = loop.time(), True
            try:
                failed = not await self._pass(key, tracked)
            except Exception:  # a pass must never end the watching of the others
                log.exception("%s/%s: the pass broke", *key)
            ended = loop.time()
            self._counters.reconciled(lag=max(0.0, begun - tracked.due), seconds=ended - begun, failed=failed)
        # From when it was due, so that the cadence does not depend on how long a pass takes; never in a rush.
        tracked.due = max(tracked.due + self._settings.reconcile_seconds, loop.time())
        if tracked.timer is not None:
            tracked.timer.cancel()
        tracked.timer = loop.call_at(tracked.due, self.kick, key)

    async def _pass(self, key: Key, tracked: Tracked) -> bool:
        if tracked.scaler["metadata"].get("deletionTimestamp"):
            return True
        await self._namespace(key[0])
        try:
            await self._passes.make(
                tracked, unix=time.time(), faults=self._faults(tracked), rivals=self._rivals.get(key, ())
            )
        except ApiError as error:
            if error.status == http.HTTPStatus.NOT_FOUND or is_ending(error):
                return True
            log.warning("%s/%s: %s", *key, error)
        except (TimeoutError, OSError) as error:  # aiohttp's connection errors are OSErrors
            log.warning("%s/%s: %s", *key, error or type(error).__name__)
        else:
            return True
        return False

    async def _namespace(self, name: str) -> None:
        if name not in self.world.namespaces:
            # The watch of namespaces may be behind the one of scalers.
            found = await self._api.find(f"/api/v1/namespaces/{name}")
            if found is not None:
                self.namespace_seen(found)

    # Small things.

    def _faults(self, tracked: Tracked) -> frozenset[str]:
        metadata = tracked.scaler["metadata"]
        return faults.effective(metadata.get("annotations"), self.world.namespaces.get(metadata["namespace"]))

    def _warn(self, scaler: Json, reason: str, message: str) -> None:
        self._spawn(self._events.write(scaler, reason=reason, message=message, warning=True))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _forget_unconfirmed(self) -> None:
        stale, self._unconfirmed = self._unconfirmed, {}
        for uid, (namespace, name) in stale.items():
            self.world.pod_gone(namespace, name, uid)


def _key(body: Json) -> Key:
    return body["metadata"]["namespace"], body["metadata"]["name"]
