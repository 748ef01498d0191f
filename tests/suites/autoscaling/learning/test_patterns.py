"""Patterns of traffic: told when they are there, and only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from proving_ground.autoscaling.learning import Learning

pytestmark = [pytest.mark.integration, pytest.mark.gpu_0, pytest.mark.feature("autoscaling patterns")]

STEADY = "steady_state"
SETTLED = 14
"""Rounds after which the autoscaler knows what is usual."""
SETTLED_LONG = 28
"""Rounds after which it knows that well enough to tell a rise by half from noise."""


async def _pressure(autoscaling: Learning, name: str) -> None:
    await autoscaling.mocks.set_pattern(name, "kv_pressure", duration=600)


async def _batch(autoscaling: Learning, name: str) -> None:
    await autoscaling.mocks.set_pattern(name, "batch_spike", duration=autoscaling.rounds_last(60))


async def _drain(autoscaling: Learning, name: str) -> None:
    await autoscaling.mocks.set_pattern(name, "traffic_drain", duration=autoscaling.rounds_last(12))


async def _spike(autoscaling: Learning, name: str) -> None:
    await autoscaling.mocks.set(name, gpu_cache=60, requests_running=22, requests_waiting=3)


async def _cold_start(autoscaling: Learning, name: str) -> None:
    await autoscaling.mocks.set(name, gpu_cache=8, requests_running=6, requests_waiting=0)


PRODUCED: dict[str, tuple[dict[str, float], Callable[[Learning, str], Awaitable[None]]]] = {
    "kv_cache_pressure": ({}, _pressure),
    "batch_ingestion": ({}, _batch),
    "traffic_drain": ({}, _drain),
    "traffic_spike": ({"gpu_cache": 50, "requests_running": 12, "requests_waiting": 2}, _spike),
    "cold_start": ({"gpu_cache": 2, "requests_running": 0, "requests_waiting": 0}, _cold_start),
}
"""Pattern -> what is set before (nothing: the mock's normal traffic), and what produces it."""


@pytest.mark.nightly
@pytest.mark.parametrize("pattern", PRODUCED)
async def test_pattern_is_told(autoscaling: Learning, pattern: str) -> None:
    """A pattern is told when the traffic shows it, not before, and no other one meanwhile."""
    before, produce = PRODUCED[pattern]
    name = pattern.replace("_", "-")
    await autoscaling.learner(name)
    if before:
        await autoscaling.mocks.set(name, **before)
    async with autoscaling.patterns(name) as told:
        await autoscaling.rounds(name, SETTLED_LONG if pattern == "traffic_spike" else SETTLED)
        assert set(told) <= {STEADY}, f"before anything happened, told {told}"
        await produce(autoscaling, name)
        await autoscaling.pattern(name, pattern)
    assert set(told) <= {STEADY, pattern}, f"only {pattern} was produced, told {told}"


@pytest.mark.nightly
async def test_pattern_ends_with_its_traffic(autoscaling: Learning) -> None:
    """When the traffic is as usual again, so is what is told of it."""
    await autoscaling.learner("passing")
    await autoscaling.rounds("passing", SETTLED)
    await _pressure(autoscaling, "passing")
    await autoscaling.pattern("passing", "kv_cache_pressure")
    await autoscaling.mocks.set_pattern("passing", "normal", duration=600)
    await autoscaling.pattern("passing", STEADY)


@pytest.mark.nightly
async def test_usual_traffic_is_steady(autoscaling: Learning) -> None:
    """Traffic that only varies as it always does is told as steady."""
    await autoscaling.learner("usual")
    async with autoscaling.patterns("usual") as told:
        await autoscaling.rounds("usual", 2 * SETTLED)
    assert set(told) == {STEADY}, f"the traffic was steady, told {told}"
