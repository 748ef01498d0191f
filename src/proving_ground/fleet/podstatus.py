"""The status of a pod as the kubelet would write it, from its stage."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proving_ground.fleet.life import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proving_ground.fleet.behaviour import Behaviour
    from proving_ground.fleet.views import ContainerView, PodView

OWN_CONDITIONS = frozenset({"PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"})
_PULL_MESSAGES = {
    Stage.PULL_ERROR: 'failed to pull and unpack image "{image}": not found',
    Stage.PULL_BACKOFF: 'Back-off pulling image "{image}": ErrImagePull: not found',
}


def rfc3339(moment: dt.datetime) -> str:
    """Write a moment as Kubernetes does, to the second."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Run:
    """The present run of a pod's containers, as the status tells it."""

    pod_started: dt.datetime
    started: dt.datetime
    now: dt.datetime
    restarts: int = 0
    ended: dt.datetime | None = None
    """When the last run before it ended by a crash, if one did."""
    backoff: float = 0.0
    address: str = ""
    host_address: str = ""


def _terminated(behaviour: Behaviour, run: Run, stage: Stage) -> dict[str, Any]:
    crash = behaviour.crash
    good = stage is Stage.COMPLETED
    return {
        "terminated": {
            "exitCode": 0 if good else crash.exit_code if crash else 1,
            "reason": "Completed" if good else crash.reason if crash else "Error",
            "startedAt": rfc3339(run.started),
            "finishedAt": rfc3339(run.ended or run.now),
        }
    }


def _state(pod: PodView, image: str, behaviour: Behaviour, stage: Stage, run: Run) -> dict[str, Any]:
    if stage in _PULL_MESSAGES:
        return {"waiting": {"reason": stage.value, "message": _PULL_MESSAGES[stage].format(image=image)}}
    if stage is Stage.CRASHED:
        text = f"back-off {run.backoff:g}s restarting failed container={pod.containers[0].name} pod={pod.name}"
        return {"waiting": {"reason": "CrashLoopBackOff", "message": f"{text}_{pod.namespace}({pod.uid})"}}
    if stage.final:
        return _terminated(behaviour, run, stage)
    return {"running": {"startedAt": rfc3339(run.started)}}


def _container(pod: PodView, container: ContainerView, behaviour: Behaviour, stage: Stage, run: Run) -> dict[str, Any]:
    crashed_before = run.ended is not None and not stage.final
    return {
        "name": container.name,
        "image": container.image,
        "imageID": "" if behaviour.pull_fails else f"sim://{container.image}",
        "containerID": "" if behaviour.pull_fails else f"sim://{pod.uid}/{container.name}/{run.restarts}",
        "ready": stage is Stage.READY,
        "started": stage.live,
        "restartCount": run.restarts,
        "state": _state(pod, container.image, behaviour, stage, run),
        "lastState": _terminated(behaviour, run, Stage.CRASHED) if crashed_before else {},
    }


def _init_container(container: ContainerView, run: Run, *, pulled: bool) -> dict[str, Any]:
    begin = rfc3339(run.pod_started)
    if container.sidecar:
        state: dict[str, Any] = {"running": {"startedAt": begin}}
    else:
        state = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": begin, "finishedAt": begin}}
    if not pulled:
        state = {"waiting": {"reason": "PodInitializing"}}
    return {
        "name": container.name,
        "image": container.image,
        "imageID": f"sim://{container.image}" if pulled else "",
        "ready": pulled,
        "started": pulled and container.sidecar,
        "restartCount": 0,
        "state": state,
    }


def _conditions(pod: PodView, stage: Stage, now: str) -> list[dict[str, Any]]:
    before = {c["type"]: c for c in pod.conditions}
    ready = stage is Stage.READY
    reason = "PodCompleted" if stage is Stage.COMPLETED else "ContainersNotReady"
    names = ", ".join(c.name for c in pod.containers)
    gates_open = all(before.get(gate, {}).get("status") == "True" for gate in pod.readiness_gates)
    wanted: dict[str, tuple[bool, str, str]] = {
        "PodReadyToStartContainers": (not stage.final, "", ""),
        "Initialized": (True, "PodCompleted" if stage is Stage.COMPLETED else "", ""),
        "ContainersReady": (
            ready,
            "" if ready else reason,
            "" if ready else f"containers with unready status: [{names}]",
        ),
        "Ready": (
            ready and gates_open,
            "" if ready and gates_open else "ReadinessGatesNotReady" if ready else reason,
            "" if ready else f"containers with unready status: [{names}]",
        ),
    }
    conditions = [dict(c) for c in pod.conditions if c["type"] not in OWN_CONDITIONS]
    for kind, (good, why, message) in wanted.items():
        status = "True" if good else "False"
        old = before.get(kind)
        moment = (
            old["lastTransitionTime"] if old and old.get("status") == status and "lastTransitionTime" in old else now
        )
        condition = {"type": kind, "status": status, "lastTransitionTime": moment}
        condition |= {"reason": why} if why else {}
        condition |= {"message": message} if message else {}
        conditions.append(condition)
    return conditions


def is_ready(status: Mapping[str, Any]) -> bool:
    """Say whether a status says Ready."""
    conditions: Iterable[Mapping[str, Any]] = status.get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def status_of(pod: PodView, behaviour: Behaviour, stage: Stage, run: Run) -> dict[str, Any]:
    """Build the status that replaces a pod's present one.

    Returns:
        The ``status`` object of a merge patch: phase, addresses, conditions, container statuses.
    """
    pulled = not behaviour.pull_fails
    phase = {Stage.COMPLETED: "Succeeded", Stage.FAILED: "Failed"}.get(stage, "Running" if pulled else "Pending")
    now = rfc3339(run.now)
    status: dict[str, Any] = {
        "phase": phase,
        "hostIP": run.host_address,
        "hostIPs": [{"ip": run.host_address}],
        "startTime": rfc3339(run.pod_started),
        "conditions": _conditions(pod, stage, now),
        "containerStatuses": [_container(pod, c, behaviour, stage, run) for c in pod.containers],
    }
    if run.address:
        status |= {"podIP": run.address, "podIPs": [{"ip": run.address}]}
    if pod.init_containers:
        status["initContainerStatuses"] = [_init_container(c, run, pulled=pulled) for c in pod.init_containers]
    return status
