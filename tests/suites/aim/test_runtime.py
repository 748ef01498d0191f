"""The life of a workload: waiting for GPUs, loading, crashing, going."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.aim.verification import EAI, SIMULATION, word_of
from proving_ground.kube import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proving_ground.aim.verification import Aim
    from proving_ground.kube import Object

pytestmark = [pytest.mark.integration, pytest.mark.gpu_1, pytest.mark.feature("AIM runtime")]

OWNED = (("apps/v1", "Deployment"), ("apps/v1", "ReplicaSet"), ("v1", "Service"), ("v1", "Pod"))


def is_unschedulable(pods: Sequence[Object]) -> bool:
    """Tell whether the scheduler has said of a pod that it fits nowhere."""
    return any(
        (c.get("type"), c.get("status"), c.get("reason")) == ("PodScheduled", "False", "Unschedulable")
        for pod in pods
        for c in pod["status"].get("conditions") or []
    )


def is_loading(pods: Sequence[Object]) -> bool:
    """Tell whether a container runs that is not ready yet."""
    return any(
        "running" in (c.get("state") or {}) and not c.get("ready")
        for pod in pods
        for c in pod["status"].get("containerStatuses") or []
    )


@pytest.mark.nightly
@pytest.mark.needs_faults
async def test_no_gpu_free(aim: Aim, single_gpu: str) -> None:
    """A service waits as Starting while others hold the GPUs, and runs once they are free."""
    spec: dict[str, Any] = aim.gpu_override(single_gpu, 1)
    image = aim.image()
    await aim.create("holder", image, **spec)
    await aim.becomes("holder", "Running")
    await aim.create("waiting", image, **spec)
    await aim.pods("waiting", is_unschedulable, what="a pod that fits nowhere")
    assert word_of(await aim.becomes("waiting", "Starting")) == "Starting"
    await aim.delete("holder")
    await aim.becomes("waiting", "Running")


@pytest.mark.nightly
@pytest.mark.needs_faults
async def test_slow_start_stays_starting(aim: Aim) -> None:
    """A model that loads for long is Starting all the while, not more and not less."""
    await aim.create("model", aim.image(), annotations={SIMULATION + "load-seconds": "3600"})
    await aim.pods("model", is_loading, what="a container that loads")
    await aim.becomes("model", "Starting")


@pytest.mark.nightly
@pytest.mark.needs_faults
async def test_crash_while_loading(aim: Aim) -> None:
    """A container that dies while it loads degrades the service, and the condition says how it died."""
    await aim.create("model", aim.image(), annotations={SIMULATION + "crash": "after=0.3"})
    assert "exit code" in await aim.ends_as("model", "crash")


@pytest.mark.nightly
@pytest.mark.needs_faults
async def test_crash_after_running(aim: Aim) -> None:
    """A service that ran and whose container dies is degraded."""
    annotations = {SIMULATION + "load-seconds": "0.2", SIMULATION + "crash": "after=4"}
    await aim.create("model", aim.image(), annotations=annotations)
    await aim.becomes("model", "Running")
    aim.told(await aim.turns("model", "Degraded"), "crash")


@pytest.mark.nightly
async def test_deletion_leaves_nothing(aim: Aim) -> None:
    """With a service everything goes that was made for it."""
    await aim.create("model", aim.image())
    await aim.becomes("model", "Running")
    await aim.delete("model")
    limit = aim.check.settings.cut(30)
    label = {f"{aim.group}/service.name": "model"}
    await asyncio.gather(
        *(
            aim.cluster.wait_for_objects(
                Target(version, kind, aim.namespace, labels=label),
                lambda objects: not objects,
                timeout=limit,
                what=f"no {kind} left",
            )
            for version, kind in OWNED
        )
    )


@pytest.mark.nightly
async def test_running_is_said_with_its_conditions(aim: Aim) -> None:
    """A running service carries the conditions that others wait for."""
    await aim.create("model", aim.image())
    service = await aim.becomes("model", "Running")
    found = {c["type"]: c["status"] for c in service["status"]["conditions"]}
    expected = {"Ready": "True"}
    if aim.group == EAI:
        expected |= {"ModelReady": "True", "TemplateReady": "True", "InferenceServiceReady": "True"}
    else:
        expected |= {"RuntimeReady": "True", "RoutingReady": "True", "Progressing": "False"}
    assert expected.items() <= found.items()
