"""Where a pod is in its life at a given age: pure, so that it is tested without a clock."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proving_ground.fleet.behaviour import Behaviour

PULL_ERROR_SECONDS = 0.2
"""How long the kubelet says ErrImagePull before it says ImagePullBackOff."""
BACKOFF_LIMIT_SECONDS = 300.0
"""The kubelet's longest wait between restarts (Kubernetes documentation, pod lifecycle)."""
RESTART_CRASH_SECONDS = 0.1


class Stage(enum.Enum):
    """The stages of a pod's life."""

    PULL_ERROR = "ErrImagePull"
    PULL_BACKOFF = "ImagePullBackOff"
    LOADING = "Loading"
    READY = "Ready"
    CRASHED = "CrashLoopBackOff"
    COMPLETED = "Completed"
    FAILED = "Failed"

    @property
    def live(self) -> bool:
        """Whether the pod's processes run, so that its address answers."""
        return self in {Stage.LOADING, Stage.READY}

    @property
    def final(self) -> bool:
        """Whether nothing can follow."""
        return self in {Stage.COMPLETED, Stage.FAILED}


@dataclass(frozen=True, slots=True)
class Point:
    """A stage, and in how many seconds to look again (None: only when something else changes)."""

    stage: Stage
    again: float | None = None


def backoff(restarts: int, base: float) -> float:
    """Return the seconds to wait after the crash of run number ``restarts`` (0 is the first)."""
    return float(min(BACKOFF_LIMIT_SECONDS, base * 2 ** min(restarts, 30)))


def where(behaviour: Behaviour, age: float, restarts: int) -> Point:
    """Say where a run of a pod is.

    Args:
        behaviour: What the pod was told.
        age: Seconds since this run started.
        restarts: Number of runs before it.

    Returns:
        The stage; CRASHED means that the run has ended, and the caller decides about the next one.
    """
    if behaviour.pull_fails:
        if age < PULL_ERROR_SECONDS:
            return Point(Stage.PULL_ERROR, PULL_ERROR_SECONDS - age)
        return Point(Stage.PULL_BACKOFF)
    crash_at, ready_at = None, behaviour.load
    if behaviour.crash is not None and not (behaviour.crash.once and restarts):
        crash_at = behaviour.crash.after
    if behaviour.crash_on_request and restarts:
        # What crashed under load comes up no more: nobody can mistake a later run for recovery.
        crash_at = RESTART_CRASH_SECONDS
    never = behaviour.never_ready or (behaviour.crash_on_request and restarts > 0)
    changes = [
        (crash_at, Stage.CRASHED),
        (behaviour.complete, Stage.COMPLETED),
        (None if never else ready_at, Stage.READY),
    ]
    for moment, stage in changes:
        if moment is not None and age >= moment:
            ahead = [m for m, s in changes if m is not None and m > age] if stage is Stage.READY else []
            return Point(stage, min(ahead) - age if ahead else None)
    ahead = [m for m, _ in changes if m is not None]
    return Point(Stage.LOADING, min(ahead) - age if ahead else None)
