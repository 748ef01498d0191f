from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest

from proving_ground.fleet.behaviour import Behaviour, Crash
from proving_ground.fleet.life import Stage
from proving_ground.fleet.podstatus import Run, is_ready, status_of
from proving_ground.fleet.views import ContainerView, PodView

NOW = dt.datetime(2026, 11, 20, 12, 0, 30, tzinfo=dt.UTC)
RUN = Run(pod_started=NOW, started=NOW, now=NOW, address="127.64.128.1", host_address="127.64.0.1")
POD = PodView(
    namespace="ns",
    name="pod",
    uid="1",
    node="n",
    labels={},
    annotations={},
    containers=(ContainerView("main", "image:1"), ContainerView("side", "image:2")),
    conditions=({"type": "PodScheduled", "status": "True"},),
)


def conditions(status: dict[str, Any]) -> dict[str, str]:
    return {c["type"]: c["status"] for c in status["conditions"]}


def test_a_ready_pod_is_running_with_its_address() -> None:
    status = status_of(POD, Behaviour(), Stage.READY, RUN)
    assert is_ready(status)
    assert (status["phase"], status["podIP"], status["hostIP"]) == ("Running", "127.64.128.1", "127.64.0.1")
    assert [c["ready"] for c in status["containerStatuses"]] == [True, True]


def test_conditions_of_others_are_kept() -> None:
    assert conditions(status_of(POD, Behaviour(), Stage.READY, RUN))["PodScheduled"] == "True"


def test_a_loading_pod_is_running_and_not_ready() -> None:
    status = status_of(POD, Behaviour(), Stage.LOADING, RUN)
    assert status["phase"] == "Running"
    assert not is_ready(status)
    assert "running" in status["containerStatuses"][0]["state"]


def test_a_closed_readiness_gate_keeps_a_pod_from_being_ready() -> None:
    pod = dataclasses.replace(POD, readiness_gates=("example.org/gate",))
    status = status_of(pod, Behaviour(), Stage.READY, RUN)
    assert (conditions(status)["ContainersReady"], conditions(status)["Ready"]) == ("True", "False")


def test_an_open_readiness_gate_lets_it() -> None:
    gate = {"type": "example.org/gate", "status": "True"}
    pod = dataclasses.replace(POD, readiness_gates=("example.org/gate",), conditions=(gate,))
    assert is_ready(status_of(pod, Behaviour(), Stage.READY, RUN))


@pytest.mark.parametrize("stage", [Stage.PULL_ERROR, Stage.PULL_BACKOFF])
def test_a_pod_whose_image_cannot_be_pulled_stays_pending(stage: Stage) -> None:
    status = status_of(POD, Behaviour(pull_fails=True), stage, dataclasses.replace(RUN, address=""))
    assert status["phase"] == "Pending"
    assert "podIP" not in status
    waiting = status["containerStatuses"][0]["state"]["waiting"]
    assert waiting["reason"] == stage.value
    assert "image:1" in waiting["message"]


def test_a_crashed_container_waits_and_says_how_it_ended() -> None:
    behaviour = Behaviour(crash=Crash(after=1.0, exit_code=137, reason="OOMKilled"))
    run = dataclasses.replace(RUN, restarts=2, ended=NOW, backoff=4.0)
    (container, _) = status_of(POD, behaviour, Stage.CRASHED, run)["containerStatuses"]
    assert container["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert container["restartCount"] == 2
    ended = container["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")


@pytest.mark.parametrize(("stage", "phase", "code"), [(Stage.COMPLETED, "Succeeded", 0), (Stage.FAILED, "Failed", 1)])
def test_a_pod_that_ended_says_how(stage: Stage, phase: str, code: int) -> None:
    status = status_of(POD, Behaviour(), stage, RUN)
    assert status["phase"] == phase
    assert status["containerStatuses"][0]["state"]["terminated"]["exitCode"] == code


def test_init_containers_have_completed_and_sidecars_run() -> None:
    pod = dataclasses.replace(POD, init_containers=(ContainerView("i", "x"), ContainerView("s", "x", sidecar=True)))
    first, second = status_of(pod, Behaviour(), Stage.READY, RUN)["initContainerStatuses"]
    assert first["state"]["terminated"]["exitCode"] == 0
    assert "running" in second["state"]


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    old = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    pod = dataclasses.replace(POD, conditions=(old,))
    for stage, moment in ((Stage.LOADING, "2026-01-01T00:00:00Z"), (Stage.READY, "2026-11-20T12:00:30Z")):
        (ready,) = [c for c in status_of(pod, Behaviour(), stage, RUN)["conditions"] if c["type"] == "Ready"]
        assert ready["lastTransitionTime"] == moment
