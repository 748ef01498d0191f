"""An autoscaler that learns, as checks use it: what it is shown, what it tells of it, what it keeps."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import time
from typing import TYPE_CHECKING, Any

from proving_ground.autoscaling import accuracy
from proving_ground.autoscaling.cadence import at
from proving_ground.autoscaling.scalers import learning_data, status_of
from proving_ground.autoscaling.verification import Autoscaling, in_background
from proving_ground.kube import Reference, Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from proving_ground.autoscaling.cadence import Clock
    from proving_ground.kube import Object

MONDAY = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
"""Day 1 of the mock's week, on which simulated weeks begin."""
SEASON = "seasonal_profiles.json"
"""Key of the ConfigMap that holds the hours of the week."""
ENOUGH = 10
"""Observations of an hour with which it counts as known."""
METADATA = "metadata.json"
"""Key of the ConfigMap that tells what is in it."""
LOOK_AHEAD_MINUTES = 5
HALF_PAST = 30
"""Minute to which an hour is set: far from the next one, however fast the clock runs."""


class Learning(Autoscaling):
    """An autoscaler whose scalers learn; see :class:`~proving_ground.autoscaling.verification.Autoscaling`."""

    async def learner(
        self,
        name: str,
        *,
        mock: str = "learning-metrics",
        begin: float | None = None,
        replicas: int = 1,
        minimum: int = 1,
        maximum: int = 1,
        target: str = "70",
        speed: float | None = None,
        hour: tuple[int, int] | None = None,
        look_ahead: int = LOOK_AHEAD_MINUTES,
        workload: bool = True,
        ready: bool = True,
        **spec: Any,
    ) -> None:
        """Make a workload of a mock, and a scaler that learns from it; it scales nothing unless bounds allow it.

        Args:
            name: Of both.
            mock: Which mock.
            begin: Cache usage that it begins with; the mock's own choice if absent.
            replicas: Pods that it begins with.
            minimum: Least replicas.
            maximum: Most replicas.
            target: Target value of the cache usage.
            speed: How fast a clock of its own runs, where scalers can have one.
            hour: Day and hour that a clock of its own shows, half past; day 1 is the Monday.
            look_ahead: How many minutes predictions look ahead.
            workload: Whether the workload is made, too; it is there already otherwise.
            ready: Whether to wait until the scaler is ready.
            **spec: Further fields of the scaler's spec.
        """
        if workload:
            env = {} if begin is None else {"INITIAL_GPU_CACHE": f"{begin:g}"}
            await self.workload(name, mock=mock, replicas=replicas, env=env)
        clock = None
        if self.has_clock and (speed is not None or hour is not None):
            moment = _half_past(*hour) if hour else dt.datetime.now(dt.UTC)
            clock = at(moment, self.cadence.speed if speed is None else speed)
        prediction = {"enabled": True, "enableLearning": True, "lookAheadMinutes": look_ahead}
        await self.scaler(
            name,
            minimum=minimum,
            maximum=maximum,
            target=target,
            ready=ready,
            clock=clock,
            predictionConfig=prediction,
            **spec,
        )

    def now(self, name: str) -> float:
        """Return what the clock of a scaler shows, in simulated unix seconds."""
        return self._clock_of(name).simulated(time.time())

    async def dismiss(self, name: str) -> None:
        """Delete a scaler, and let what it has learned stay.

        The owner is taken from the ConfigMap before and after, so that nothing depends on the garbage collector: it
        learns of a kind that is new to the cluster late, and would hold an orphaning deletion up until then.
        """
        kept = Reference("v1", "ConfigMap", learning_data(name), self.namespace)
        await self.cluster.patch(kept, {"metadata": {"ownerReferences": None}})
        await self.scalers.delete(name)
        await self.cluster.patch(kept, {"metadata": {"ownerReferences": None}})

    # Showing it things

    def rounds_last(self, count: int) -> float:
        """Return the real seconds that so many rounds last."""
        return count * self.cadence.reconcile

    def look_ahead_rounds(self, speed: float, minutes: int = LOOK_AHEAD_MINUTES) -> int:
        """Return how many rounds predictions look ahead, with a clock of its own that runs so fast."""
        clock_speed = speed if self.has_clock else self.cadence.speed
        return max(1, round(minutes * 60 / clock_speed / self.cadence.reconcile))

    async def ramp(self, name: str, first: float, last: float, *, rounds: int) -> None:
        """Let the cache usage of a workload go from one value to another, evenly, in the time of so many rounds."""
        began, length = time.monotonic(), self.rounds_last(rounds)
        while (part := min(1.0, (time.monotonic() - began) / length)) < 1:
            await self.mocks.set(name, gpu_cache=round(first + (last - first) * part, 3))
            await asyncio.sleep(self.cadence.reconcile / 2)
        await self.mocks.set(name, gpu_cache=last)

    @contextlib.asynccontextmanager
    async def varying(
        self, name: str, values: Sequence[float], *, every: int, once: bool = False
    ) -> AsyncIterator[asyncio.Task[object]]:
        """Set the cache usage of a workload to one value after another while the context lasts.

        Args:
            name: The workload.
            values: The values, again from the first one after the last one.
            every: Rounds for which each holds.
            once: Whether it ends with the last value; await what the context gives to see that.
        """

        async def vary() -> None:
            while True:
                for value in values:
                    await self.mocks.set(name, gpu_cache=round(value, 3))
                    await self._hold(name, every)
                if once:
                    return

        async with in_background(vary()) as task:
            yield task

    async def _hold(self, name: str, rounds: int) -> None:
        """Let so many rounds begin; unlike :meth:`rounds` it does not wait for what follows from the last one."""
        before = sum((await self.mocks.scrapes(name)).values())
        deadline = time.monotonic() + self.cadence.patience(rounds)
        while time.monotonic() < deadline:
            await asyncio.sleep(self.cadence.reconcile / 4)
            pods = await self.mocks.scrapes(name)
            if sum(pods.values()) - before >= rounds * max(1, len(pods)):
                return

    async def at_hour(self, name: str, day: int, hour: int) -> None:
        """Let it be an hour of the simulated week, for a workload and for its scaler; day 1 is the Monday."""
        # In this order: a look in between puts a new value into an hour that is known, not an old one into a new hour.
        await self.mocks.set_time(name, day=day, hour=hour, minute=HALF_PAST)
        await self.clock(name, _half_past(day, hour).isoformat())

    async def play_day(self, name: str, week: int, *, hours: tuple[int, int], speed: float) -> tuple[float, float]:
        """Let some hours of a Monday pass, for a workload and for its scaler.

        Returns:
            When they began and ended by the scaler's clock, in simulated unix seconds.
        """
        first, last = hours
        begin = MONDAY + dt.timedelta(weeks=week, hours=first)
        now = time.time()
        await self.mocks.set_time(name, day=1, hour=first, minute=0, speed=speed, since=now)
        clock = await self.clock(name, begin.isoformat(), speed=speed, unix=now)
        end = clock.start + (last - first) * 3600
        while clock.simulated(time.time()) < end:
            await self._hold(name, 1)
        return clock.start, end

    async def until(self, name: str, *, days: float) -> None:
        """Let the clock of a scaler go on until so many days after it began, however long that takes."""
        end = self.clocks[name][0].start + days * 86400
        while self.now(name) < end:
            await self._hold(name, 1)

    # What it tells

    async def learning(self, name: str, predicate: Callable[[Mapping[str, Any]], bool], what: str) -> dict[str, Any]:
        """Wait until a predicate holds for what a scaler tells of its learning, and return that."""
        limit = self.cadence.patience(60, simulated=600)
        found = await self.scalers.wait_status(
            name, lambda status: predicate(status.get("learningStatus") or {}), what, seconds=limit
        )
        return dict(found["learningStatus"])

    async def data_points(self, name: str, predicate: Callable[[int], bool]) -> int:
        """Wait until a predicate holds for the number of data points, and return it."""
        found = await self.learning(name, lambda s: predicate(int(s.get("dataPointsCollected") or 0)), "data points")
        return int(found["dataPointsCollected"])

    async def pattern(self, name: str, pattern: str) -> None:
        """Wait until a pattern is told."""
        await self.learning(name, lambda s: s.get("detectedPattern") == pattern, f"pattern {pattern}")

    @contextlib.asynccontextmanager
    async def patterns(self, name: str) -> AsyncIterator[list[str]]:
        """Give the patterns that are told while the context lasts, each change once; watched, not sampled."""
        told: list[str] = []

        def take(scaler: Object | None) -> None:
            pattern = (status_of(scaler or {}).get("learningStatus") or {}).get("detectedPattern")
            if pattern and (not told or told[-1] != pattern):
                told.append(pattern)

        async with self.cluster.follow(Target.of(self.scalers.reference(name))) as following:
            following.on_state = lambda _key, obj: take(obj)
            for obj in following.objects:
                take(obj)
            yield told

    async def seasonal_factor(self, name: str) -> float:
        """Return how much more than on average an hour like this one brings, by what is told from now on."""
        now = int((await self.scalers.learning(name)).get("dataPointsCollected") or 0)
        told = await self.learning(name, lambda s: int(s.get("dataPointsCollected") or 0) > now, "news")
        return accuracy.reported(told, "currentSeasonalFactor")

    # What it keeps

    async def memory(self, name: str, *, points: int = 0, since: float = 0.0) -> Object:
        """Wait until the ConfigMap of a scaler is there, and return it.

        Args:
            name: The scaler.
            points: Data points that it has to tell of at least.
            since: Real unix seconds since when it has to be written.
        """

        def holds(found: Object | None) -> bool:
            text = ((found or {}).get("data") or {}).get(METADATA)
            return (
                text is not None
                and int(json.loads(text).get("dataPointCount", 0)) >= points
                and _written(found, self._clock_of(name)) >= since
            )

        reference = Reference("v1", "ConfigMap", learning_data(name), self.namespace)
        limit = self.check.settings.cut(self.cadence.patience(24, simulated=600))
        found = await self.cluster.wait_for(reference, holds, timeout=limit, what="what was learned")
        return found or {}

    async def kept(self, name: str, *, points: int = 0, since: float = 0.0) -> dict[str, Any]:
        """Wait for the ConfigMap as :meth:`memory` does, and return its metadata.json."""
        found = await self.memory(name, points=points, since=since)
        metadata: dict[str, Any] = json.loads(found["data"][METADATA])
        return metadata

    async def rewrite_season(self, name: str, hour: tuple[int, int], observations: int) -> None:
        """Write into the ConfigMap of a scaler that every hour of the week is known but one.

        Args:
            name: The scaler.
            hour: Day and hour; day 1 is the Monday.
            observations: How often that one was seen.
        """
        found = await self.memory(name)
        season = json.loads(found["data"][SEASON])
        level = season["profiles"][0]["mean"]
        missing = (hour[0] - 1) * 24 + hour[1]
        season["profiles"] = [
            {"hourOfWeek": each, "mean": level, "observations": observations if each == missing else ENOUGH}
            for each in range(168)
        ]
        await self.cluster.patch(Reference.of(found), {"data": {SEASON: json.dumps(season)}})

    def _clock_of(self, name: str) -> Clock:
        return (self.clocks.get(name) or [self.cadence.clock])[-1]

    # How good it is

    async def accuracy(self, name: str, *, since: float | None = None, until: float | None = None) -> accuracy.Measured:
        """Measure the predictions of a scaler by what its mock told; the report gets the numbers and a plot.

        Args:
            name: The scaler, and its workload.
            since: Only predictions for this simulated time and later.
            until: Only predictions for this simulated time and earlier.
        """
        found = await self.memory(name, since=time.time())
        clocks = self.clocks.get(name) or [self.cadence.clock]
        history = await self.mocks.history(name)
        measured = accuracy.measure(
            found["data"].get(accuracy.TRACKER, "{}"), history, clocks, since=since, until=until
        )
        for metric, value in measured.metrics().items():
            self.check.metric(metric, value)
        self.check.plot(f"predictions of {name}", measured.series(), x="simulated seconds", y="cache usage")
        return measured


def _half_past(day: int, hour: int) -> dt.datetime:
    return MONDAY + dt.timedelta(days=day - 1, hours=hour, minutes=HALF_PAST)


def _written(found: Object | None, clock: Clock) -> float:
    """Return when a ConfigMap was written, in real unix seconds; 0 if it was not."""
    annotations = ((found or {}).get("metadata") or {}).get("annotations") or {}
    text = annotations.get("scaler.bud.studio/last-updated")
    return clock.real(accuracy.seconds(text)) if text is not None else 0.0
