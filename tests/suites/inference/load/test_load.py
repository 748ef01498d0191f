"""The server under load: few errors, and times within limits that any sound server keeps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from proving_ground.load.measured.handover import measurements, of_load_test
from proving_ground.load.measured.plan import Level

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Loads

    from proving_ground.history.fixture import PerformanceHistory
    from proving_ground.load.measured.result import LevelResult, Measured
    from proving_ground.plugin.check_run import CheckRun

    Judge = Callable[..., LevelResult]

pytestmark = [pytest.mark.load]


def tell(check: CheckRun, name: str, value: float) -> None:
    """Record a metric, if there is one: of nothing there are no percentiles."""
    if math.isfinite(value):
        check.metric(name, value)


def at_most(check: CheckRun, level: LevelResult, metric: str, limit: float) -> None:
    found = level.value_of(metric)
    tell(check, f"{metric}_ms", found)
    assert not math.isnan(found), f"{metric}: expected at most {limit:g} ms, found no answer to take it of"
    assert found <= limit, f"{metric}: expected at most {limit:g} ms, found {found:.1f} ms"


def few_errors(level: LevelResult, limit: float) -> None:
    assert level.requests, "no request began while it was measured"
    worst = "; ".join(f"{count} x {what}" for what, count in level.problems.items())
    assert level.error_rate <= limit, (
        f"{100 * level.error_rate:.1f} % of {level.requests} requests failed, at most {100 * limit:g} % may: {worst}"
    )


@pytest.mark.pre_merge
async def test_few_requests_fail(loads: Loads, judged: Judge, check: CheckRun) -> None:
    """Under a steady load few requests fail."""
    measured = await loads.steady()
    # The load test that a report begins with is that of system `inference`.
    level = judged(measured, **({} if loads.further else of_load_test(measured)))
    check.attach("measured", measured.model_dump_json(indent=1))
    few_errors(level, loads.told.error_rate)


@pytest.mark.pre_merge
async def test_first_tokens_come_in_time(loads: Loads, check: CheckRun) -> None:
    """Under a steady load the first token of an answer comes in time."""
    level = (await loads.steady()).last
    at_most(check, level, "ttft_p99", loads.told.ttft_p99)


@pytest.mark.pre_merge
async def test_tokens_do_not_stall(loads: Loads, check: CheckRun) -> None:
    """Under a steady load there are no long pauses within an answer."""
    level = (await loads.steady()).last
    at_most(check, level, "itl_p99", loads.told.itl_p99)


@pytest.mark.pre_merge
async def test_tokens_come_fast_enough(loads: Loads, check: CheckRun) -> None:
    """Under a steady load each token after the first takes no longer than it may."""
    level = (await loads.steady()).last
    at_most(check, level, "tpot_p95", loads.told.tpot_p95)


@pytest.mark.pre_merge
async def test_answers_end_in_time(loads: Loads, check: CheckRun) -> None:
    """Under a steady load whole answers are there in time."""
    level = (await loads.steady()).last
    for part in (50, 95, 99):
        tell(check, f"p{part}_ms", level.value_of(f"e2e_p{part}"))
    at_most(check, level, "e2e_p95", loads.told.e2e_p95)


@pytest.mark.pre_merge
async def test_objectives_hold(loads: Loads, check: CheckRun) -> None:
    """Under a steady load the objectives that were asked for hold; without any, those of this suite."""
    measured = await loads.steady()
    level = measured.last
    check.metric("goodput", level.goodput)
    assert level.requests, "no request began while it was measured"
    assert not level.missed, "; ".join(level.missed)


@pytest.mark.pre_merge
@pytest.mark.performance
async def test_measurements_hold_to_the_gates(loads: Loads, performance_history: PerformanceHistory) -> None:
    """What a steady load measured holds to the stage's gates: limits, and what was measured before."""
    measured = measurements(await loads.steady(), suite="load", scenario=loads.scenario("steady"))
    record = performance_history.record(measured, configuration=loads.configuration, system=loads.target.name)
    performance_history.decide(record)


