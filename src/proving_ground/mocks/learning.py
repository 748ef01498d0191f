"""The mock ``learning-metrics``: an inference server's metrics that follow a programmable pattern of traffic."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, ClassVar

from proving_ground.mocks.answer import JSON, Answer
from proving_ground.mocks.given import Given, MockError
from proving_ground.mocks.mock import Mock
from proving_ground.mocks.traffic import Pattern, Traffic, bucket_of, noise_at, traffic
from proving_ground.mocks.vllm import GAUGES as VLLM_GAUGES
from proving_ground.mocks.vllm import Gauge, read_load, read_style, write_json, write_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEFAULT_DURATION = 60.0
MAX_DURATION = 30 * 86400.0
MAX_SPEED = 1e6
MAX_UNIX = 1e11
MAX_NUMBER = 10**9
HOURS = 24
DAYS = 7
MINUTES = 60
MANUAL = "manual"

GAUGES = (
    *VLLM_GAUGES,
    Gauge("avg_generation_throughput_toks_per_s", "Generated tokens per second."),
    Gauge("gpu_memory_utilization", "Memory of the GPU in use, in percent.", vllm=False),
    Gauge("gpu_compute_utilization", "Time in which the GPU computes, in percent.", vllm=False),
)


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock of hours and days that is set by hand."""

    minute: int = 10 * MINUTES + 24 * MINUTES
    """Minute of the week at ``since``; at first hour 10 of day 1."""
    since: float = 0.0
    """Unix seconds."""
    speed: float = 0.0
    """Seconds of this clock in one real second; zero stands still."""

    def minute_at(self, now: float) -> int:
        """Return the minute of the week that it shows at ``now`` (unix seconds)."""
        passed = max(0.0, now - self.since) * self.speed / 60
        return int(self.minute + passed) % (DAYS * HOURS * MINUTES)


