"""The six patterns of load, told apart on the points of successive reconciles, however far apart they are."""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proving_ground.budaiscaler.faults import Fault
from proving_ground.budaiscaler.learning import evidence
from proving_ground.budaiscaler.learning.evidence import WINDOW
from proving_ground.budaiscaler.learning.levels import BLOCK_POINTS, BLOCKS, FEW_REQUESTS, Levels

if TYPE_CHECKING:
    from proving_ground.budaiscaler.learning.samples import Sample

EPISODE_POINTS = BLOCK_POINTS * BLOCKS
"""After so many points nothing older is left to compare with: the level of a pattern is the usual one then."""
COLD_POINTS = 30
"""A cold start is over after so many points."""
IDLE_POINTS = 6
"""Points without requests that a cold start comes after."""


class PatternName(enum.StrEnum):
    """Patterns by the names that the status gives them."""

    STEADY_STATE = "steady_state"
    BATCH_INGESTION = "batch_ingestion"
    KV_CACHE_PRESSURE = "kv_cache_pressure"
    COLD_START = "cold_start"
    TRAFFIC_SPIKE = "traffic_spike"
    TRAFFIC_DRAIN = "traffic_drain"


_LEVELS = frozenset({PatternName.BATCH_INGESTION, PatternName.TRAFFIC_SPIKE, PatternName.TRAFFIC_DRAIN})
"""Patterns that are another level of load."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern and how clear it is, 0 to 1."""

    name: PatternName
    confidence: float


