"""Requests that wait, as what is scaled on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from proving_ground.autoscaling.verification import Autoscaling

MOST = 3


@pytest.mark.nightly
async def test_a_queue_brings_replicas_within_the_maximum(autoscaling: Autoscaling) -> None:
    """Requests that wait bring replicas, at no moment more than the maximum."""
    await autoscaling.workload("queue")
    source = autoscaling.pod_source("vllm_num_requests_waiting", "10")
    async with autoscaling.watched("queue") as seen:
        await autoscaling.scaler("queue", source=source, maximum=MOST)
        await autoscaling.mocks.set("queue", requests_waiting=40)
        await autoscaling.desired("queue", lambda n: n == MOST, what=f"{MOST} replicas")
        await autoscaling.rounds("queue", 4)
    seen.never_above(MOST)
