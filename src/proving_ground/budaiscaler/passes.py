"""One pass over a scaler: what is asked for, what is there, what follows, and what is written."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from proving_ground.budaiscaler import conditions, dcgm, leniency, status
from proving_ground.budaiscaler.autoscalers import Autoscalers
from proving_ground.budaiscaler.clock import CLOCK_ANNOTATION, parse_clock
from proving_ground.budaiscaler.faults import Fault
from proving_ground.budaiscaler.lessons import Lessons
from proving_ground.budaiscaler.pages import PageError
from proving_ground.budaiscaler.recommendation import (
    Recommendation,
    ScaleEvent,
    Seen,
    recommend,
    replicas_for,
    within_bounds,
)
from proving_ground.budaiscaler.sampling import sample
from proving_ground.budaiscaler.scraping import ScrapeError
from proving_ground.budaiscaler.settings import GROUP, PLURAL, VERSION
from proving_ground.budaiscaler.source_spec import full_scale
from proving_ground.budaiscaler.spec import HPA, read_spec
from proving_ground.budaiscaler.status import Report, ScaleRecord
from proving_ground.budaiscaler.tracking import Scene
from proving_ground.budaiscaler.world import PLURALS, WorkloadFact, World, workload_fact
from proving_ground.kube.operator_api import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from proving_ground.budaiscaler.counters import Counters
    from proving_ground.budaiscaler.forecast import Forecast
    from proving_ground.budaiscaler.gpu import GpuReading
    from proving_ground.budaiscaler.scraping import Scraper
    from proving_ground.budaiscaler.settings import Settings
    from proving_ground.budaiscaler.sources import Reader, Reading
    from proving_ground.budaiscaler.spec import ScalerSpec
    from proving_ground.budaiscaler.tracking import Tracked
    from proving_ground.kube.operator_api import Api

Json = Mapping[str, Any]

STALE_FACTOR = 1.5
"""What the fault scales-on-bad-metrics multiplies the last usable value with."""
WRITE_EVERY = 4
"""Passes between two writes of what changes with every pass anyway."""

log = logging.getLogger(__name__)


class Passes:
    """Makes passes; keeps nothing itself."""

    def __init__(
        self,
        api: Api,
        *,
        world: World,
        reader: Reader,
        scraper: Scraper,
        warn: Callable[[Json, str, str], None],
        counters: Counters,
        settings: Settings,
    ) -> None:
        self._api = api
        self._world = world
        self._reader = reader
        self._scraper = scraper
        self._warn = warn
        self._counters = counters
        self._settings = settings
        self._autoscalers = Autoscalers(api)

    async def make(self, tracked: Tracked, *, unix: float, faults: frozenset[str], rivals: Sequence[str]) -> None:
        """Make one pass.

        Args:
            tracked: The scaler.
            unix: The real time.
            faults: The faults that it shows.
            rivals: Other scalers that have its target.

        Raises:
            ApiError: The API server refused something that a later pass may do; also OSError.
        """
        self._read(tracked, faults)
        tracked.remember()
        now = tracked.clock.now(unix)
        report = await self._report(tracked, now, faults, rivals)
        await self._write(tracked, report, now)

    def _read(self, tracked: Tracked, faults: frozenset[str]) -> None:
        metadata = tracked.scaler["metadata"]
        annotations = metadata.get("annotations") or {}
        version = (metadata.get("generation"), annotations, Fault.ACCEPTS_ANYTHING in faults)
        if tracked.read_for == version:
            return
        tracked.read_for, tracked.problem = version, ""
        try:
            text = annotations.get(CLOCK_ANNOTATION)
            tracked.clock = self._settings.clock if text is None else parse_clock(text)
            tracked.spec = read_spec(tracked.scaler)
        except ValueError as error:
            tracked.problem = str(error)
            tracked.spec = leniency.usable_part(tracked.scaler) if Fault.ACCEPTS_ANYTHING in faults else None

    async def _report(self, tracked: Tracked, now: float, faults: frozenset[str], rivals: Sequence[str]) -> Report:
        spec = tracked.spec
        if spec is None:
            return Report(conditions.invalid(tracked.problem))
        if rivals and Fault.CONFLICT_UNNOTICED not in faults:
            return Report(conditions.conflict(rivals))
        workload = await self._target(spec, tracked.scaler["metadata"]["namespace"])
        if workload is None:
            message = f"{spec.target.kind} {spec.target.name} is not there"
            return Report(conditions.target_missing(message), actual=0)
        scene = Scene(tracked, spec, now, faults, workload, self._world.pods(workload))
        if spec.strategy == HPA:
            return await self._autoscalers.follow(scene)
        await self._autoscalers.leave(scene)
        return await self._scale(scene)

    async def _target(self, spec: ScalerSpec, namespace: str) -> WorkloadFact | None:
        kind, name = spec.target.kind, spec.target.name
        known = self._world.workload(kind, namespace, name)
        if known is not None:
            return known
        # ReplicaSets are not watched: each Deployment has some, and hardly any is a target.
        found = await self._api.find(f"/apis/apps/v1/namespaces/{namespace}/{PLURALS[kind]}/{name}")
        if found is None:
            return None
        found.setdefault("kind", kind)
        return workload_fact(found) if kind == "ReplicaSet" else self._world.workload_seen(found)

    async def _scale(self, scene: Scene) -> Report:
        readings, gpu = await asyncio.gather(self._values(scene), self._gpus(scene))
        values = self._usable(scene, readings)
        if values is None:
            problem = next(reading.problem for reading in readings if reading.value is None)
            return await self._keep_bounds(scene, conditions.metrics_unavailable(problem))
        forecast = await self._learn(scene, readings, values)
        decision = recommend(scene.spec, self._seen(scene, values, gpu, forecast))
        report = Report(
            conditions.ready(),
            actual=scene.actual,
            desired=decision.desired,
            parts=self._parts(scene, decision, gpu, forecast),
        )
        return await self._apply(scene, report, decision.desired, decision.algorithm, decision.reason)

    async def _values(self, scene: Scene) -> list[Reading]:
        return await asyncio.gather(*(self._reader.read(source, scene.workload) for source in scene.spec.sources))

    async def _gpus(self, scene: Scene) -> GpuReading | None:
        if not scene.spec.gpu.enabled:
            return None
        metadata = scene.tracked.scaler["metadata"]
        endpoint = (metadata.get("annotations") or {}).get(dcgm.ENDPOINT_ANNOTATION)
        try:
            page = await self._scraper.page(endpoint or dcgm.default_endpoint(metadata["namespace"]), source="dcgm")
            return dcgm.read_gpus(page)
        except (ScrapeError, PageError) as error:
            # GPUs only ever raise the replicas: without them the other metrics decide.
            log.debug("%s/%s: GPUs: %s", metadata["namespace"], metadata["name"], error)
            return None

    def _usable(self, scene: Scene, readings: Sequence[Reading]) -> tuple[float, ...] | None:
        """Return the value of every source, or None where one has none."""
        usable = scene.tracked.usable
        values = []
        for index, (source, reading) in enumerate(zip(scene.spec.sources, readings, strict=True)):
            if reading.value is not None:
                usable[index] = reading.value
                values.append(reading.value)
            elif Fault.SCALES_ON_BAD_METRICS in scene.faults:
                values.append(usable.get(index, source.target) * STALE_FACTOR)
            else:
                return None
        return tuple(values)

    async def _keep_bounds(self, scene: Scene, told: tuple[conditions.Condition, ...]) -> Report:
        """Hold minimum and maximum, which need no metrics."""
        current = scene.workload.replicas
        desired = within_bounds(scene.spec, current, scene.faults)
        report = Report(told, actual=scene.actual, desired=desired)
        reason = "minimum and maximum hold without metrics too"
        return await self._apply(scene, report, desired, scene.spec.strategy, reason)

    async def _learn(self, scene: Scene, readings: Sequence[Reading], values: Sequence[float]) -> Forecast | None:
        spec, tracked = scene.spec, scene.tracked
        if not (spec.prediction.enabled and spec.prediction.learning):
            tracked.lessons = None
            return None
        loop_time = asyncio.get_running_loop().time()
        if tracked.lessons is None:
            tracked.lessons = Lessons(self._api, every=self._settings.keep_seconds, begun=loop_time)
        problem = await tracked.lessons.prepare(tracked.scaler, spec, now=scene.now, faults=scene.faults)
        if problem:
            self._warn(tracked.scaler, "LearningDataBroken", problem)
        index = spec.predicted
        seen = sample(readings[index].pages, full_scale(spec.sources[index]))
        forecast = tracked.lessons.observe(scene.now, seen, values[index], scene.faults)
        await tracked.lessons.keep_up(tracked.scaler, now=scene.now, loop_time=loop_time, faults=scene.faults)
        return forecast

    def _seen(self, scene: Scene, values: tuple[float, ...], gpu: GpuReading | None, forecast: Forecast | None) -> Seen:
        ready = sum(pod.ready for pod in scene.pods)
        # A clock that was set back must not wait for what, by it, is still to come.
        events = [record for record in scene.tracked.history if record.success and record.time <= scene.now]
        last = scene.tracked.last_scale
        return Seen(
            now=scene.now,
            current=scene.workload.replicas,
            ready=ready,
            starting=scene.actual - ready,
            values=values,
            gpu=gpu,
            predicted=forecast,
            last_scale=last if last is not None and last <= scene.now else None,
            events=tuple(ScaleEvent(record.time, record.previous, record.new) for record in events),
            faults=scene.faults,
        )

    def _parts(
        self, scene: Scene, decision: Recommendation, gpu: GpuReading | None, forecast: Forecast | None
    ) -> dict[str, dict[str, Any]]:
        replicas = None
        if forecast is not None:
            replicas = replicas_for(scene.spec, scene.workload.replicas, forecast.value, scene.faults)
        lessons = scene.tracked.lessons
        return {
            "gpuStatus": status.gpu_part(gpu),
            "costStatus": status.cost_part(decision.cost),
            "predictionStatus": status.prediction_part(
                replicas=replicas,
                confidence=None if forecast is None else forecast.confidence,
                hint=decision.hint,
                next_change=decision.next_change,
            ),
            "learningStatus": {} if lessons is None else lessons.status(scene.tracked.scaler, scene.now, scene.faults),
        }

    async def _apply(self, scene: Scene, report: Report, desired: int, algorithm: str, reason: str) -> Report:
        tracked, current = scene.tracked, scene.workload.replicas
        if desired != current and not self._pretends(scene, desired):
            error = ""
            if Fault.DESIRED_WITHOUT_EFFECT not in scene.faults:
                error = await self._write_scale(scene.workload, desired)
            tracked.record(ScaleRecord(scene.now, current, desired, algorithm, reason, success=not error, error=error))
            if error:
                report = replace(report, conditions=conditions.scale_failed(error))
        history = () if Fault.KEEPS_NO_HISTORY in scene.faults else tuple(tracked.history)
        actual = report.desired if Fault.INVENTS_ACTUAL in scene.faults else report.actual
        return replace(report, actual=actual, history=history, last_scale=tracked.last_scale)

    @staticmethod
    def _pretends(scene: Scene, desired: int) -> bool:
        """Return whether a change without effect was told already."""
        history = scene.tracked.history
        return Fault.DESIRED_WITHOUT_EFFECT in scene.faults and bool(history) and history[-1].new == desired

    async def _write_scale(self, workload: WorkloadFact, replicas: int) -> str:
        """Scale a workload; return why it could not be."""
        self._counters.wrote("scale")
        try:
            written = await self._api.merge(f"{workload.path}/scale", {"spec": {"replicas": replicas}})
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                self._world.workload_gone(workload.kind, workload.namespace, workload.name)
            return error.message
        except (TimeoutError, OSError) as error:
            return str(error) or type(error).__name__
        self._world.scaled(workload, replicas, written)
        return ""

    async def _write(self, tracked: Tracked, report: Report, now: float) -> None:
        metadata, stored = tracked.scaler["metadata"], tracked.scaler.get("status") or {}
        whole = status.wanted(report, stored, generation=metadata.get("generation", 1), now=now)
        patch = status.changes(stored, whole)
        tracked.quiet += 1
        if not patch or (not status.is_urgent(patch) and tracked.quiet < WRITE_EVERY):
            return
        tracked.quiet = 0
        self._counters.wrote("status")
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{metadata['namespace']}/{PLURAL}/{metadata['name']}/status"
        try:
            written = await self._api.merge(path, {"metadata": {"uid": metadata["uid"]}, "status": patch})
        except ApiError as error:
            if error.status == HTTPStatus.CONFLICT:  # the name now belongs to another object
                return
            raise
        tracked.take(written)
