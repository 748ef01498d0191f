"""The engine of a replica: how many requests it takes at once, how long each lasts, what its metrics say."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proving_ground.fleet.factories.failures import Failures
from proving_ground.fleet.factories.vllm_metrics import Served, VllmMetrics
from proving_ground.mocks.history import History

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from proving_ground.fleet.replica import Replica

HISTORY = ("gpu_cache", "requests_running", "requests_waiting")
"""What is kept of each answer about metrics, named as the mocks name it."""
KV_CACHE_REQUESTS = 8
"""The KV cache has room for so many requests of the greatest length."""


@dataclass(slots=True)
class Job:
    """One request in the engine."""

    prompt_tokens: int
    choices: int = 1
    max_tokens: int | None = None
    generated: int = 0
    finish_reason: str = "abort"
    arrived: float = field(default_factory=time.monotonic)
    began: float = 0.0
    first_token: float | None = None
    steps: int = 0
    """Tokens for each choice that are on their way at the engine's pace; 0 for a stream, which counts its own."""

    def held(self, now: float, pace: float) -> int:
        """Return the tokens that it holds in the KV cache.

        Args:
            now: The monotonic time.
            pace: Seconds between tokens.
        """
        generated = self.generated
        if self.steps and self.first_token is not None:
            done = 1 + (now - self.first_token) / pace if pace else self.steps
            generated = self.choices * int(min(done, self.steps))
        return self.prompt_tokens + generated


class Engine:
    """Paces the requests of one replica and counts them."""

    def __init__(self, replica: Replica) -> None:
        self.speed = replica.behaviour.speed
        inference = replica.behaviour.inference
        self.metrics = VllmMetrics(
            model=replica.served_model,
            capacity_tokens=KV_CACHE_REQUESTS * self.speed.max_model_len,
            cache_names=inference.cache_metrics,
            cache_scale=inference.cache_scale,
            fake=inference.fake,
        )
        self.history = History(HISTORY)
        self.failures = Failures(inference.failure_rate, inference.failures)
        self._jobs: dict[int, Job] = {}
        self._page: tuple[str, bytes] = ("", b"")
        self._slots = asyncio.Semaphore(self.speed.max_running)

    @asynccontextmanager
    async def admit(self, job: Job) -> AsyncIterator[None]:
        """Wait for a place, hold it, and count the request when it leaves."""
        metrics = self.metrics
        if self._slots.locked():
            metrics.waiting += 1
            try:
                await self._slots.acquire()
            finally:
                metrics.waiting -= 1
        else:
            await self._slots.acquire()
        metrics.running += 1
        self._jobs[id(job)] = job
        job.began = time.monotonic()
        try:
            yield
        finally:
            self._slots.release()
            metrics.running -= 1
            del self._jobs[id(job)]
            self._count(job)

    def _count(self, job: Job) -> None:
        now = time.monotonic()
        first = now if job.first_token is None else job.first_token
        self.metrics.count(
            Served(
                prompt_tokens=job.prompt_tokens,
                generation_tokens=job.generated,
                finish_reason=job.finish_reason,
                queued=job.began - job.arrived,
                first_token=first - job.began,
                decode=now - first,
                choices=job.choices,
                max_tokens=job.max_tokens,
            )
        )

    async def first_token(self, job: Job) -> None:
        """Let the time to the first token pass."""
        if self.speed.first_token:
            await asyncio.sleep(self.speed.first_token)
        job.first_token = time.monotonic()

    async def next_tokens(self, number: int = 1) -> None:
        """Let the time of further tokens pass."""
        if self.speed.token and number > 0:
            await asyncio.sleep(self.speed.token * number)

    def measure(self) -> VllmMetrics:
        """Return the metrics as they are now."""
        now, pace = time.monotonic(), self.speed.token
        self.metrics.cached_tokens = sum(job.held(now, pace) for job in self._jobs.values())
        return self.metrics

    def page(self) -> bytes:
        """Answer a reader of the metrics, and note what it was told."""
        metrics = self.measure()
        text = metrics.text()
        if text is not self._page[0]:
            self._page = text, text.encode()
        running, waiting, usage = metrics.gauges()
        self.history.scrapes += 1
        self.history.add(time.time(), (usage, running, waiting))
        return self._page[1]


def told_values(replica: Replica) -> Mapping[str, float]:
    """Return the gauges of a replica by their full names."""
    return engine_of(replica).measure().values()


def engine_of(replica: Replica) -> Engine:
    """Return the engine of a replica, made at its first request."""
    engine = replica.memory.get("engine")
    if not isinstance(engine, Engine):
        engine = replica.memory["engine"] = Engine(replica)
        replica.histories.append(engine.history)
    return engine
