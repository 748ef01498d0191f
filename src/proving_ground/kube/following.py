"""What waiters know of the objects that they follow."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from proving_ground.kube.references import Object, Target

_K = TypeVar("_K")
Key = tuple[str, str]
"""Namespace (empty where there is none) and name."""


def is_newer(version: str, than: str) -> bool:
    """Tell whether a resource version is later than another.

    Versions of one kind count up (Kubernetes enhancement 5504 makes it a promise); where they are not
    numbers, any other version counts as later.
    """
    if version.isdecimal() and than.isdecimal():
        return int(version) > int(than)
    return version != than


class Following:
    """What one waiter knows of the objects of a target; kept up to date by the shared watch.

    Attributes:
        target: What is followed.
        joined_at: Version up to which the watch had told everything when this waiter joined; empty: there is none.
        on_state: Called with each state of an object, and with None where one is gone: :attr:`objects` shows only
            the last of several that came at once.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.joined_at = ""
        self.on_state: Callable[[Key, Object | None], None] | None = None
        self._objects: dict[Key, Object] = {}
        self._seeded = False
        self._deleted: dict[Key, str] = {}
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

    def may_start_from(self, known: Sequence[Object]) -> bool:
        """Tell whether the end of each of these objects is still to come on the watch, so that it will be seen."""
        return all(not self.joined_at or is_newer(version_of(obj), self.joined_at) for obj in known)

    def seed(self, objects: list[Object]) -> None:
        """Start from objects that were read directly; what the watch brings later must be newer."""
        for obj in objects:
            end = self._deleted.get(key_of(obj))
            if end is None or is_newer(version_of(obj), end):  # else the watch was quicker than the answer
                self._store(obj)
        self._seeded = True
        self._deleted.clear()
        self._changed.clear()

    def observe(self, kind: str, obj: Object) -> None:
        """Take in one event of the watch: ADDED, MODIFIED or DELETED."""
        key = key_of(obj)
        if kind == "DELETED":
            known = self._objects.get(key)
            if not self._seeded:
                self._deleted[key] = version_of(obj)
            if known is not None and not is_newer(version_of(known), version_of(obj)):
                self._remove(key)
        elif self.target.holds(obj):
            self._store(obj)
        elif key in self._objects and is_newer(version_of(obj), version_of(self._objects[key])):
            self._remove(key)  # it lost the labels that it was selected by

    def reconcile(self, listed: dict[Key, Object], version: str) -> None:
        """Take in a whole list: what it does not hold any more was deleted meanwhile."""
        for key in [k for k, o in self._objects.items() if k not in listed and not is_newer(version_of(o), version)]:
            self._remove(key)
        for obj in listed.values():
            self.observe("MODIFIED", obj)

    def replace(self, objects: list[Object]) -> None:
        """Take in the whole state, as read by polling."""
        found = {key_of(obj): obj for obj in objects}
        if found != self._objects:
            for key in [k for k in self._objects if k not in found]:
                self._remove(key)
            for key in [k for k, obj in found.items() if obj != self._objects.get(k)]:
                self._set(key, found[key])

    def fail(self, failure: Exception) -> None:
        """Tell the waiter that nothing will come any more."""
        self._failure = failure
        self._changed.set()

    def _store(self, obj: Object) -> None:
        key = key_of(obj)
        known = self._objects.get(key)
        if known is None or is_newer(version_of(obj), version_of(known)):
            self._set(key, obj)

    def _set(self, key: Key, obj: Object) -> None:
        self._objects[key] = obj
        self._changed.set()
        if self.on_state is not None:
            self.on_state(key, obj)

    def _remove(self, key: Key) -> None:
        del self._objects[key]
        self._changed.set()
        if self.on_state is not None:
            self.on_state(key, None)


class Followers:
    """The waiters of one watch, found by what they wait for: an event concerns few of many."""

    def __init__(self) -> None:
        self._by_name: dict[Key, set[Following]] = {}
        self._by_namespace: dict[str, set[Following]] = {}

    def __bool__(self) -> bool:
        """Tell whether anybody waits."""
        return bool(self._by_name or self._by_namespace)

    def __iter__(self) -> Iterator[Following]:
        """Give everybody who waits; they may leave meanwhile."""
        groups = [*self._by_name.values(), *self._by_namespace.values()]
        return iter([following for group in groups for following in group])

    def add(self, following: Following) -> None:
        """Deliver to a waiter from now on."""
        target = following.target
        if target.name:
            self._by_name.setdefault((target.namespace, target.name), set()).add(following)
        else:
            self._by_namespace.setdefault(target.namespace, set()).add(following)

    def discard(self, following: Following) -> None:
        """Deliver to a waiter no more."""
        target = following.target
        if target.name:
            _leave(self._by_name, (target.namespace, target.name), following)
        else:
            _leave(self._by_namespace, target.namespace, following)

    def concerned(self, key: Key) -> Iterator[Following]:
        """Give those whose target an object of this name may belong to."""
        namespace, name = key
        for place in dict.fromkeys((namespace, "")):
            yield from self._by_name.get((place, name), ())
            yield from self._by_namespace.get(place, ())

    def reconcile(self, listed: Mapping[Key, Object], version: str) -> None:
        """Tell everybody what a whole list holds."""
        for following in self:
            target = following.target
            key = (target.namespace, target.name)
            if key in listed:  # what has a full name is found without a search
                candidates: Mapping[Key, Object] = {key: listed[key]}
            else:
                candidates = {} if all(key) else listed
            following.reconcile({k: obj for k, obj in candidates.items() if target.holds(obj)}, version)


def _leave(groups: dict[_K, set[Following]], key: _K, following: Following) -> None:
    group = groups.get(key, set())
    group.discard(following)
    if not group:
        groups.pop(key, None)


def key_of(obj: Object) -> Key:
    """Return namespace and name of an object."""
    metadata = obj["metadata"]
    return str(metadata.get("namespace", "")), str(metadata["name"])


def version_of(obj: Object) -> str:
    """Return the resource version of an object."""
    return str(obj["metadata"].get("resourceVersion", ""))
