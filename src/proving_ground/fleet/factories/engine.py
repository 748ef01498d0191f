"""The engine of a replica: how many requests it takes at once, how long each lasts, what its metrics say."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proving_ground.fleet.factories.vllm_metrics import Served, VllmMetrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from proving_ground.fleet.replica import Replica

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


class Engine:
    """Paces the requests of one replica and counts them."""

    def __init__(self, replica: Replica) -> None:
        self.speed = replica.behaviour.speed
        self.metrics = VllmMetrics(
            model=replica.served_model, capacity_tokens=KV_CACHE_REQUESTS * self.speed.max_model_len
        )
        self._slots = asyncio.Semaphore(self.speed.max_running)

    @asynccontextmanager
    async def admit(self, job: Job) -> AsyncIterator[None]:
        """Wait for a place, hold it, and count the request when it leaves."""
        metrics = self.metrics
        if self._slots.locked():
            metrics.waiting += 1
            metrics.changed()
            try:
                await self._slots.acquire()
            finally:
                metrics.waiting -= 1
                metrics.changed()
        else:
            await self._slots.acquire()
        metrics.running += 1
        metrics.cached_tokens += job.prompt_tokens
        metrics.changed()
        job.began = time.monotonic()
        try:
            yield
        finally:
            self._slots.release()
            metrics.running -= 1
            metrics.cached_tokens -= job.prompt_tokens
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


def engine_of(replica: Replica) -> Engine:
    """Return the engine of a replica, made at its first request."""
    engine = replica.memory.get("engine")
    if not isinstance(engine, Engine):
        engine = replica.memory["engine"] = Engine(replica)
    return engine
