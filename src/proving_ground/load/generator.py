"""Chat completions at a given concurrency, until a number of requests or a time is reached."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp

from proving_ground.contracts.results import LoadTest
from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.load.targets import check_target

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_REQUESTS = 100_000
LONGEST = 600.0
"""Seconds."""
MOST_AT_ONCE = 1000
MOST_TOKENS = 100_000
PROMPT = "Tell a long story about a machine that proves itself."
_REQUEST_SECONDS = 120.0
_PAUSE = 0.05
"""Seconds after a request that failed: a server that refuses at once is not hammered."""
_ANSWER_LIMIT = 4 * 2**20
_FAILED = 400


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What to send.

    Attributes:
        url: Base URL of the server, without ``/v1``.
        model: Model that is asked; empty: the first one that the server lists.
        concurrency: Requests under way at once.
        duration: Seconds after which it ends, whatever is under way.
        requests: Requests after which it ends.
        max_tokens: Tokens that each answer may have.
        prompt: What each request says.
        allowed: Hosts beside loopback that load may be sent to.

    Raises:
        ConfigurationError: A number is not within its bounds, or the URL is not allowed.
    """

    url: str
    model: str = ""
    concurrency: int = 50
    duration: float = 60.0
    requests: int = MOST_REQUESTS
    max_tokens: int = 100
    prompt: str = PROMPT
    allowed: frozenset[str] = field(default=frozenset())

    def __post_init__(self) -> None:
        """Check the numbers and the URL."""
        check_target(self.url, self.allowed)
        for name, value, most in (
            ("concurrency", self.concurrency, MOST_AT_ONCE),
            ("requests", self.requests, MOST_REQUESTS),
            ("max_tokens", self.max_tokens, MOST_TOKENS),
        ):
            if not 1 <= value <= most:
                raise ConfigurationError(f"expected {name} from 1 to {most}, found {value}")
        if not 0 < self.duration <= LONGEST:
            raise ConfigurationError(f"expected a duration above 0 s and up to {LONGEST:g} s, found {self.duration:g}")


@dataclass
class LoadResult:
    """What came of it, also while it goes on.

    Attributes:
        seconds: How long it took.
        latencies: Seconds of each request that was answered.
        errors: Requests that failed.
        unfinished: Requests that were under way at the end; they count as neither.
        problems: What went wrong how often, by its first words.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    errors: int = 0
    unfinished: int = 0
    problems: dict[str, int] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """How many requests came to an end."""
        return len(self.latencies) + self.errors

    def percentile(self, part: float) -> float:
        """Return the latency in milliseconds that so many (0 to 1) of the answered requests did not exceed."""
        if not self.latencies:
            return 0.0
        ordered = sorted(self.latencies)
        return 1000 * ordered[max(0, math.ceil(part * len(ordered)) - 1)]

    def measured(self) -> LoadTest:
        """Return the measurements in the field names of results.json."""
        return LoadTest(
            requests_per_second=round(len(self.latencies) / self.seconds, 3) if self.seconds else 0.0,
            p50_latency_ms=round(self.percentile(0.5), 3),
            p95_latency_ms=round(self.percentile(0.95), 3),
            p99_latency_ms=round(self.percentile(0.99), 3),
            error_rate=round(self.errors / self.requests, 6) if self.requests else 0.0,
        )

    def failed(self, problem: str) -> None:
        """Count a request that failed."""
        self.errors += 1
        known = problem if problem in self.problems or len(self.problems) < 20 else "others"  # noqa: PLR2004 - bounded
        self.problems[known] = self.problems.get(known, 0) + 1


async def run_load(plan: LoadPlan, *, result: LoadResult | None = None) -> LoadResult:
    """Send the load, and return what came of it.

    Cancelling it ends every request at once; what was measured by then is in `result`.

    Args:
        plan: What to send.
        result: Where measurements go while it runs.

    Raises:
        InfrastructureError: The server lists no model, and none was named.
    """
    told = result if result is not None else LoadResult()
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=_REQUEST_SECONDS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as client:
        model = plan.model or await _first_model(client, plan.url)
        body = {
            "model": model,
            "max_tokens": plan.max_tokens,
            "messages": [{"role": "user", "content": plan.prompt}],
        }
        left = iter(range(plan.requests))
        begin = time.monotonic()
        workers = [
            asyncio.create_task(_work(client, plan.url.rstrip("/"), body, left, told))
            for _ in range(min(plan.concurrency, plan.requests))
        ]
        try:
            _, busy = await asyncio.wait(workers, timeout=plan.duration)
            told.unfinished = len(busy)
        except asyncio.CancelledError:
            told.unfinished = sum(not worker.done() for worker in workers)
            raise
        finally:
            told.seconds = time.monotonic() - begin
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
    return told


async def _work(
    client: aiohttp.ClientSession, url: str, body: dict[str, Any], left: Iterable[int], told: LoadResult
) -> None:
    for _ in left:
        started = time.monotonic()
        problem = await _ask(client, url, body)
        if problem:
            told.failed(problem)
            await asyncio.sleep(_PAUSE)
        else:
            told.latencies.append(time.monotonic() - started)


async def _ask(client: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> str:
    """Send one request and return what is wrong with its answer, nothing if it is one."""
    try:
        async with client.post(f"{url}/v1/chat/completions", json=body, allow_redirects=False) as answer:
            content = await _read(answer)
            if answer.status != 200:  # noqa: PLR2004 - HTTP's own
                return f"status {answer.status}"
            if not isinstance(json.loads(content).get("choices"), list):
                return "an answer without choices"
    except TimeoutError:
        return f"no answer within {_REQUEST_SECONDS:g} s"
    except aiohttp.ClientError as error:
        return type(error).__name__
    except (ValueError, AttributeError):
        return "an answer that is not JSON"
    return ""


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """Return the beginning of an answer; one that is longer than any answer should be is cut."""
    content = bytearray()
    async for part in answer.content.iter_chunked(64 * 1024):
        content += part
        if len(content) > _ANSWER_LIMIT:
            break
    return bytes(content)


async def _first_model(client: aiohttp.ClientSession, url: str) -> str:
    try:
        async with client.get(f"{url.rstrip('/')}/v1/models", allow_redirects=False) as answer:
            content = await _read(answer)
            status = answer.status
    except (aiohttp.ClientError, TimeoutError) as error:
        raise InfrastructureError(f"does not answer: {error or type(error).__name__}", where=url) from error
    with contextlib.suppress(ValueError, TypeError, KeyError, IndexError):
        if status < _FAILED:
            return str(json.loads(content)["data"][0]["id"])
    raise InfrastructureError("lists no model at /v1/models", where=url, hint="name one with --model")
