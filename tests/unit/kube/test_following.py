"""What a waiter knows, fed by hand."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proving_ground.kube.following import Following, is_newer
from proving_ground.kube.references import Target


def obj(name: str, version: int, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "ns", "resourceVersion": str(version), "labels": labels}}


def versions(following: Following) -> list[str]:
    return [o["metadata"]["resourceVersion"] for o in following.objects]


@pytest.mark.parametrize(
    ("version", "than", "newer"),
    [("10", "9", True), ("9", "10", False), ("9", "9", False), ("b", "a", True), ("a", "a", False)],
)
def test_versions_are_compared_as_numbers(version: str, than: str, newer: bool) -> None:
    assert is_newer(version, than) is newer


def test_an_event_that_is_older_than_what_was_read_changes_nothing() -> None:
    following = Following(Target("v1", "Pod", "ns", "a"))
    following.seed([obj("a", 7)])

    following.observe("MODIFIED", obj("a", 5))
    following.observe("DELETED", obj("a", 6))

    assert versions(following) == ["7"]


def test_newer_events_and_deletions_count() -> None:
    following = Following(Target("v1", "Pod", "ns", "a"))
    following.seed([obj("a", 7)])

    following.observe("MODIFIED", obj("a", 8))
    assert versions(following) == ["8"]
    following.observe("DELETED", obj("a", 9))
    assert versions(following) == []


def test_an_object_of_another_target_is_not_taken_in() -> None:
    following = Following(Target("v1", "Pod", "ns", "a"))

    following.observe("ADDED", obj("b", 1))

    assert versions(following) == []


def test_an_object_that_loses_its_label_leaves_the_target() -> None:
    following = Following(Target("v1", "Pod", "ns", labels={"app": "x"}))
    following.observe("ADDED", obj("a", 1, app="x"))

    following.observe("MODIFIED", obj("a", 2, app="y"))

    assert versions(following) == []


def test_a_list_removes_what_was_deleted_while_nobody_watched() -> None:
    following = Following(Target("v1", "Pod", "ns"))
    following.seed([obj("a", 3), obj("b", 9)])

    following.reconcile({}, "5")

    assert versions(following) == ["9"], "b is newer than the list, which cannot know it"


def test_a_wait_ends_with_a_change_or_with_its_time() -> None:
    async def scenario() -> tuple[bool, bool]:
        following = Following(Target("v1", "Pod", "ns"))
        nothing = await following.change(0.001)
        following.observe("ADDED", obj("a", 1))
        return nothing, await following.change(10)

    assert asyncio.run(scenario()) == (False, True)


def test_a_failure_of_the_watch_reaches_the_waiter_again_and_again() -> None:
    async def scenario() -> None:
        following = Following(Target("v1", "Pod", "ns"))
        following.fail(RuntimeError("lost"))
        for _ in range(2):
            with pytest.raises(RuntimeError, match="lost"):
                await following.change(10)

    asyncio.run(scenario())
