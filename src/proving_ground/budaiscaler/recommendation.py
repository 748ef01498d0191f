"""How many replicas a scaler should have: one decision, from what was seen and nothing else.

The order is: metrics, GPU, prediction, schedule; cost; minimum and maximum; rate and policies; starting pods;
stabilization. Whatever these say, the result is within the minimum and the maximum.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from proving_ground.budaiscaler.cost import CostReport, cost_ceiling, cost_report
from proving_ground.budaiscaler.faults import Fault
from proving_ground.budaiscaler.gpu import GpuReading, gpu_ratio, is_preferred
from proving_ground.budaiscaler.limits import (
    ScaleEvent,
    gate_is_shut,
    is_stabilizing,
    limit_policies,
    limit_rate,
    round_half_up,
    round_up,
)
from proving_ground.budaiscaler.schedule import Hint, active_hint, next_change
from proving_ground.budaiscaler.spec import KPA, ScalerSpec
from proving_ground.budaiscaler.strategies import KPA_DOWN_RATE, KPA_UP_RATE, direction, formula, ratio_of

if TYPE_CHECKING:
    from proving_ground.budaiscaler.forecast import Forecast

__all__ = ["GpuReading", "Recommendation", "ScaleEvent", "Seen", "bounds", "recommend", "replicas_for", "within_bounds"]

PREDICTION_CONFIDENCE = 0.7
"""A forecast of less confidence does not count."""
PREDICTION_WEIGHT = 0.3
"""What a forecast of full confidence counts beside the metrics."""
ABOVE_MAXIMUM = 2
"""Replicas that the fault exceeds-max allows above the maximum."""


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """All that one decision is made from."""

    now: float
    """Unix seconds of the scaler's clock, as all times here."""
    current: int
    """Replicas that the target asks for."""
    ready: int
    starting: int
    """Pods that are there and not ready yet."""
    values: tuple[float, ...]
    """One for each source of the spec, in its order."""
    gpu: GpuReading | None = None
    predicted: Forecast | None = None
    last_scale: float | None = None
    events: tuple[ScaleEvent, ...] = ()
    """Newest last."""
    faults: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True)
class Recommendation:
    """A decision and why."""

    desired: int
    reason: str
    """One sentence."""
    algorithm: str
    """The scaler's strategy."""
    unlimited: int
    """What metrics, GPU, prediction and schedule ask for."""
    limits: tuple[str, ...]
    """What held it back, in order: gpu type, cost, min, max, rate, policy, starting pods, stabilization."""
    hint: str
    """Name of the active schedule hint; empty without one."""
    next_change: float | None
    """When a schedule hint begins or ends next."""
    cost: CostReport | None
    panic: bool


def recommend(spec: ScalerSpec, seen: Seen) -> Recommendation:
    """Decide on the replicas of a scaler whose strategy is BudScaler or KPA.

    Args:
        spec: The scaler.
        seen: What is there; as many values as the spec has sources.

    Raises:
        ValueError: The number of values is not that of the sources.
    """
    decision = _Decision(spec, seen)
    decision.ask()
    unlimited = decision.replicas
    decision.limit()
    return Recommendation(
        desired=decision.replicas,
        reason=decision.reason(),
        algorithm=spec.strategy,
        unlimited=unlimited,
        limits=tuple(decision.limits),
        hint=decision.hint.name if decision.hint else "",
        next_change=next_change(spec.hints, seen.now),
        cost=cost_report(spec.cost, seen.current),
        panic=decision.panic,
    )


def replicas_for(spec: ScalerSpec, current: int, value: float, faults: frozenset[str] = frozenset()) -> int:
    """Return what a value of the forecast source asks for by the scaler's strategy, within minimum and maximum."""
    return within_bounds(spec, _asked(spec, current, current, value, spec.predicted, faults), faults)


