"""A watch that is quicker than the answer to a request must not make a waiter believe in what is gone."""

from __future__ import annotations

from typing import Any

import pytest

from proving_ground.kube import Target
from proving_ground.kube.following import Following

TARGET = Target("v1", "Pod", "n", "p")


def pod(version: int) -> dict[str, Any]:
    metadata = {"name": "p", "namespace": "n", "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}


@pytest.mark.parametrize("answered", [7, 8])
def test_an_object_whose_end_came_before_the_answer_that_tells_of_it_is_gone(answered: int) -> None:
    following = Following(TARGET)

    following.observe("MODIFIED", pod(7))
    following.observe("DELETED", pod(9))
    following.seed([pod(answered)])

    assert following.objects == []


def test_an_object_made_anew_after_that_end_is_there() -> None:
    following = Following(TARGET)

    following.observe("DELETED", pod(9))
    following.seed([pod(10)])

    assert [obj["metadata"]["resourceVersion"] for obj in following.objects] == ["10"]


@pytest.mark.parametrize(
    ("joined_at", "known", "enough"), [("", 5, True), ("4", 5, True), ("5", 5, False), ("6", 5, False)]
)
def test_a_known_state_is_enough_only_where_its_end_is_still_to_come(
    joined_at: str, known: int, *, enough: bool
) -> None:
    following = Following(TARGET)
    following.joined_at = joined_at

    assert following.may_start_from([pod(known)]) is enough