@pytest.mark.nightly
async def test_an_open_loop_keeps_its_objectives(loads: Loads, judged: Judge) -> None:
    """Requests that arrive whether others have ended or not are answered as well as others."""
    told = loads.told
    measured = await loads.made(
        "open-loop", arrivals="poisson", levels=told.level(told.rate), profile="burst", slos=told.objectives
    )
    level = judged(measured, good_share=measured.last.good_share)
    assert level.good_share >= told.good_share, (
        f"{100 * level.good_share:.1f} % of {level.requests} requests kept their objectives, "
        f"expected {100 * told.good_share:g} %: " + "; ".join(f"{n} x {what}" for what, n in level.problems.items())
    )


@pytest.mark.nightly
async def test_bursts_are_taken(loads: Loads, judged: Judge) -> None:
    """Many users at once who hardly pause get their answers, if later."""
    told = loads.told
    measured = await loads.made(
        "burst", arrivals="closed", levels=told.level(told.burst_users), profile="burst", spawn_rate=1000.0
    )
    level = judged(measured)
    few_errors(level, told.error_rate)


@pytest.mark.nightly
async def test_unstreamed_answers_come_in_time(loads: Loads, judged: Judge, check: CheckRun) -> None:
    """Answers that are not streamed are right and in time under the same load."""
    measured = await loads.made("unstreamed", streamed=False)
    level = judged(measured)
    few_errors(level, loads.told.error_rate)
    at_most(check, level, "e2e_p95", loads.told.e2e_p95)


@pytest.mark.weekly
async def test_throughput_holds_up_to_the_knee(loads: Loads, judged: Judge, check: CheckRun) -> None:
    """More users are served within objectives than one, and not at the expense of throughput."""
    told = loads.told
    measured = await loads.made(
        "knee", arrivals="closed", levels=told.rising(), profile="busy", slos=told.objectives, spawn_rate=1000.0
    )
    judged(measured)
    _show(measured, check, loads)
    first = measured.levels[0]
    assert measured.knee is not None, f"objectives break at {first.value:g} users: {'; '.join(first.missed)}"
    check.metric("knee_users", measured.knee)
    best = max(level.tokens_per_second for level in measured.levels if level.value <= measured.knee)
    check.metric("knee_tokens_per_second", best)
    grown = best / first.tokens_per_second
    assert measured.knee > first.value, f"only {first.value:g} users are served within objectives"
    assert grown >= told.growth, (
        f"up to {measured.knee:g} users there are {grown:.2f} times as many tokens per second as with "
        f"{first.value:g}, expected {told.growth:g} times"
    )


@pytest.mark.weekly
async def test_a_peak_leaves_no_trace(loads: Loads, judged: Judge, check: CheckRun) -> None:
    """After a ramp to many users and back the server is as fast as before."""
    told = loads.told
    few, many = float(told.steps[0]), float(told.burst_users)
    calm = Level(value=few, seconds=told.duration, warm_up=told.warm_up)
    ramp = [Level(value=few + (many - few) * part / 4, seconds=told.duration / 4, warm_up=0.0) for part in (1, 2, 3, 4)]
    whole = [level.model_copy(update={"value": float(round(level.value))}) for level in ramp]
    # What the peak began ends here, and is judged by nobody.
    back = Level(value=few, seconds=told.duration / 2, warm_up=0.0)
    measured = await loads.made("peak", arrivals="closed", levels=(calm, *whole, back, calm), profile="burst")
    judged(measured)
    _show(measured, check, loads)
    before, after = measured.levels[0].value_of("ttft_p50"), measured.last.value_of("ttft_p50")
    tell(check, "ttft_before_p50_ms", before)
    tell(check, "ttft_after_p50_ms", after)
    few_errors(measured.last, told.error_rate)
    limit = 2 * before + 250
    assert after <= limit, f"the first token took {before:.0f} ms before and {after:.0f} ms after, limit {limit:.0f} ms"


def _show(measured: Measured, check: CheckRun, loads: Loads) -> None:
    """Draw what each level came to."""
    check.plot(
        loads.drawn("throughput by level"),
        {"tokens per second": [(level.value, level.tokens_per_second) for level in measured.levels]},
        x="users",
        y="tokens per second",
    )
    lines = {
        name: [(level.value, level.value_of(f"ttft_p{name}")) for level in measured.levels] for name in ("50", "99")
    }
    shown = {f"p{name}": line for name, line in lines.items()}
    check.plot(loads.drawn("first token by level"), shown, x="users", y="ms")