class LearningMock(Mock):
    """Shows the traffic of a pattern, or what it was told by hand.

    Args:
        seed: Chooses the noise; mocks with the same seed agree.
        style: How the names of vLLM's metrics begin, ``underscore`` or ``colon``.
        clock: Returns unix seconds.
    """

    __slots__ = (
        "_amplitude", "_answers", "_bucket", "_duration", "_manual", "_pattern", "_seed", "_started", "_style", "_time",
        "_traffic",
    )  # fmt: skip

    name: ClassVar[str] = "learning-metrics"
    scraped: ClassVar[frozenset[str]] = frozenset({"/metrics", "/json"})
    changes: ClassVar[frozenset[str]] = Mock.changes | {"/set_pattern", "/set_time", "/set_noise"}
    settable: ClassVar[tuple[str, ...]] = ("gpu_cache", "requests_running", "requests_waiting")
    columns: ClassVar[tuple[str, ...]] = settable

    def __init__(self, seed: int = 0, style: str = "underscore", clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self._seed = seed
        self._style = style
        self._pattern = Pattern.NORMAL
        self._manual: Traffic | None = None
        self._started = clock()
        self._duration = DEFAULT_DURATION
        self._time = Clock()
        self._amplitude = 1.0
        self._bucket: int | None = None
        self._traffic: Traffic | None = None
        self._answers: dict[str, Answer] = {}

    @classmethod
    def from_env(cls, env: Mapping[str, str], clock: Callable[[], float] = time.time) -> LearningMock:
        """Make one from its environment.

        Raises:
            MockError: A variable cannot be used; the message names it.
        """
        given = Given(env, "variable")
        return cls(given.whole("SEED", 0, MAX_NUMBER) or 0, read_style(given), clock)

    def traffic(self, now: float) -> Traffic:
        """Return what is shown at ``now`` (unix seconds): the same within 50 ms, unless something is set."""
        bucket = bucket_of(now)
        if self._traffic is None or bucket != self._bucket:
            self._bucket = bucket
            self._answers = {}
            self._traffic = self._manual or self._follow(bucket, now)
        return self._traffic

    def _follow(self, bucket: int, now: float) -> Traffic:
        hour = self._time.minute_at(now) // MINUTES % HOURS
        progress = max(0.0, now - self._started) / self._duration
        return traffic(self._pattern, hour, progress, noise_at(self._seed, bucket, self._amplitude))

    def answer(self, path: str, query: Mapping[str, str], now: float) -> Answer:
        """Answer with the traffic of ``now``."""
        del query
        values = self.traffic(now).numbers
        answer = self._answers.get(path)
        if answer is None:
            if path == "/json":
                answer = Answer(200, JSON, write_json(GAUGES, values).encode())
            else:
                answer = Answer.metrics(write_metrics(GAUGES, self._style, values))
            self._answers[path] = answer
        return answer

    def seen(self, now: float) -> tuple[float, ...]:
        """Return cache, running and waiting."""
        return self.traffic(now).numbers[:3]

    def values(self) -> dict[str, float]:
        """Return the values of now under their names in the mock's style."""
        numbers = self.traffic(self.clock()).numbers
        return {gauge.full_name(self._style): value for gauge, value in zip(GAUGES, numbers, strict=True)}

    def page(self, path: str) -> Answer | None:
        """Answer ``/status``: the mode, the simulated time, and the three values of the load."""
        if path != "/status":
            return None
        now = self.clock()
        minute = self._time.minute_at(now)
        own = self.traffic(now)
        return Answer.json(
            {
                "pattern_mode": MANUAL if self._manual else self._pattern.value,
                "simulated_hour": minute // MINUTES % HOURS,
                "simulated_minute": minute % MINUTES,
                "simulated_day": minute // (HOURS * MINUTES),
                "gpu_cache_usage": own.cache,
                "requests_running": int(own.running),
                "requests_waiting": int(own.waiting),
            }
        )

    def _prepare_values(self, given: Given) -> Callable[[], None]:
        read = read_load(given, ("gpu_cache", "requests_running", "requests_waiting"))
        names = [field.name for field in fields(Traffic)]
        changed = {name: read[key] for key, name in zip(self.settable, names, strict=False) if key in read}

        def commit() -> None:
            if changed:
                self._manual = replace(self.traffic(self.clock()), **changed)
                self._traffic = None

        return commit

    def _prepare_more(self, path: str, given: Given) -> Callable[[], str]:
        if path == "/set_pattern":
            return self._prepare_pattern(given)
        if path == "/set_time":
            return self._prepare_time(given)
        return self._prepare_noise(given)

    def _prepare_pattern(self, given: Given) -> Callable[[], str]:
        given.only(("mode", "duration", "since"))
        mode = given.word("mode", Pattern)
        if mode is None:
            raise given.error("mode", f"one of {', '.join(Pattern)}")
        duration = given.number("duration", 0, MAX_DURATION)
        if duration == 0:
            raise given.error("duration", "more than 0 seconds")
        since = given.number("since", 0, MAX_UNIX)

        def commit() -> str:
            self._manual = self._traffic = None
            self._pattern = Pattern(mode)
            self._duration = duration or DEFAULT_DURATION
            self._started = self.clock() if since is None else since
            return f"mode={mode} duration={self._duration:g}"

        return commit

    def _prepare_time(self, given: Given) -> Callable[[], str]:
        given.only(("hour", "day", "minute", "speed", "since"))
        hour = given.whole("hour", 0, MAX_NUMBER)
        day = given.whole("day", 0, MAX_NUMBER)
        minute = given.whole("minute", 0, MINUTES - 1)
        speed = given.number("speed", 0, MAX_SPEED) or 0.0
        since = given.number("since", 0, MAX_UNIX)
        if hour is None and day is None:
            raise MockError("expected hour or day, found neither", where="parameter hour")

        def commit() -> str:
            now = self.clock()
            shown = self._time.minute_at(now)
            new_day = shown // (HOURS * MINUTES) if day is None else day % DAYS
            new_hour = shown // MINUTES % HOURS if hour is None else hour % HOURS
            minutes = (new_day * HOURS + new_hour) * MINUTES + (minute or 0)
            self._time = Clock(minutes, now if since is None else since, speed)
            self._traffic = None
            return f"hour={new_hour} day={new_day} minute={minute or 0} speed={speed:g}"

        return commit

    def _prepare_noise(self, given: Given) -> Callable[[], str]:
        given.only(("amplitude",))
        amplitude = given.number("amplitude", 0, 1)

        def commit() -> str:
            self._amplitude = self._amplitude if amplitude is None else amplitude
            self._traffic = None
            return f"amplitude={self._amplitude:g}"

        return commit
