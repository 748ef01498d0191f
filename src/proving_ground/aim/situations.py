"""Which situation a service is in: the first that matches, in the engine's own order."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

from proving_ground.aim.faults import SECONDS_UNTIL, Fault

if TYPE_CHECKING:
    from proving_ground.aim.observation import Observation

KSERVE_NAME_LIMIT = 63
"""KServe puts ``name-namespace`` into one DNS label (RFC 1123: 63 characters)."""


class Situation(enum.Enum):
    """What a service's status tells about."""

    RECONCILE_ERROR = enum.auto()
    NAME_TOO_LONG = enum.auto()
    RUNTIME_CONFIG_MISSING = enum.auto()
    IMAGE_MISSING = enum.auto()
    MODEL_MISSING = enum.auto()
    PATH_INVALID = enum.auto()
    TEMPLATE_MISSING = enum.auto()
    UNOPTIMIZED_REFUSED = enum.auto()
    CACHE_FAILED = enum.auto()
    PULL_REFUSED = enum.auto()
    PULL_ERROR = enum.auto()
    RUNTIME_FAILED = enum.auto()
    STARTING = enum.auto()
    GATEWAY_MISSING = enum.auto()
    RUNNING = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """A situation and a sentence about it for people."""

    situation: Situation
    message: str


def diagnose(seen: Observation) -> Finding:
    """Return the situation of a service, with the faults that it is under.

    The order is the engine's: what stands in the way of a workload comes before what its pods say.
    A pod that failed is told before "not ready", of which it is the cause.
    """
    finding = _before_workload(seen) or _of_workload(seen)
    return _with_faults(seen, finding)


def allows_workload(seen: Observation) -> bool:
    """Return whether the engine goes on to create the workload."""
    return _before_workload(seen) is None


def _before_workload(seen: Observation) -> Finding | None:
    return _of_environment(seen) or _of_model(seen) or _of_template(seen)


def _of_environment(seen: Observation) -> Finding | None:
    length = len(seen.name) + 1 + len(seen.namespace)
    if seen.reconcile_error:
        return Finding(Situation.RECONCILE_ERROR, seen.reconcile_error)
    if length > KSERVE_NAME_LIMIT:
        text = f"name and namespace make {length} characters, KServe allows {KSERVE_NAME_LIMIT}"
        return Finding(Situation.NAME_TOO_LONG, text)
    if not seen.runtime_config_found:
        text = f"runtime config {seen.runtime_config!r} not found in the namespace or the cluster"
        return Finding(Situation.RUNTIME_CONFIG_MISSING, text)
    return None


def _of_model(seen: Observation) -> Finding | None:
    if seen.entry is None:
        if seen.by_image:
            return Finding(Situation.IMAGE_MISSING, f"image {seen.reference!r} not found in its registry")
        return Finding(Situation.MODEL_MISSING, f"model {seen.reference!r} not found")
    if seen.routing.enabled and seen.routing.path_error:
        return Finding(Situation.PATH_INVALID, seen.routing.path_error)
    return None


def _of_template(seen: Observation) -> Finding | None:
    if seen.template_problem:
        return Finding(Situation.TEMPLATE_MISSING, seen.template_problem)
    if seen.unoptimized_refused:
        text = "no template can be selected: the only one is unoptimized, and spec.template.allowUnoptimized is not set"
        return Finding(Situation.UNOPTIMIZED_REFUSED, text)
    if seen.cache_requested and seen.token_problem:
        return Finding(Situation.CACHE_FAILED, f"the model download failed: {seen.token_problem}")
    return None


def _of_workload(seen: Observation) -> Finding:
    pods = seen.workload
    if seen.pull_problem:
        return Finding(Situation.PULL_REFUSED, seen.pull_problem)
    if pods.pull_error:
        return Finding(Situation.PULL_ERROR, pods.pull_error)
    crash = "" if Fault.CRASH_UNNOTICED in seen.faults else pods.crash
    if seen.token_problem and pods.started and Fault.CRASH_UNNOTICED not in seen.faults:
        # The download runs inside the container, so the failure shows as soon as a pod has started.
        crash = f"{crash}: {seen.token_problem}" if crash else seen.token_problem
    if crash:
        return Finding(Situation.RUNTIME_FAILED, crash)
    if not pods.is_ready:
        return Finding(Situation.STARTING, _waiting(seen))
    if seen.routing.enabled and not seen.routing.has_gateway:
        return Finding(Situation.GATEWAY_MISSING, "routing is enabled without a gatewayRef")
    return Finding(Situation.RUNNING, f"{pods.ready} of {pods.wanted} replicas are ready")


def _waiting(seen: Observation) -> str:
    pods = seen.workload
    if not pods.created:
        return "the InferenceService is being created"
    if pods.unschedulable:
        return f"a pod cannot be scheduled: {pods.unschedulable}"
    return f"{pods.ready} of {pods.wanted} replicas are ready"


def _with_faults(seen: Observation, finding: Finding) -> Finding:
    """Misreport what was found, as the faults say; they only change what follows from the workload."""
    underway = {Situation.STARTING, Situation.RUNNING}
    if finding.situation in underway:
        for fault, situation, reason in (
            (Fault.FAILED_AFTER_STARTING, Situation.RECONCILE_ERROR, "the InferenceService was refused"),
            (Fault.DEGRADED_LATE, Situation.RUNTIME_FAILED, "the InferenceService reports a failure"),
        ):
            if fault in seen.faults:
                late = seen.starting_for >= SECONDS_UNTIL[fault]
                return Finding(situation, reason) if late else Finding(Situation.STARTING, _waiting(seen))
        if Fault.NEVER_READY in seen.faults:
            return Finding(Situation.STARTING, _waiting(seen))
        if Fault.RUNNING_BEFORE_READY in seen.faults:
            return Finding(Situation.RUNNING, "replicas are ready")
    if Fault.RUNNING_WHILE_CRASHING in seen.faults and finding.situation is Situation.RUNTIME_FAILED:
        return Finding(Situation.RUNNING, "replicas are ready")
    return finding
