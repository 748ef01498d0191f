"""What one scaler learns: fed with every pass, kept in its ConfigMap, read back after a restart."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from proving_ground.budaiscaler import learning_data
from proving_ground.budaiscaler.faults import Fault
from proving_ground.budaiscaler.learning import Learner, LearningSettings
from proving_ground.budaiscaler.source_spec import full_scale

if TYPE_CHECKING:
    from proving_ground.budaiscaler.forecast import Forecast
    from proving_ground.budaiscaler.learning import Sample
    from proving_ground.budaiscaler.spec import ScalerSpec
    from proving_ground.kube.operator_api import Api

Json = Mapping[str, Any]

log = logging.getLogger(__name__)


def settings_of(spec: ScalerSpec) -> LearningSettings:
    """Return what a scaler's spec says about learning."""
    source = spec.sources[spec.predicted]
    return LearningSettings(
        look_ahead_minutes=spec.prediction.look_ahead_minutes,
        historical_days=spec.prediction.historical_days,
        target=source.target,
        scale=full_scale(source),
        metric=source.metric,
    )


class Lessons:
    """The learner of one scaler and its ConfigMap.

    Args:
        api: Requests to the API server.
        every: Real seconds between two calibrations, and between two times that the data are kept.
        begun: When it begins, by the event loop's clock.
    """

    def __init__(self, api: Api, *, every: float, begun: float) -> None:
        self._api = api
        self._every = every
        self._next = begun + every
        self._learner: Learner | None = None
        self._settings: LearningSettings | None = None
        self._leftover: dict[str, str] = {}
        self._stored = ""
        self._owns = False

    async def prepare(self, scaler: Json, spec: ScalerSpec, *, now: float, faults: frozenset[str]) -> str:
        """Have a learner for the spec as it is now; the first time with what was kept.

        Returns:
            What was wrong with the data that were kept; empty where nothing was.

        Raises:
            ApiError: The ConfigMap could not be read, or OSError; nothing is learned until it can.
        """
        settings = settings_of(spec)
        if self._learner is None:
            return await self._begin(scaler, settings, faults)
        if settings != self._settings:
            # The data that were written a moment ago are always readable.
            self._learner = Learner.restore(settings, self._learner.dump(now))
            self._settings = settings
        return ""

    async def _begin(self, scaler: Json, settings: LearningSettings, faults: frozenset[str]) -> str:
        metadata = scaler["metadata"]
        kept = None
        if Fault.FORGETS_AFTER_RESTART not in faults:
            kept = await learning_data.load(self._api, metadata["namespace"], metadata["name"])
        problem = ""
        self._settings, self._learner = settings, None
        if kept is not None:
            try:
                self._learner = Learner.restore(settings, kept)
                self._stored = learning_data.size_text(kept)
            except ValueError as error:
                problem = str(error)
                self._leftover = learning_data.broken(kept)
                log.warning("%s/%s: %s; it learns anew", metadata["namespace"], metadata["name"], error)
        if self._learner is None:
            self._learner = Learner(settings)
        return problem

    def observe(self, now: float, sample: Sample, value: float, faults: frozenset[str]) -> Forecast | None:
        """Learn from one pass; return what is expected."""
        if self._learner is None:
            return None
        self._learner.observe(now, sample, value, faults=faults)
        return self._learner.forecast(now, faults=faults)

    def status(self, scaler: Json, now: float, faults: frozenset[str]) -> dict[str, Any]:
        """Return ``status.learningStatus``."""
        if self._learner is None:
            return {}
        part = dict(self._learner.status(now, faults=faults))
        if self._stored:
            part |= {"configMapName": learning_data.name_of(scaler["metadata"]["name"]), "storageUsed": self._stored}
        return part

    async def keep_up(self, scaler: Json, *, now: float, loop_time: float, faults: frozenset[str]) -> None:
        """Calibrate and keep the data, where it is time.

        Raises:
            ApiError: The data could not be written, or OSError.
        """
        if self._learner is None or loop_time < self._next:
            return
        self._next = max(self._next + self._every, loop_time)
        if Fault.NEVER_CALIBRATES not in faults:
            self._learner.calibrate(now)
        await self.keep(scaler, now=now, faults=faults)

    async def keep(self, scaler: Json, *, now: float, faults: frozenset[str]) -> None:
        """Write what was learned to the ConfigMap.

        Raises:
            ApiError: The API server refused, or OSError where it cannot be reached.
        """
        if self._learner is None or Fault.PERSISTS_NOTHING in faults:
            return
        data = self._learner.dump(now)
        await learning_data.save(self._api, scaler, {**data, **self._leftover}, now=now, take_over=not self._owns)
        self._owns = True
        self._stored = learning_data.size_text(data)
