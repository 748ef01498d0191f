"""Every change of a scaler and of its target, as the API server tells it: watched, not sampled."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from proving_ground.autoscaling.scalers import KIND, VERSION, status_of, target_of
from proving_ground.autoscaling.workloads import is_alive, is_ready, selector
from proving_ground.kube import Reference, Target, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from proving_ground.kube import Cluster, Object
    from proving_ground.kube.following import Key
    from proving_ground.plugin.check_run import CheckRun

What = Literal["replicas", "desired", "actual", "pods", "ready"]
"""``replicas``: of the target's spec; ``desired`` and ``actual``: of the scaler's status; ``pods``: alive;
``ready``: alive and ready."""
DECIDED: tuple[What, ...] = ("replicas", "desired")
"""What the autoscaler decides by itself; pods follow."""


@dataclass(frozen=True, slots=True)
class Change:
    """A number that changed.

    Attributes:
        time: When it was seen, in real unix seconds.
        what: Which number.
        value: What it became.
    """

    time: float
    what: What
    value: int


class Seen:
    """What was seen so far; each change once, in the order in which it was told.

    Args:
        subject: Namespace and name of the target, for messages.
        check: Gets a note on the timeline for each scaling.
    """

    def __init__(self, subject: str, check: CheckRun) -> None:
        self.subject = subject
        self._check = check
        self._changes: list[Change] = []
        self._last: dict[What, int] = {}
        self._news = asyncio.Event()
        self._pods: dict[Key, Object] = {}

    # Taking in what is told

    def scaler(self, obj: Object | None) -> None:
        """Take in a state of the scaler."""
        status = status_of(obj or {})
        for what, field in (("desired", "desiredScale"), ("actual", "actualScale")):
            if status.get(field) is not None:
                self._take(what, int(status[field]))  # type: ignore[arg-type]  # the two literals above

    def target(self, obj: Object | None) -> None:
        """Take in a state of the target."""
        if obj is not None:
            before = self._last.get("replicas")
            replicas = int(obj["spec"].get("replicas", 1))
            self._take("replicas", replicas)
            if before is not None and before != replicas:
                self._check.note("scale", self.subject, f"{before} -> {replicas}")

    def pod(self, key: Key, obj: Object | None) -> None:
        """Take in a state of a pod, None where it is gone."""
        if obj is None:
            self._pods.pop(key, None)
        else:
            self._pods[key] = obj
        self.pods(list(self._pods.values()))

    def pods(self, objects: Sequence[Object]) -> None:
        """Take in all pods at once."""
        self._take("pods", sum(is_alive(pod) for pod in objects))
        self._take("ready", sum(is_ready(pod) for pod in objects))

    def begin_pods(self, objects: Sequence[Object]) -> None:
        """Take in the pods that there are at the beginning."""
        self._pods = {(str(o["metadata"].get("namespace", "")), str(o["metadata"]["name"])): o for o in objects}
        self.pods(objects)

    def _take(self, what: What, value: int) -> None:
        if self._last.get(what) != value:
            self._last[what] = value
            self._changes.append(Change(time.time(), what, value))
            self._news.set()

    # Asking

    def changes(self, what: What = "replicas") -> list[Change]:
        """Return the changes of a number; the first is what it was at the beginning."""
        return [change for change in self._changes if change.what == what]

    def values(self, what: What = "replicas") -> list[int]:
        """Return the values that a number had, in their order; no two neighbours are equal."""
        return [change.value for change in self.changes(what)]

    def steps(self, what: What = "replicas") -> list[tuple[int, int]]:
        """Return each step of a number: from which value to which."""
        return list(itertools.pairwise(self.values(what)))

    def highest(self, what: What = "replicas") -> int:
        """Return the highest value that a number had.

        Raises:
            AssertionError: It was not seen.
        """
        self.last(what)
        return max(self.values(what))

    def lowest(self, what: What = "replicas") -> int:
        """Return the lowest value that a number had.

        Raises:
            AssertionError: It was not seen.
        """
        self.last(what)
        return min(self.values(what))

    def last(self, what: What = "replicas") -> int:
        """Return the value that a number has now.

        Raises:
            AssertionError: It was not seen yet.
        """
        if what not in self._last:
            raise AssertionError(f"{self.subject}: no {what} was seen")
        return self._last[what]

    def series(self, what: What = "replicas", *, start: float | None = None) -> list[tuple[float, float]]:
        """Return the points of a step curve, for a plot: seconds since the beginning (or a moment), and the value."""
        begin = start if start is not None else (self._changes[0].time if self._changes else time.time())
        points: list[tuple[float, float]] = []
        for change in self.changes(what):
            if points:
                points.append((change.time - begin, points[-1][1]))
            points.append((change.time - begin, float(change.value)))
        if points:
            points.append((time.time() - begin, points[-1][1]))
        return points

    def never_above(self, bound: int, what: Sequence[What] = DECIDED) -> None:
        """Check that numbers were at no moment above a bound."""
        self._bounded([c for c in self._changes if c.what in what and c.value > bound], f"never above {bound}", what)

    def never_below(self, bound: int, what: Sequence[What] = DECIDED) -> None:
        """Check that numbers were at no moment below a bound."""
        self._bounded([c for c in self._changes if c.what in what and c.value < bound], f"never below {bound}", what)

    def unchanged(self, what: Sequence[What] = DECIDED) -> None:
        """Check that numbers kept the value that they had at the beginning."""
        self._bounded([c for name in what for c in self.changes(name)[1:]], "no change", what)

    def _bounded(self, offending: Sequence[Change], expected: str, what: Sequence[What]) -> None:
        if not any(name in self._last for name in what):
            raise AssertionError(f"{self.subject}: no {what[0]} was seen, so that nothing can be said of it")
        if offending:
            first = offending[0]
            raise AssertionError(
                f"{self.subject}: expected {expected}, found {first.what} {first.value}\n{self.told()}"
            )

    def told(self) -> str:
        """Return everything that was seen, in lines: seconds, number, value."""
        begin = self._changes[0].time if self._changes else 0.0
        return "\n".join(f"  {c.time - begin:8.3f} s  {c.what} {c.value}" for c in self._changes[-60:])

    # Waiting

    async def until(self, predicate: Callable[[Seen], bool], what: str, *, seconds: float) -> None:
        """Wait until a predicate holds; it is asked after each change.

        Args:
            predicate: Tells whether the wait is over.
            what: What is waited for, for the message.
            seconds: Real seconds, cut to the check's limit.

        Raises:
            WaitTimeoutError: It did not hold in time; the message tells everything that was seen.
        """
        limit = self._check.settings.cut(seconds)
        try:
            async with asyncio.timeout(limit):
                while not predicate(self):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise WaitTimeoutError(f"{self.subject}: waited {limit:.1f} s for {what}; seen:\n{self.told()}") from None

    async def until_value(self, what: What, value: int, *, seconds: float) -> None:
        """Wait until a number has a value."""
        await self.until(lambda _: self._last.get(what) == value, f"{what} {value}", seconds=seconds)

    async def settled(self, quiet: float, *, seconds: float, what: Sequence[What] = DECIDED) -> None:
        """Wait until numbers have not changed for a time.

        Args:
            quiet: Real seconds without a change.
            seconds: Real seconds to wait at most; `quiet` comes on top where the check's limit cuts it.
            what: Which numbers.

        Raises:
            WaitTimeoutError: They went on changing.
        """
        deadline = time.monotonic() + self._check.settings.cut(seconds) + quiet
        count = -1
        while (now := sum(change.what in what for change in self._changes)) != count:
            if time.monotonic() > deadline:
                raise WaitTimeoutError(f"{self.subject}: still changes after {seconds:.1f} s:\n{self.told()}")
            count = now
            await self._quiet(quiet, what, count)

    async def _quiet(self, quiet: float, what: Sequence[What], count: int) -> None:
        """Wait until a time is over, or one of the numbers changes."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(quiet):
                while sum(change.what in what for change in self._changes) == count:
                    self._news.clear()
                    await self._news.wait()


