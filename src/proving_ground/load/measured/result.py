"""What a load measured: percentiles and rates of each level, and whether the client could be trusted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from proving_ground.contracts.base import Contract
from proving_ground.contracts.results import LoadTest
from proving_ground.load.measured.samples import percentile
from proving_ground.load.measured.slos import LATENCIES, PERCENTILES, Slo

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proving_ground.load.measured.plan import Plan

LATE_SEND = 0.05
"""Seconds that one request of a hundred may be sent late."""
LATE_LOOP = 0.01
"""The same for reading, where the kernel does not tell when data arrived."""
MOST_CPU = 0.95
"""Share of a core that each process of the client may use."""
MOST_MERGED = 0.01
FEW_MERGED = 2
"""So many of few events say nothing yet."""
Verdict = Literal["valid", "invalid", "interrupted"]


class Client(Contract):
    """How the client itself did.

    Attributes:
        verdict: Whether what was measured can be trusted; nothing that is not valid passes.
        reason: Why it cannot, with numbers.
        parts: Processes that told what they saw, here or in pods.
        kernel_times: Whether times of arrival are the kernel's.
        cpu: Share of a core that its busiest process used.
        send_lag_p99_ms: How late requests were sent, in an open loop.
        read_lag_p99_ms: How long after its arrival data was read.
        loop_lag_p99_ms: How late the process got to what was due.
        merged_share: Part of the events with text that was read together with a later one.
        stale_connections: Requests that were sent again because the server had closed their connection before.
    """

    verdict: Verdict = "valid"
    reason: str = ""
    parts: int = 0
    kernel_times: bool = False
    cpu: float = 0.0
    send_lag_p99_ms: float | None = None
    read_lag_p99_ms: float | None = None
    loop_lag_p99_ms: float | None = None
    merged_share: float = 0.0
    stale_connections: int = 0


class LevelResult(Contract):
    """What was measured at one level.

    Attributes:
        value: Users, or arrivals per second.
        seconds: How long it was measured.
        requests: Requests that began in that time.
        failed: Those of them that failed.
        requests_per_second: Good answers that ended in that time.
        tokens_per_second: Tokens that arrived in that time.
        error_rate: Part of the requests that failed.
        goodput: Good answers per second that kept every objective for latencies.
        good_share: Part of the requests that they are.
        latencies_ms: ``ttft_p50`` ... ``e2e_p99``; only those that there are values of.
        counts: Values of each latency.
        problems: What went wrong how often.
        missed: Objectives that do not hold, with what was found; none: all hold.
    """

    value: float
    seconds: float
    requests: int
    failed: int
    requests_per_second: float
    tokens_per_second: float
    error_rate: float
    goodput: float
    good_share: float
    latencies_ms: dict[str, float]
    counts: dict[str, int]
    problems: dict[str, int] = Field(default={})
    missed: list[str] = Field(default=[])

    def judged(self, slos: Iterable[Slo]) -> LevelResult:
        """Return the same with the objectives that it misses."""
        found = [(slo, self.value_of(slo.metric)) for slo in slos]
        missed = [
            f"{slo.told()}, found {'nothing' if math.isnan(value) else f'{value:.4g}'}"
            for slo, value in found
            if not slo.holds(value)
        ]
        return self.model_copy(update={"missed": missed})

    def value_of(self, metric: str) -> float:
        """Return a value by the name that objectives use; not a number where there is none."""
        if metric in self.latencies_ms:
            return self.latencies_ms[metric]
        if metric == "error_rate" and not self.requests:
            return math.nan
        return float(getattr(self, metric, math.nan))


class Measured(Contract):
    """The whole of a load.

    Attributes:
        closed: Whether levels are users; else arrivals per second.
        levels: One after the other, as in the plan; those that were not reached are absent.
        client: How the client itself did.
        knee: Value of the highest level up to which all objectives hold; absent if they hold at none, or there are
            none.
        per_second: Good answers and tokens of each second since the begin, for a plot.
        time_errors_ms: Percentiles of how far times were from those that the server stamped; only where asked.
    """

    schema_version: Literal[1] = 1
    closed: bool
    levels: list[LevelResult]
    client: Client
    knee: float | None = None
    per_second: list[tuple[float, float, float]] = Field(default=[], description="Second, answers, tokens.")
    time_errors_ms: dict[str, float] = Field(default={})

    @property
    def last(self) -> LevelResult:
        """The last level: where there is one only, all there is."""
        return self.levels[-1]

    def load_test(self) -> LoadTest:
        """Return the last level in the field names of results.json."""
        level = self.last
        return LoadTest(
            requests_per_second=round(level.requests_per_second, 3),
            p50_latency_ms=round(level.latencies_ms.get("e2e_p50", 0.0), 3),
            p95_latency_ms=round(level.latencies_ms.get("e2e_p95", 0.0), 3),
            p99_latency_ms=round(level.latencies_ms.get("e2e_p99", 0.0), 3),
            error_rate=round(level.error_rate, 6),
        )


def summarise(plan: Plan, told: Mapping[str, Any]) -> Measured:
    """Add up what the processes of a load saw.

    Args:
        plan: What was sent.
        told: What `proving_ground.load.measured.process` wrote.
    """
    parts: list[dict[str, Any]] = told["parts"]
    stopped = float(told["seconds"]) if told["interrupted"] else math.inf
    levels = []
    for index, level in enumerate(plan.levels):
        seen = [part["levels"][index] for part in parts]
        seconds = min(seen[0]["end"], stopped) - seen[0]["begin"] if seen else 0.0
        if seconds > 0:
            levels.append(_level(level.value, seconds, seen, plan.slos))
    return Measured(
        closed=plan.closed,
        levels=levels,
        client=_client(parts, plan.time_error, interrupted=bool(told["interrupted"])),
        knee=_knee(levels) if plan.slos else None,
        per_second=_per_second(parts),
        time_errors_ms=_errors(parts),
    )


def _level(value: float, seconds: float, seen: Sequence[Mapping[str, Any]], slos: Sequence[Slo]) -> LevelResult:
    answered, failed = (sum(part[name] for part in seen) for name in ("answered", "failed"))
    requests = answered + failed
    problems: dict[str, int] = {}
    for part in seen:
        for problem, count in part["problems"].items():
            problems[problem] = problems.get(problem, 0) + count
    latencies: dict[str, float] = {}
    counts: dict[str, int] = {}
    for name in LATENCIES:
        values = sorted(value for part in seen for value in part["latencies"][name])
        counts[name] = len(values)
        latencies |= {f"{name}_p{part}": round(percentile(values, part), 4) for part in PERCENTILES if values}
    fitting = sum(part["good"] for part in seen)
    result = LevelResult(
        value=value,
        seconds=round(seconds, 3),
        requests=requests,
        failed=failed,
        requests_per_second=sum(part["ended"] for part in seen) / seconds,
        tokens_per_second=sum(part["tokens"] for part in seen) / seconds,
        error_rate=failed / requests if requests else 0.0,
        goodput=fitting / seconds,
        good_share=fitting / requests if requests else 0.0,
        latencies_ms=latencies,
        counts=counts,
        problems=problems,
    )
    return result.judged(slos)


def _knee(levels: Sequence[LevelResult]) -> float | None:
    """Return the highest level that no lower one which misses an objective stands below."""
    knee = None
    for level in sorted(levels, key=lambda level: level.value):
        if level.missed:
            break
        knee = level.value
    return knee


def _per_second(parts: Iterable[Mapping[str, Any]]) -> list[tuple[float, float, float]]:
    sums: dict[int, list[float]] = {}
    for part in parts:
        for second, (answers, tokens) in part["seconds"].items():
            entry = sums.setdefault(int(second), [0.0, 0.0])
            entry[0] += answers
            entry[1] += tokens
    last = max(sums, default=-1)
    return [(float(second), *_pair(sums.get(second))) for second in range(last + 1)]


def _pair(values: Sequence[float] | None) -> tuple[float, float]:
    return (values[0], values[1]) if values else (0.0, 0.0)


def _errors(parts: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    parts = list(parts)
    told: dict[str, float] = {}
    for name in ("ttft", "itl"):
        values = sorted(value for part in parts for value in part["errors"][name])
        if values:
            told |= {f"{name}_p{p}": round(percentile(values, p), 4) for p in (50, 99, 100)}
    return told


def _lag(parts: Iterable[Mapping[str, Any]], name: str) -> float | None:
    """Return the p99 in seconds of the worst process, None where nothing was noted."""
    found = [percentile(part["health"][name], 99) for part in parts if part["health"][name]]
    return max(found, default=None)


def _client(parts: Sequence[Mapping[str, Any]], time_error: float, *, interrupted: bool) -> Client:
    if not parts:
        return Client(verdict="interrupted", reason="nothing was measured")
    health = [part["health"] for part in parts]
    cpu = max(one["cpu"] / one["wall"] if one["wall"] else 0.0 for one in health)
    events, merged = (sum(level[name] for part in parts for level in part["levels"]) for name in ("events", "merged"))
    stamped = all(one["stamped"] for one in health)
    sends, reads, loop = (_lag(parts, name) for name in ("sends", "reads", "loop"))
    share = merged / events if events else 0.0
    verdict: Verdict = "valid"
    reason = _unfit_to_send(cpu, sends, max(LATE_SEND, time_error))
    if not reason and stamped:
        reason = _unfit_to_read(reads, share if merged > FEW_MERGED else 0.0, time_error)
    elif not reason and loop is not None and loop > max(LATE_LOOP, time_error):
        limit = 1000 * max(LATE_LOOP, time_error)
        reason = f"the client was {1000 * loop:.1f} ms late at p99, at most {limit:g} ms are allowed"
    if reason:
        verdict, reason = "invalid", f"{reason}; and it ended before its time" if interrupted else reason
    elif interrupted:
        verdict, reason = "interrupted", "ended before its time; what was measured until then is partial"
    return Client(
        verdict=verdict,
        reason=reason,
        parts=len(parts),
        kernel_times=stamped,
        cpu=round(cpu, 4),
        send_lag_p99_ms=_milliseconds(sends),
        read_lag_p99_ms=_milliseconds(reads),
        loop_lag_p99_ms=_milliseconds(loop),
        merged_share=round(share, 6),
        stale_connections=sum(one["stale"] for one in health),
    )


def _unfit_to_send(cpu: float, sends: float | None, limit: float) -> str:
    """Return why requests were not sent as they had to be, or nothing."""
    if cpu > MOST_CPU:
        return f"the client used {100 * cpu:.0f} % of a core, at most {100 * MOST_CPU:.0f} % leave it room to keep up"
    if sends is not None and sends > limit:
        return f"requests were sent {1000 * sends:.1f} ms late at p99, at most {1000 * limit:g} ms are allowed"
    return ""


def _unfit_to_read(lag: float | None, merged: float, time_error: float) -> str:
    """Return why times are not those of the server's events, or nothing.

    The kernel tells when data arrived, so a time can be wrong only of an event that was read together with a later
    one, and then by no more than what came of it late: either that is rare, or that lateness is small.
    """
    if lag is None or lag <= time_error or merged <= MOST_MERGED:
        return ""
    return (
        f"events were read {1000 * lag:.1f} ms late at p99, {100 * merged:.1f} % of them together with a later one: "
        f"at most {1000 * time_error:g} ms or {100 * MOST_MERGED:g} % keep times true"
    )


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 4)
