"""What one check has at hand while it runs."""

from __future__ import annotations

import contextvars
import dataclasses
from typing import TYPE_CHECKING, Protocol

from proving_ground.contracts.events import Attachment
from proving_ground.plugin.plotting import plot_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pytest

    from proving_ground.chainsaw.reporting import Performed
    from proving_ground.chainsaw.shared import Shared as ChainsawShared
    from proving_ground.contracts.events import Plot
    from proving_ground.contracts.platform import Platform
    from proving_ground.kube import Cluster
    from proving_ground.plugin.resolution import Fixtures


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the command line set for every check of the process.

    Attributes:
        run_id: Run that owns what checks make.
        fault: Fault that every namespace made for a check asks for; None: none.
        wait_limit: Seconds that every wait is cut to; None: not cut.
        cleanup_limit: Seconds that the clean-up of one check may take.
        parallel: Checks under way at once.
        reruns: Times that a check is run again when an assertion fails.
        engine: ``builtin`` or ``chainsaw``.
        state_dir: Private directory of the run.
        artifacts_dir: Directory of what may be shared.
        allowed_skips: Reason codes of skips that are not errors.
        values_files: Values files of Chainsaw tests; later ones win.
        set_values: ``(key, value)`` of Chainsaw values, dots in the key descend; the value is YAML.
        set_strings: The same with values that are texts.
    """

    run_id: str
    state_dir: Path
    artifacts_dir: Path
    fault: str | None = None
    wait_limit: float | None = None
    cleanup_limit: float = 60.0
    parallel: int = 4
    reruns: int = 0
    engine: str = "builtin"
    allowed_skips: frozenset[str] = frozenset()
    values_files: tuple[Path, ...] = ()
    set_values: tuple[tuple[str, str], ...] = ()
    set_strings: tuple[tuple[str, str], ...] = ()

    @property
    def proving(self) -> bool:
        """Whether checks are tried rather than the platform: under a fault, or with waits that are cut."""
        return self.fault is not None or self.wait_limit is not None

    def cut(self, seconds: float) -> float:
        """Return a wait's length in seconds, cut to the wait limit."""
        return seconds if self.wait_limit is None else min(seconds, self.wait_limit)


class Recorder(Protocol):
    """Where a check's own words go."""

    def note(self, kind: str, subject: str, detail: str, check: str) -> None:
        """Write an event for the timeline."""

    def mask(self, value: str) -> None:
        """Never write this value again."""


class Shared(Protocol):
    """What all checks of the process share."""

    async def cluster(self, name: str) -> Cluster:
        """Return a cluster of the platform, opened once."""

    def fixtures_for(self, item: pytest.Function) -> Fixtures:
        """Return the fixtures of one check."""

    async def chainsaw(self) -> ChainsawShared:
        """Return what Chainsaw tests share."""


@dataclasses.dataclass(repr=False)
class CheckRun:
    """One attempt at one check: its surroundings, and what it says about itself."""

    check_id: str
    platform: Platform
    settings: Settings
    recorder: Recorder
    shared: Shared | None = None
    on_verdict: Callable[[], None] | None = None
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    properties: dict[str, str] = dataclasses.field(default_factory=dict)
    attachments: list[Attachment] = dataclasses.field(default_factory=list)
    plots: list[Plot] = dataclasses.field(default_factory=list)
    operations: list[Performed] = dataclasses.field(default_factory=list)
    output: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    verdict_is_known: bool = False

    def __repr__(self) -> str:
        """Return its id only: pytest cuts what it shows of arguments, and half a secret is masked no more."""
        return f"CheckRun({self.check_id!r})"

    @property
    def run_id(self) -> str:
        """The run that owns what this check makes."""
        return self.settings.run_id

    async def cluster(self, name: str = "default") -> Cluster:
        """Return a cluster of the platform; it is shared by all checks and closed at the end.

        Raises:
            InfrastructureError: The platform has no such cluster, or it cannot be reached.
        """
        if self.shared is None:
            raise RuntimeError("only concurrent checks can use a cluster: write the check as `async def`")
        return await self.shared.cluster(name)

    def fixtures_for(self, item: pytest.Function) -> Fixtures:
        """Return the fixtures of an asynchronous check."""
        if self.shared is None:
            raise RuntimeError("only concurrent checks resolve their fixtures here")
        return self.shared.fixtures_for(item)

    def note(self, kind: str, subject: str, detail: str = "") -> None:
        """Put something on the timeline: a scale event, a disturbance, an operation."""
        self.recorder.note(kind, subject, detail, self.check_id)

    def metric(self, name: str, value: float) -> None:
        """Record a measurement; the unit belongs to the name (``ready_seconds``)."""
        self.metrics[name] = float(value)

    def property(self, name: str, value: object) -> None:
        """Record a property for the reports."""
        self.properties[name] = str(value)

    def attach(self, name: str, text: str) -> None:
        """Add diagnostics."""
        self.attachments.append(Attachment(name=name, text=text))

    def plot(
        self, name: str, series: Mapping[str, Sequence[tuple[float, float]]], *, x: str = "seconds", y: str = ""
    ) -> None:
        """Draw what was measured, for the report; also of a check that passes.

        Args:
            name: What it shows.
            series: Name of a line -> its points, in the order in which they are joined. Points that are not finite
                are dropped, of long series so many that peaks stay, and series after the eighth are only named.
            x: What the first number of a point is, with its unit.
            y: What the second number of a point is, with its unit.
        """
        self.plots.append(plot_of(name, series, x=x, y=y))

    def performed(self, operation: Performed) -> None:
        """Keep an operation of a Chainsaw test."""
        self.operations.append(operation)

    def mask(self, value: str) -> None:
        """Make sure that a secret which this check came to know is never written to the event log."""
        self.recorder.mask(value)

    def verdict_known(self) -> None:
        """Let the next check start: what follows here is clean-up only."""
        if not self.verdict_is_known:
            self.verdict_is_known = True
            if self.on_verdict is not None:
                self.on_verdict()


CURRENT: contextvars.ContextVar[CheckRun | None] = contextvars.ContextVar("proving_ground_check", default=None)