@contextlib.asynccontextmanager
async def watched(
    cluster: Cluster,
    check: CheckRun,
    scaler: str,
    namespace: str,
    *,
    target: Reference | None = None,
    pods: bool = True,
) -> AsyncIterator[Seen]:
    """Watch a scaler, its target and the target's pods while the context lasts.

    Args:
        cluster: The cluster.
        check: The check; gets a note on the timeline for each scaling.
        scaler: Name of the scaler; it may come later where the target is named.
        namespace: Where they are.
        target: The workload; if absent what the scaler names.
        pods: Whether its pods are watched, too, which costs the more the more pods the cluster has.

    Raises:
        AssertionError: There is no such target, or no such scaler that would name it.
    """
    target = target or await _target_of(cluster, scaler, namespace)
    workload = await cluster.get(target.api_version, target.kind, target.name, target.namespace)
    if workload is None:
        raise AssertionError(f"there is no {target}")
    seen = Seen(f"{target.namespace}/{target.name}", check)
    async with contextlib.AsyncExitStack() as stack:
        following = await stack.enter_async_context(cluster.follow(Target.of(target)))
        following.on_state = lambda _key, obj: seen.target(obj)
        for obj in following.objects:
            seen.target(obj)
        following = await stack.enter_async_context(cluster.follow(Target(VERSION, KIND, namespace, scaler)))
        following.on_state = lambda _key, obj: seen.scaler(obj)
        for obj in following.objects:
            seen.scaler(obj)
        if pods:
            selected = Target("v1", "Pod", target.namespace, labels=selector(workload))
            following = await stack.enter_async_context(cluster.follow(selected))
            following.on_state = seen.pod
            seen.begin_pods(following.objects)
        yield seen


async def _target_of(cluster: Cluster, scaler: str, namespace: str) -> Reference:
    found = await cluster.get(VERSION, KIND, scaler, namespace)
    if found is None:
        raise AssertionError(f"there is no {KIND} {namespace}/{scaler}")
    return target_of(found)
