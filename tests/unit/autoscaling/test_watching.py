"""Watching a scaler and its target: nothing that was told is missed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.autoscaling.watching import Seen, watched
from proving_ground.kube import Reference, WaitTimeoutError

if TYPE_CHECKING:
    from proving_ground.kube import Cluster
    from proving_ground.kube.testing import MemoryApi


async def until(seen: Seen, what: Any, value: int) -> None:
    await seen.until_value(what, value, seconds=2)


def test_every_state_is_seen_also_of_those_that_come_at_once(run: Any, check: Any, make: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.put(make.deployment(replicas=1))
        api.put(make.scaler(desiredScale=1))
        async with watched(cluster, check, "s", "ns") as seen:
            for replicas in (2, 9, 2, 3):
                api.put(make.deployment(replicas=replicas))
            await until(seen, "replicas", 3)
        assert seen.values() == [1, 2, 9, 2, 3]
        assert seen.steps() == [(1, 2), (2, 9), (9, 2), (2, 3)]
        assert (seen.highest(), seen.lowest(), seen.last()) == (9, 1, 3)
        with pytest.raises(AssertionError, match="expected never above 5, found replicas 9"):
            seen.never_above(5)
        seen.never_above(9)

    run(scenario)


def test_each_scaling_is_noted_on_the_timeline(run: Any, check: Any, make: Any, notes: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.put(make.deployment(replicas=1))
        api.put(make.scaler())
        async with watched(cluster, check, "s", "ns") as seen:
            api.put(make.deployment(replicas=4))
            await until(seen, "replicas", 4)

    run(scenario)
    assert notes.notes == [("scale", "ns/target", "1 -> 4")]


def test_a_scaler_may_come_later_where_the_target_is_named(run: Any, check: Any, make: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.put(make.deployment(replicas=1))
        target = Reference("apps/v1", "Deployment", "target", "ns")
        async with watched(cluster, check, "s", "ns", target=target) as seen:
            api.put(make.scaler(desiredScale=6))
            await until(seen, "desired", 6)
            with pytest.raises(AssertionError, match="found desired 6"):
                seen.never_above(5)

    run(scenario)


def test_pods_are_counted_as_they_come_and_go(run: Any, check: Any, make: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.put(make.deployment(replicas=1))
        api.put(make.scaler())
        api.put(make.pod("a"))
        api.put(make.pod("stranger", "other"))
        async with watched(cluster, check, "s", "ns") as seen:
            api.put(make.pod("b", ready=False))
            await until(seen, "pods", 2)
            api.put(make.pod("b"))
            await until(seen, "ready", 2)
            api.remove("Pod", "a")
            await until(seen, "pods", 1)
        assert seen.values("pods") == [1, 2, 1]

    run(scenario)


def test_what_did_not_change_is_unchanged(run: Any, check: Any, make: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.put(make.deployment(replicas=2))
        api.put(make.scaler(desiredScale=2))
        async with watched(cluster, check, "s", "ns") as seen:
            api.set_status("BudAIScaler", "s", {"desiredScale": 2, "actualScale": 1})
            await until(seen, "actual", 1)
            seen.unchanged()
            api.set_status("BudAIScaler", "s", {"desiredScale": 3})
            await until(seen, "desired", 3)
        with pytest.raises(AssertionError, match="expected no change, found desired 3"):
            seen.unchanged()

    run(scenario)


def test_below_is_told_like_above(check: Any, make: Any) -> None:
    seen = Seen("ns/target", check)
    for replicas in (3, 1, 3):
        seen.target(make.deployment(replicas=replicas))
    with pytest.raises(AssertionError, match="expected never below 2, found replicas 1"):
        seen.never_below(2)


def test_of_what_was_not_seen_nothing_can_be_said(check: Any) -> None:
    seen = Seen("ns/target", check)
    with pytest.raises(AssertionError, match="no replicas was seen"):
        seen.never_above(5)
    with pytest.raises(AssertionError, match="no pods was seen"):
        seen.last("pods")


def test_a_series_is_a_curve_of_steps(check: Any, make: Any) -> None:
    seen = Seen("ns/target", check)
    seen.target(make.deployment(replicas=1))
    seen.target(make.deployment(replicas=3))
    values = [value for _, value in seen.series()]
    assert values == [1, 1, 3, 3]
    assert seen.series("pods") == []


def test_settled_ends_when_nothing_changes_any_more(check: Any, make: Any) -> None:
    async def scenario() -> None:
        seen = Seen("ns/target", check)
        seen.target(make.deployment(replicas=1))
        waiting = asyncio.create_task(seen.settled(0.05, seconds=2))
        await asyncio.sleep(0)
        seen.target(make.deployment(replicas=2))
        await waiting
        assert seen.last() == 2

    asyncio.run(scenario())


def test_what_never_settles_is_told(make_check: Any, make: Any) -> None:
    async def scenario() -> None:
        seen = Seen("ns/target", make_check(wait_limit=0.02))

        async def flap() -> None:
            while True:
                for replicas in (1, 2):
                    seen.target(make.deployment(replicas=replicas))
                    await asyncio.sleep(0.005)

        flapping = asyncio.create_task(flap())
        with pytest.raises(WaitTimeoutError, match="still changes"):
            await seen.settled(0.05, seconds=2)
        flapping.cancel()

    asyncio.run(scenario())


def test_a_wait_that_ends_in_vain_tells_what_was_seen(make_check: Any, make: Any) -> None:
    async def scenario() -> None:
        seen = Seen("ns/target", make_check(wait_limit=0.02))
        seen.target(make.deployment(replicas=7))
        with pytest.raises(WaitTimeoutError, match=r"(?s)replicas 8; seen:.*replicas 7"):
            await seen.until_value("replicas", 8, seconds=10)

    asyncio.run(scenario())


def test_a_scaler_or_target_that_is_not_there_is_told(run: Any, check: Any, make: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        with pytest.raises(AssertionError, match="there is no BudAIScaler ns/s"):
            async with watched(cluster, check, "s", "ns"):
                pass
        api.put(make.scaler())
        with pytest.raises(AssertionError, match="there is no Deployment ns/target"):
            async with watched(cluster, check, "s", "ns"):
                pass

    run(scenario)