@dataclass(slots=True)
class PatternDetector:
    """Follows the load from point to point; a pattern that has begun holds until it is clearly over.

    Attributes:
        recent: The newest points, oldest first.
        levels: What is usual; not changed while a pattern other than the steady state holds.
        current: The pattern that holds.
        points: Points since it began.
        running: Running requests that were usual when it began; None in the steady state, and where not known.
        throughput: The same for throughput.
        idle: Points without requests that came one after the other, now or before the requests that run now.
        begun: Points since requests came after a time without; 0 if they did not.
    """

    recent: deque[Sample] = field(default_factory=lambda: deque(maxlen=WINDOW))
    levels: Levels = field(default_factory=Levels)
    current: Pattern = Pattern(PatternName.STEADY_STATE, 0.0)
    points: int = 0
    running: float | None = None
    throughput: float | None = None
    idle: int = 0
    begun: int = 0

    def observe(self, sample: Sample) -> None:
        """Take the next point in."""
        self.recent.append(sample)
        self.points += 1
        self._count_idle(sample)
        found = self._cold_start() or self._held() or self._new()
        if found is None:
            found = Pattern(PatternName.STEADY_STATE, min(1.0, self.points / WINDOW))
        if found.name != self.current.name:
            self._enter(found.name)
            if found.name == PatternName.STEADY_STATE:
                found = Pattern(found.name, self.points / WINDOW)
        self.current = found
        if found.name == PatternName.STEADY_STATE and sample.running is not None and not self._unused:
            self.levels.learn(sample.running, sample.throughput)

    def shown(self, faults: frozenset[str]) -> Pattern:
        """Return the pattern that is told to others, which is another one under some faults."""
        if Fault.DETECTS_ALWAYS in faults:
            return Pattern(PatternName.KV_CACHE_PRESSURE, 1.0)
        if Fault.DETECTS_NONE in faults:
            return Pattern(PatternName.STEADY_STATE, 1.0)
        return self.current

    @property
    def _unused(self) -> bool:
        """Whether there are no requests for so long that it says nothing about what is usual."""
        return not self.begun and self.idle >= IDLE_POINTS

    @property
    def _outlasted(self) -> bool:
        """Whether the pattern is another level that has become the usual one."""
        return self.current.name in _LEVELS and self.points > EPISODE_POINTS

    def _count_idle(self, sample: Sample) -> None:
        if sample.running is None:
            return
        if sample.idle:
            self.idle = 1 if self.begun else self.idle + 1
            self.begun = 0
        elif self.begun or self.idle >= IDLE_POINTS:
            self.begun += 1
        else:
            self.idle = 0

    def _enter(self, name: PatternName) -> None:
        """Change to another pattern: note what was usual before, or take up learning again."""
        if name == PatternName.STEADY_STATE:
            if self.current.name == PatternName.COLD_START or self._outlasted:
                self.levels = Levels()
            self.running = self.throughput = None
        elif self.current.name == PatternName.STEADY_STATE:
            self.running, self.throughput = self._before(name)
            if self.running is not None:
                self.levels.keep_near(self.running)
        self.points = 1

    def _before(self, name: PatternName) -> tuple[float | None, float | None]:
        running, throughput = self.levels.usual() or (None, None)
        if name == PatternName.TRAFFIC_SPIKE:
            running = self.levels.low()
        elif name == PatternName.TRAFFIC_DRAIN:
            running = self.levels.high()
        return running, throughput

    def _usual(self) -> tuple[float | None, float | None]:
        if self.current.name == PatternName.STEADY_STATE:
            return self.levels.usual() or (None, None)
        return self.running, self.throughput

    def _cold_start(self) -> Pattern | None:
        """Requests begin from none, with a cache that is all but empty."""
        going = self.current.name == PatternName.COLD_START
        if not self.begun or self.begun > COLD_POINTS or (self.begun > IDLE_POINTS and not going):
            return None
        clearness = evidence.cold_start(self.recent, idle=self.idle)
        return None if clearness is None else Pattern(PatternName.COLD_START, clearness)

    def _held(self) -> Pattern | None:
        """Return the pattern that held before if it holds on, or the one that took its place directly."""
        name = self.current.name
        if name == PatternName.KV_CACHE_PRESSURE and evidence.still_pressed(self.recent):
            return self._batch_instead() or self._same(evidence.pressure(self.recent))
        level = evidence.level(self.recent)
        if self._outlasted or self.running is None or level is None:
            return None
        usual = self.running
        if name == PatternName.BATCH_INGESTION:
            goes_on = level > max(evidence.BATCH_OVER * usual, usual + FEW_REQUESTS)
            same = self._same(evidence.rise(level, usual, evidence.BATCH_RATIO)) if goes_on else None
            return self._pressure_instead(at_once=not goes_on) or same
        if name == PatternName.TRAFFIC_SPIKE and level > evidence.SPIKE_OVER * usual:
            return self._pressure_or_batch() or self._same(evidence.rise(level, usual, evidence.SPIKE_RATIO))
        if name == PatternName.TRAFFIC_DRAIN and level < evidence.DRAIN_OVER * usual:
            return self._pressure_or_batch() or self._same(evidence.fall(level, usual))
        return None

    def _same(self, clearness: float | None) -> Pattern:
        """Go on with the pattern, as clear as it is now or, where it can't be told at the moment, as it was."""
        return Pattern(self.current.name, self.current.confidence if clearness is None else clearness)

    def _new(self) -> Pattern | None:
        """Return the pattern that begins in the steady state."""
        if self.current.name != PatternName.STEADY_STATE:
            return None
        sudden = self._pressure_or_batch()
        if sudden is not None or self.points < WINDOW or evidence.pressure(self.recent) is not None:
            return sudden
        drained = evidence.drained(self.recent, self.levels.high())
        if drained is not None:
            return Pattern(PatternName.TRAFFIC_DRAIN, drained)
        spiked = evidence.spiked(self.recent, self.levels.low())
        return None if spiked is None else Pattern(PatternName.TRAFFIC_SPIKE, spiked)

    def _pressure_or_batch(self) -> Pattern | None:
        """Tell the two patterns that come at once; a batch can fill the cache, and then its queue decides."""
        running, throughput = self._usual()
        pressed = evidence.pressure(self.recent)
        batch = evidence.sudden_batch(self.recent, running, throughput, keeps_pace=pressed is not None)
        if pressed is None:
            return None if batch is None else Pattern(PatternName.BATCH_INGESTION, batch)
        if batch is None and throughput is not None and evidence.jumping(self.recent, running):
            return None
        if batch is None or not evidence.throughput_raised(self.recent, throughput):
            return Pattern(PatternName.KV_CACHE_PRESSURE, pressed)
        runs = evidence.runs_rather_than_waits(self.recent)
        if runs is None:
            return None
        return Pattern(PatternName.BATCH_INGESTION, batch) if runs else Pattern(PatternName.KV_CACHE_PRESSURE, pressed)

    def _batch_instead(self) -> Pattern | None:
        """Return the batch that came while the cache was under pressure."""
        if self.points < WINDOW or evidence.runs_rather_than_waits(self.recent, clearly=True) is not True:
            return None
        batch = evidence.batch(self.recent, self.running, self.throughput, keeps_pace=True)
        raised = evidence.throughput_raised(self.recent, self.throughput)
        return Pattern(PatternName.BATCH_INGESTION, batch) if batch is not None and raised else None

    def _pressure_instead(self, *, at_once: bool) -> Pattern | None:
        """Return the pressure that came while a batch was running, or that is left of it."""
        if at_once or self.throughput is None:
            pressed = evidence.pressure(self.recent)
        elif self.points < WINDOW or evidence.runs_rather_than_waits(self.recent, clearly=True) is not False:
            return None
        else:
            pressed = evidence.pressure(self.recent, points=WINDOW)
        return None if pressed is None else Pattern(PatternName.KV_CACHE_PRESSURE, pressed)