def bounds(spec: ScalerSpec, faults: frozenset[str] = frozenset()) -> tuple[int, int]:
    """Return the least and the most replicas; faults move them."""
    # Below a minimum of 1 there is nothing left to look at, so that this would be many faults at once.
    below = Fault.GOES_BELOW_MIN in faults and spec.minimum > 1
    least = spec.minimum - 1 if below else spec.minimum
    return least, spec.maximum + ABOVE_MAXIMUM if Fault.EXCEEDS_MAX in faults else spec.maximum


def within_bounds(spec: ScalerSpec, replicas: int, faults: frozenset[str] = frozenset()) -> int:
    """Return the number within minimum and maximum that is nearest."""
    least, most = bounds(spec, faults)
    return min(max(replicas, least), most)


def _tolerances(spec: ScalerSpec, faults: frozenset[str]) -> tuple[float, float]:
    return (0.0, 0.0) if Fault.IGNORES_TOLERANCE in faults else (spec.up.tolerance, spec.down.tolerance)


def _asked(spec: ScalerSpec, current: int, counted: float, value: float, source: int, faults: frozenset[str]) -> int:
    """Return what a source asks for; ``counted`` replicas carry the load when it is too much for them."""
    ratio = ratio_of(value, spec.sources[source].target)
    if current == 0:
        return formula(spec, 0, ratio)
    way = direction(ratio, *_tolerances(spec, faults))
    if way > 0:
        return max(current, formula(spec, counted, ratio))
    return min(current, formula(spec, current, ratio)) if way < 0 else current


