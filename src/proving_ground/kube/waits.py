"""Following objects, and waiting for them with a deadline."""

from __future__ import annotations

import abc
import contextlib
import time
from typing import TYPE_CHECKING, Literal

from proving_ground.kube.deadlines import within
from proving_ground.kube.discovery import UnknownKindError
from proving_ground.kube.errors import WaitTimeoutError
from proving_ground.kube.references import Object, Objects, Reference, ResourceType, Target, summarise

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from proving_ground.kube.following import Following
    from proving_ground.kube.sharing import SharedWatches

Propagation = Literal["Background", "Foreground", "Orphan"]


class Waits(abc.ABC):
    """What a client that can read can do with watches."""

    _watches: SharedWatches

    @abc.abstractmethod
    async def resource(self, api_version: str, kind: str) -> ResourceType:
        """Return how a kind is served."""

    @abc.abstractmethod
    async def read(self, target: Target) -> Objects:
        """Return the objects of a target as they are now."""

    @abc.abstractmethod
    async def delete(
        self, reference: Reference, *, propagation: Propagation = "Background", grace_period: int | None = None
    ) -> Object | None:
        """Ask for an object's deletion; return what is left of it."""

    @contextlib.asynccontextmanager
    async def follow(self, target: Target, *, known: Sequence[Object] | None = None) -> AsyncIterator[Following]:
        """Follow the objects of a target: first as they are now, then each change.

        The first state is read directly, so it is never older than what the caller did before; the changes come
        from a watch that all followers of a kind share.

        Args:
            target: What to follow.
            known: The first state if the caller has it already, for example as the answer of a write; it is read
                anyway where the watch was quicker than that answer.
        """
        resource = await self.resource(target.api_version, target.kind)
        async with self._watches.join(resource, target, self.read) as following:
            if known is None or not following.may_start_from(known):
                known = await self._read_if_served(target)
            following.seed(list(known))
            yield following

    async def refresh(self, following: Following) -> None:
        """Read the objects of a target anew, for a decision that must not rest on a watch that lags."""
        following.replace(await self._read_if_served(following.target))

    async def _read_if_served(self, target: Target) -> Objects:
        """Return the objects of a target; none where its kind was removed after it was found."""
        try:
            return await self.read(target)
        except UnknownKindError:
            return []

    async def wait_for(
        self,
        reference: Reference,
        predicate: Callable[[Object | None], bool],
        *,
        timeout: float,  # noqa: ASYNC109  # the deadline is part of the message
        what: str = "the expected state",
    ) -> Object | None:
        """Wait until a predicate holds for an object (None: it does not exist), and return the object.

        Args:
            reference: The object.
            predicate: Tells whether the wait is over.
            timeout: Seconds.
            what: What is waited for, for the message.

        Raises:
            WaitTimeoutError: It did not hold in time; the message tells the last state.
        """
        found = await self.wait_for_objects(
            Target.of(reference), lambda objects: predicate(objects[0] if objects else None), timeout=timeout, what=what
        )
        return found[0] if found else None

    async def wait_for_objects(
        self,
        target: Target,
        predicate: Callable[[Sequence[Object]], bool],
        *,
        timeout: float,  # noqa: ASYNC109  # the deadline is part of the message
        what: str = "the expected state",
    ) -> Sequence[Object]:
        """Wait until a predicate holds for the objects of a target, and return them."""
        with within(timeout):
            return await self._wait_for_objects(target, predicate, timeout, what)

    async def _wait_for_objects(
        self, target: Target, predicate: Callable[[Sequence[Object]], bool], seconds: float, what: str
    ) -> Sequence[Object]:
        started = time.monotonic()
        read_again = False
        async with self.follow(target) as following:
            while True:
                objects = following.objects
                if predicate(objects):
                    return objects
                if await following.change(started + seconds - time.monotonic()):
                    continue
                if not read_again:
                    read_again = True
                    await self.refresh(following)
                else:
                    seen = "\n".join(f"  {Reference.of(o)}: {summarise(o)}" for o in objects[:10]) or "  none exists"
                    raise WaitTimeoutError(
                        f"waited {time.monotonic() - started:.1f} s for {what} of {target}; last seen:\n{seen}"
                    )

    async def remove(
        self,
        reference: Reference,
        *,
        timeout: float,  # noqa: ASYNC109  # the deadline is part of the message
        propagation: Propagation = "Background",
        grace_period: int | None = None,
    ) -> None:
        """Delete an object and wait until it is gone; one that was not there is gone already.

        Costs no request but the deletion where its kind is watched already: the watch is listened to before.

        Args:
            reference: The object.
            timeout: Seconds.
            propagation: Deletion propagation policy.
            grace_period: Seconds that it gets to end; None: its own.

        Raises:
            WaitTimeoutError: It is still there; the message tells its finalizers.
        """
        started = time.monotonic()
        target = Target.of(reference)
        async with self._watches.join(
            await self.resource(reference.api_version, reference.kind), target, self.read
        ) as following:
            deleted = await self.delete(reference, propagation=propagation, grace_period=grace_period)
            if deleted is not None:
                following.seed([deleted])
                await _until_gone(following, reference, started, timeout, deleted["metadata"].get("uid"))

    async def wait_gone(
        self,
        reference: Reference,
        *,
        timeout: float,  # noqa: ASYNC109  # the deadline is part of the message
        known: Object | None = None,
    ) -> None:
        """Wait until an object is gone; one of the same name that was made anew counts as gone.

        Args:
            reference: The object.
            timeout: Seconds.
            known: Its last state if the caller has it: the answer of :meth:`delete`.

        Raises:
            WaitTimeoutError: It is still there; the message tells its finalizers.
        """
        started = time.monotonic()
        uid = known["metadata"].get("uid") if known else None
        async with self.follow(Target.of(reference), known=[known] if known else None) as following:
            await _until_gone(following, reference, started, timeout, uid)


async def _until_gone(
    following: Following, reference: Reference, started: float, seconds: float, uid: str | None
) -> None:
    while True:
        objects = [o for o in following.objects if uid is None or o["metadata"].get("uid") == uid]
        if not objects:
            return
        if not await following.change(started + seconds - time.monotonic()):
            raise WaitTimeoutError(
                f"{reference} is still there {time.monotonic() - started:.1f} s after its deletion: "
                f"{summarise(objects[0])}"
            )
