"""Namespaces that live for one check: made, labelled, removed, and verified gone."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import secrets
import string
import time
from typing import TYPE_CHECKING

from proving_ground.annotations import FAULT_ANNOTATION, FAULTY_LABEL
from proving_ground.kube.errors import ConflictError, WaitTimeoutError
from proving_ground.kube.references import Object, Reference, conditions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from proving_ground.kube.cluster import Cluster

RUN_ID_LABEL = "proving.ground/run-id"
REMOVAL_SECONDS = 60.0
_LETTERS = string.ascii_lowercase + string.digits
_NAME_ATTEMPTS = 5
_REMOVED_AT_ONCE = 56
"""Kubernetes leaves a namespace alone for 5 s before it looks, then works at 10 at once: more only spend time there."""
_WAITING_AT_MOST = 8


class Removals:
    """The removals of namespaces by one client: so many at once, the others wait for their turn.

    Checks can come faster than a cluster removes what they leave. Their namespaces would pile up, and each would
    take longer to go the more checks there were before it; so a new one is only made where few wait to go.
    """

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_REMOVED_AT_ONCE)
        self._waiting = 0
        self._removing = 0
        self._makers: collections.deque[asyncio.Future[None]] = collections.deque()

    async def room(self) -> None:
        """Wait until few removals wait for their turn; then one may go on for each that ends."""
        if self._waiting < _WAITING_AT_MOST and not self._makers:
            return
        maker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._makers.append(maker)
        await maker

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and hold it while the context lasts."""
        self._waiting += 1
        try:
            await self._turns.acquire()
        except BaseException:
            self._waiting -= 1
            self._let_go_on()
            raise
        self._waiting -= 1
        self._removing += 1
        try:
            yield
        finally:
            self._removing -= 1
            self._turns.release()
            self._let_go_on()

    def _let_go_on(self) -> None:
        """Let those go on who want to make a namespace: one for the one that went, more where turns are free."""
        if self._waiting >= _WAITING_AT_MOST:
            return
        count = 1 if self._waiting else max(1, _REMOVED_AT_ONCE - self._removing)
        if not self._waiting and not self._removing:
            count = len(self._makers)  # nothing is left that could let them go on later
        while count and self._makers:
            maker = self._makers.popleft()
            if not maker.done():  # else it was cancelled
                maker.set_result(None)
                count -= 1


def random_name(prefix: str) -> str:
    """Return a name nobody else uses, short enough to leave room for the names that contain it."""
    return f"{prefix}-{''.join(secrets.choice(_LETTERS) for _ in range(8))}"


def marks(run_id: str = "", fault: str = "") -> dict[str, dict[str, str]]:
    """Return the labels and annotations that namespaces of a run carry."""
    return {
        "labels": ({RUN_ID_LABEL: run_id} if run_id else {}) | ({FAULTY_LABEL: "true"} if fault else {}),
        "annotations": {FAULT_ANNOTATION: fault} if fault else {},
    }


async def create_namespace(
    cluster: Cluster,
    prefix: str,
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Object:
    """Create a namespace under a fresh name and return it; waits while many others wait to be removed."""
    await cluster.removals.room()
    for attempt in range(_NAME_ATTEMPTS):
        metadata = {"name": random_name(prefix), "labels": dict(labels or {}), "annotations": dict(annotations or {})}
        try:
            return await cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        except ConflictError:
            if attempt == _NAME_ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


async def remove_namespace(cluster: Cluster, name: str, *, timeout: float = REMOVAL_SECONDS) -> None:  # noqa: ASYNC109
    """Delete a namespace and wait until it, and so everything in it, is gone.

    Args:
        cluster: Where.
        name: The namespace.
        timeout: Seconds, from its deletion on; where many are removed at once, this waits for its turn before.

    Raises:
        WaitTimeoutError: It is not gone in time; the message tells what keeps it.
    """
    async with cluster.removals.turn():
        await _remove(cluster, name, timeout)


async def _remove(cluster: Cluster, name: str, seconds: float) -> None:
    started = time.monotonic()
    reference = Reference("v1", "Namespace", name)
    try:
        await cluster.remove(reference, timeout=seconds)
    except WaitTimeoutError:
        left = await cluster.get("v1", "Namespace", name)
        if left is None:
            return
        raise WaitTimeoutError(
            f"namespace {name} is still there {time.monotonic() - started:.1f} s after its deletion: {remainder(left)}"
        ) from None


def remainder(namespace: Object) -> str:
    """Say what keeps a namespace from going, by the conditions that its controller writes."""
    told = [
        message or reason
        for kind, status, reason, message in conditions(namespace)
        if status == "True" and kind.startswith("Namespace")
    ]
    return "; ".join(told) or "its controller does not say what is left"


@contextlib.asynccontextmanager
async def namespace(
    cluster: Cluster,
    prefix: str = "check",
    *,
    run_id: str = "",
    fault: str = "",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    timeout: float = REMOVAL_SECONDS,  # noqa: ASYNC109  # of the removal
) -> AsyncIterator[str]:
    """Give a fresh namespace for the duration of a context; at its end it is removed and verified gone.

    Args:
        cluster: Where.
        prefix: Beginning of its name.
        run_id: The run that it belongs to.
        fault: Named misbehaviour that stand-ins show in it.
        labels: Further labels.
        annotations: Further annotations.
        timeout: Seconds that the removal may take.

    Raises:
        WaitTimeoutError: It could not be removed in time.
    """
    own = marks(run_id, fault)
    made = await create_namespace(
        cluster,
        prefix,
        labels={**own["labels"], **(labels or {})},
        annotations={**own["annotations"], **(annotations or {})},
    )
    name = str(made["metadata"]["name"])
    try:
        yield name
    finally:
        await remove_namespace(cluster, name, timeout=timeout)