class _Decision:
    """A number of replicas on its way from what is asked to what is allowed."""

    def __init__(self, spec: ScalerSpec, seen: Seen) -> None:
        self._spec = spec
        self._seen = seen
        self._faults = seen.faults
        ratios = [ratio_of(v, s.target) for v, s in zip(seen.values, spec.sources, strict=True)]
        self._ratio = max(ratios)
        self._leading = ratios.index(self._ratio)
        self._raised: list[str] = []
        never = Fault.NEVER_PANICS in seen.faults
        self.panic = spec.strategy == KPA and not never and self._ratio >= spec.panic_threshold
        self.hint: Hint | None = active_hint(spec.hints, seen.now)
        self.limits: list[str] = []
        self.replicas = seen.current

    def ask(self) -> None:
        """Find what is asked for, before any limit."""
        spec, seen = self._spec, self._seen
        counted = self._counted()
        self.replicas = max(
            _asked(spec, seen.current, counted, value, source, self._faults) for source, value in enumerate(seen.values)
        )
        self._ask_gpu()
        self._blend_prediction()
        if self.hint and Fault.IGNORES_SCHEDULE not in self._faults and self.hint.replicas > self.replicas:
            self.replicas = self.hint.replicas
            self._raised.append(f"schedule hint {self.hint.name}")

    def limit(self) -> None:
        """Hold it back as far as the scaler says."""
        spec, faults = self._spec, self._faults
        ceiling = None if Fault.IGNORES_COST in faults else cost_ceiling(spec.cost)
        if ceiling is not None:
            self._limit_to("cost", min(self.replicas, ceiling))
        if self._sinks_below_minimum():
            self.replicas = bounds(spec, faults)[0]
        self._bound()
        self._hold_back()
        self._bound()
        if Fault.NEVER_SCALES_UP in faults:
            self.replicas = min(self.replicas, self._seen.current)
        if Fault.NEVER_SCALES_DOWN in faults:
            self.replicas = max(self.replicas, self._seen.current)

    def reason(self) -> str:
        """Say in one sentence what was asked and what came of it."""
        source, value = self._spec.sources[self._leading], self._seen.values[self._leading]
        text = f"{source.metric or 'the query'} is {value:g} at a target of {source.target:g}"
        if self.panic:
            text += ", panic"
        if self._raised:
            text += f", changed by {' and '.join(self._raised)}"
        before, after = self._seen.current, self.replicas
        text += f": {before} to {after} replicas" if before != after else f": {after} replicas stay"
        return text + (f", limited by {' and '.join(self.limits)}" if self.limits else "")

    def _counted(self) -> float:
        weight = self._spec.starting.weight
        if weight is None or Fault.IGNORES_STARTING_PODS in self._faults:
            return self._seen.current
        ready = min(max(self._seen.ready, 0), self._seen.current)
        return ready + weight * (self._seen.current - ready)

    def _ask_gpu(self) -> None:
        gpu, reading, current = self._spec.gpu, self._seen.gpu, self._seen.current
        if not gpu.enabled or reading is None or Fault.IGNORES_GPU in self._faults:
            return
        if not is_preferred(gpu, reading):
            self.limits.append("gpu type")
            return
        ratio = min(gpu_ratio(gpu, reading), float(current + self._spec.maximum))
        within = direction(ratio, *_tolerances(self._spec, self._faults)) == 0
        asked = current if within else round_up(current * ratio)
        if asked > self.replicas:
            self.replicas = asked
            self._raised.append("gpu")

    def _blend_prediction(self) -> None:
        forecast, spec = self._seen.predicted, self._spec
        if forecast is None or not spec.prediction.enabled or Fault.IGNORES_PREDICTION in self._faults:
            return
        if not PREDICTION_CONFIDENCE <= forecast.confidence <= 1 or not math.isfinite(forecast.value):
            return
        asked = _asked(spec, self._seen.current, self._seen.current, forecast.value, spec.predicted, self._faults)
        weight = PREDICTION_WEIGHT * forecast.confidence
        blended = self.replicas * (1 - weight) + asked * weight
        rounded = round_up(blended) if asked > self.replicas else round_half_up(blended)
        if rounded != self.replicas:
            self.replicas = rounded
            self._raised.append("prediction")

    def _bound(self) -> None:
        least, most = bounds(self._spec, self._faults)
        if self.replicas < least:
            self._limit_to("min", least)
        if self.replicas > most:
            self._limit_to("max", most)

    def _sinks_below_minimum(self) -> bool:
        if Fault.GOES_BELOW_MIN not in self._faults or self.replicas > self._spec.minimum:
            return False
        return direction(self._ratio, *_tolerances(self._spec, self._faults)) < 0

    def _hold_back(self) -> None:
        """Apply what holds back the direction that it goes."""
        spec, seen, faults = self._spec, self._seen, self._faults
        if self.replicas == seen.current:
            return
        up = self.replicas > seen.current
        behavior = spec.up if up else spec.down
        if Fault.IGNORES_POLICIES not in faults:
            self._limit_change(up=up)
        gate_counts = Fault.IGNORES_STARTING_PODS not in faults and not (self.panic and spec.starting.bypass_on_panic)
        if up and gate_counts and gate_is_shut(spec.starting, seen.current, seen.starting):
            self._limit_to("starting pods", seen.current)
        window = 0.0 if Fault.IGNORES_STABILIZATION in faults else behavior.window
        if is_stabilizing(window, seen.last_scale, seen.now):
            self._limit_to("stabilization", seen.current)

    def _limit_change(self, *, up: bool) -> None:
        seen, behavior = self._seen, self._spec.up if up else self._spec.down
        if up and self.panic and behavior.select != "Disabled":
            return
        rate = behavior.rate
        if rate is None and self._spec.strategy == KPA:
            rate = KPA_UP_RATE if up else KPA_DOWN_RATE
        if rate is not None:
            self._limit_to("rate", limit_rate(rate, seen.current, self.replicas))
        self._limit_to("policy", limit_policies(behavior, seen.current, self.replicas, seen.events, seen.now))

    def _limit_to(self, name: str, replicas: int) -> None:
        if replicas != self.replicas:
            self.replicas = replicas
            if name not in self.limits:
                self.limits.append(name)
