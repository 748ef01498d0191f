"""What is remembered about one scaler between two passes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from proving_ground.budaiscaler.clock import Clock, parse_time
from proving_ground.budaiscaler.status import HISTORY, ScaleRecord, read_history
from proving_ground.budaiscaler.world import version_of

if TYPE_CHECKING:
    import asyncio

    from proving_ground.budaiscaler.lessons import Lessons
    from proving_ground.budaiscaler.spec import ScalerSpec
    from proving_ground.budaiscaler.world import PodFact, WorkloadFact

Json = Mapping[str, Any]


@dataclasses.dataclass(slots=True)
class Tracked:
    """A BudAIScaler as it was last seen, and how far work on it is."""

    scaler: Json
    due: float = 0.0
    """When its next pass is to begin, by the event loop's clock."""
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    dirty: bool = False

    read_for: tuple[Any, ...] | None = None
    """Generation and annotations that `spec`, `problem` and `clock` were read from."""
    spec: ScalerSpec | None = None
    problem: str = ""
    clock: Clock = dataclasses.field(default_factory=Clock)

    remembers: bool = False
    """Whether the stored status was read, which tells of passes before this process began."""
    history: list[ScaleRecord] = dataclasses.field(default_factory=list)
    last_scale: float | None = None
    usable: dict[int, float] = dataclasses.field(default_factory=dict)
    """The last usable value of each source."""
    lessons: Lessons | None = None
    quiet: int = 0
    """Passes since the status was written."""
    hpa_applied: int = 0
    """Generation for which the HorizontalPodAutoscaler is as it should be: there, or gone."""
    hpa_scale: int | None = None
    """What it wanted last, or the target had before it looked."""

    def drop(self) -> None:
        """Stop its work and its timer."""
        if self.timer is not None:
            self.timer.cancel()
        if self.task is not None:
            self.task.cancel()

    def take(self, scaler: Json) -> bool:
        """Take in the scaler as it now is, unless something newer is known; return whether it asks for more work."""
        if version_of(scaler) < version_of(self.scaler):
            return False
        before, self.scaler = self.scaler["metadata"], scaler
        after = scaler["metadata"]
        return any(before.get(part) != after.get(part) for part in ("generation", "annotations", "deletionTimestamp"))

    def remember(self) -> None:
        """Read from the stored status what happened before this process began; does so once."""
        if self.remembers:
            return
        self.remembers = True
        status = self.scaler.get("status") or {}
        self.history = list(read_history(status, parse_time))
        try:
            self.last_scale = parse_time(str(status["lastScaleTime"]))
        except (KeyError, ValueError):
            self.last_scale = None

    def record(self, record: ScaleRecord) -> None:
        """Add to the history; a change that failed is told once for as long as it fails in the same way."""
        last = self.history[-1] if self.history else None
        if not record.success and last and (last.new, last.error) == (record.new, record.error):
            return
        self.history = [*self.history, record][-HISTORY:]
        if record.success:
            self.last_scale = record.time


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """What one pass goes by."""

    tracked: Tracked
    spec: ScalerSpec
    now: float
    faults: frozenset[str]
    workload: WorkloadFact
    pods: tuple[PodFact, ...]

    @property
    def actual(self) -> int:
        """Replicas that are there."""
        return len(self.pods)


def uid_of(body: Json) -> str:
    """Return the identity of an object."""
    return str(body["metadata"]["uid"])
