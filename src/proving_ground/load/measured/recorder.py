"""What a process of the load saw, in a form that those of several processes add up."""

from __future__ import annotations

import time
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from proving_ground.load.measured.samples import Samples
from proving_ground.load.measured.slos import LATENCIES, good

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proving_ground.load.measured.answer import Answer
    from proving_ground.load.measured.plan import Plan

_PROBLEMS = 20


@dataclass
class LevelRecord:
    """What was seen at one level.

    Attributes:
        begin: Seconds from the begin of the load at which measuring began.
        end: Seconds at which it ended.
        latencies: Milliseconds, of requests that began while it was measured and were answered well.
        answered: How many these are.
        failed: Requests that began while it was measured and failed, at last or for want of time.
        ended: Good answers whose end fell into the time in which it was measured.
        tokens: Tokens that arrived in that time.
        good: Of those that began, answered within all objectives for latencies.
        problems: What went wrong how often.
        merged: Events with text whose time is that of a later one.
        events: Events with text.
    """

    begin: float
    end: float
    latencies: dict[str, Samples] = field(default_factory=lambda: {name: Samples() for name in LATENCIES})
    answered: int = 0
    failed: int = 0
    ended: int = 0
    tokens: float = 0.0
    good: int = 0
    problems: dict[str, int] = field(default_factory=dict)
    merged: int = 0
    events: int = 0


class Recorder:
    """Takes what came of each request.

    Args:
        plan: What is sent.
        began: When the load began, as all times in seconds of ``time.perf_counter``.
    """

    def __init__(self, plan: Plan, began: float) -> None:
        self._plan = plan
        self.began = began
        self.levels: list[LevelRecord] = []
        self.seconds: dict[int, list[float]] = {}
        self.errors = {"ttft": Samples(), "itl": Samples()}
        at = 0.0
        for level in plan.levels:
            begin, at = at + (level.warm_up or 0.0), at + (level.warm_up or 0.0) + level.seconds
            self.levels.append(LevelRecord(begin, at))

    def _level(self, at: float) -> LevelRecord | None:
        return next((level for level in self.levels if level.begin <= at < level.end), None)

    def health(self, at: float, problem: str) -> None:
        """Note a request that generates nothing: only whether it failed."""
        level = self._level(at - self.began)
        if level is not None and problem:
            self._failed(level, problem)

    def failed(self, at: float, problem: str) -> None:
        """Note a request that failed; ``at``: when it began, or had to."""
        level = self._level(at - self.began)
        if level is not None:
            self._failed(level, problem)

    @staticmethod
    def _failed(level: LevelRecord, problem: str) -> None:
        level.failed += 1
        told = problem if problem in level.problems or len(level.problems) < _PROBLEMS else "others"
        level.problems[told] = level.problems.get(told, 0) + 1

    def answered(self, at: float, answer: Answer) -> None:
        """Note a good answer; ``at``: when its request began, or had to."""
        begin, end = at - self.began, answer.end - self.began
        latencies = {"e2e": (answer.end - at) * 1000}
        texts, tokens = answer.texts, answer.tokens()
        gaps = [(after - before) * 1000 for before, after in pairwise(texts)]
        if texts:
            latencies["ttft"] = (texts[0] - at) * 1000
            if tokens > 1:
                latencies["tpot"] = (texts[-1] - texts[0]) * 1000 / (tokens - 1)
        level = self._level(begin)
        if level is not None:
            level.answered += 1
            for name, value in latencies.items():
                level.latencies[name].add(value)
            level.latencies["itl"].extend(gaps)
            worst = {**latencies, "itl": max(gaps)} if gaps else latencies
            level.good += good(self._plan.slos, worst)
            level.merged += answer.merged
            level.events += len(texts)
        if answer.sent:
            self._compare(answer)
        self._throughput(end, texts, tokens)

    def _throughput(self, end: float, texts: Sequence[float], tokens: int) -> None:
        """Count what arrived in the time of each level, whenever its request began."""
        ratio = tokens / len(texts) if texts else 0.0
        for level in self.levels:
            if level.begin <= end < level.end:
                level.ended += 1
                level.tokens += 0 if texts else tokens
            if texts:
                first = bisect_left(texts, level.begin + self.began)
                level.tokens += ratio * (bisect_left(texts, level.end + self.began) - first)
        second = self.seconds.setdefault(int(end), [0, 0.0])
        second[0] += 1
        for text in texts:
            self.seconds.setdefault(int(text - self.began), [0, 0.0])[1] += ratio
        second[1] += 0 if texts else tokens

    def _compare(self, answer: Answer) -> None:
        """Note how far times are from those that the server stamped."""
        self.errors["ttft"].add(abs(answer.texts[0] - answer.sent[0]) * 1000)
        for (a, b), (c, d) in zip(pairwise(answer.texts), pairwise(answer.sent), strict=False):
            self.errors["itl"].add(abs((b - a) - (d - c)) * 1000)

    def part(self, health: dict[str, Any]) -> dict[str, Any]:
        """Return all of it as plain data, to be sent to another process."""
        return {
            "levels": [_plain(level) for level in self.levels],
            "seconds": {str(second): values for second, values in self.seconds.items()},
            "errors": {name: list(samples.values) for name, samples in self.errors.items()},
            "health": health,
        }


def _plain(level: LevelRecord) -> dict[str, Any]:
    return {**vars(level), "latencies": {name: list(samples.values) for name, samples in level.latencies.items()}}


def now() -> float:
    """Return the time that everything here is measured in."""
    return time.perf_counter()
