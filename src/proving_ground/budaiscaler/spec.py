"""What a BudAIScaler asks for: the fields of its spec and its annotations that something acts on, read and checked."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from proving_ground.budaiscaler.behavior import (
    Behavior,
    StartingPods,
    read_down,
    read_panic_threshold,
    read_starting,
    read_up,
)
from proving_ground.budaiscaler.cost import Cost, read_cost
from proving_ground.budaiscaler.fields import Fields, SpecError
from proving_ground.budaiscaler.gpu import Gpu, read_gpu
from proving_ground.budaiscaler.schedule import Hint, read_hints
from proving_ground.budaiscaler.source_spec import Source, read_source

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Prediction", "ScalerSpec", "Source", "SpecError", "Target", "read_spec"]

BUDSCALER, KPA, HPA = "BudScaler", "KPA", "HPA"
STRATEGIES = (HPA, KPA, BUDSCALER)
KINDS = ("Deployment", "StatefulSet", "ReplicaSet")
API_VERSION = "apps/v1"

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """The workload that is scaled; its API version is `API_VERSION`."""

    kind: str
    """One of `KINDS`."""
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Prediction:
    """What is forecast, and from what."""

    enabled: bool = False
    learning: bool = True
    look_ahead_minutes: int = 15
    historical_days: int = 7
    metrics: tuple[str, ...] = ()
    seasonal_metrics: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class ScalerSpec:
    """A scaler that can be followed."""

    target: Target
    minimum: int
    maximum: int
    sources: tuple[Source, ...]
    """At least one."""
    strategy: str
    """One of `STRATEGIES`."""
    up: Behavior
    down: Behavior
    starting: StartingPods
    gpu: Gpu
    cost: Cost
    prediction: Prediction
    hints: tuple[Hint, ...]
    panic_threshold: float
    """Ratio of value to target."""

    @property
    def predicted(self) -> int:
        """Index of the source that is learned and forecast: the first that predictionMetrics names, else the first."""
        named = (i for i, source in enumerate(self.sources) if source.metric in self.prediction.metrics)
        return next(named, 0)


def read_spec(scaler: Mapping[str, Any]) -> ScalerSpec:
    """Read a BudAIScaler.

    Args:
        scaler: The object as the API server stores it, with its metadata.

    Raises:
        SpecError: Something in it cannot be followed; the message names the field and what was found.
    """
    spec = Fields("spec", scaler.get("spec"))
    annotations = Fields("metadata", scaler.get("metadata")).part("annotations")
    _refuse_unsupported(spec)
    minimum, maximum = spec.whole("minReplicas", 1, 0), spec.whole("maxReplicas", None, 1)
    if minimum > maximum:
        spec.fail("minReplicas", f"at most maxReplicas, which is {maximum}")
    sources = tuple(read_source(part) for part in spec.parts("metricsSources"))
    if not sources:
        spec.fail("metricsSources", "at least one source")
    behavior = spec.part("behavior")
    return ScalerSpec(
        target=_target(spec.part("scaleTargetRef")),
        minimum=minimum,
        maximum=maximum,
        sources=sources,
        strategy=spec.choice("scalingStrategy", STRATEGIES, BUDSCALER),
        up=read_up(behavior.part("scaleUp"), annotations),
        down=read_down(behavior.part("scaleDown"), annotations),
        starting=read_starting(behavior.part("scaleUp").part("startingPods")),
        gpu=read_gpu(spec.part("gpuConfig")),
        cost=read_cost(spec.part("costConfig")),
        prediction=_prediction(spec.part("predictionConfig")),
        hints=read_hints(spec.parts("scheduleHints")),
        panic_threshold=read_panic_threshold(annotations),
    )


def _refuse_unsupported(spec: Fields) -> None:
    if spec.part("multiClusterConfig").flag("enabled", default=False):
        raise SpecError(
            "spec.multiClusterConfig.enabled: multi-cluster scaling needs a second cluster, "
            "which this controller does not have, found true"
        )
    role = spec.part("subTargetSelector")
    if role.text("roleName", ""):
        role.fail("roleName", "none, because the targets that can be scaled have no roles")


def _target(fields: Fields) -> Target:
    kind = fields.choice("kind", KINDS)
    fields.choice("apiVersion", (API_VERSION,))
    name = fields.text("name")
    if not _NAME.fullmatch(name):
        fields.fail("name", "the name of an object")
    return Target(kind, name)


def _prediction(fields: Fields) -> Prediction:
    return Prediction(
        enabled=fields.flag("enabled", default=False),
        learning=fields.flag("enableLearning", default=True),
        look_ahead_minutes=fields.whole("lookAheadMinutes", 15, 5, 60),
        historical_days=fields.whole("historicalDataDays", 7, 1, 90),
        metrics=fields.texts("predictionMetrics"),
        seasonal_metrics=fields.texts("seasonalMetrics"),
    )
