"""What is known about one AIMService at one moment, as plain values; everything that its status follows from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proving_ground.aim.catalogue import Entry

Json = Mapping[str, Any]

_PULL_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
)
_CRASH_REASONS = frozenset({"CrashLoopBackOff", "RunContainerError", "CreateContainerError", "StartError"})


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """A reason in CamelCase and a sentence for people."""

    reason: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class PodFact:
    """What counts about one pod of a service."""

    name: str
    revision: str
    ready: bool = False
    started: bool = False
    unschedulable: str = ""
    pull_error: str = ""
    crash: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Workload:
    """The pods of a service's current revision, summed up."""

    created: bool = False
    wanted: int = 1
    ready: int = 0
    started: int = 0
    unschedulable: str = ""
    pull_error: str = ""
    crash: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether as many pods are ready as the service asks for."""
        return self.created and self.ready >= self.wanted


@dataclasses.dataclass(frozen=True, slots=True)
class Routing:
    """What the service asks for about its route."""

    enabled: bool = False
    has_gateway: bool = False
    path: str = ""
    path_error: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Observation:
    """Everything that the status of a service follows from."""

    name: str
    namespace: str
    generation: int
    reference: str
    by_image: bool = True
    entry: Entry | None = None
    reconcile_error: str = ""
    runtime_config: str = "default"
    runtime_config_found: bool = True
    template: str = ""
    template_problem: str = ""
    unoptimized_refused: bool = False
    cache_requested: bool = False
    kv_cache_requested: bool = False
    pull_problem: str = ""
    token_problem: str = ""
    workload: Workload = Workload()
    routing: Routing = Routing()
    faults: frozenset[str] = frozenset()
    starting_for: float = 0.0


def pod_fact(pod: Json, revision_annotation: str) -> PodFact:
    """Sum up a pod as the API server returns it; absent fields count as nothing known."""
    metadata, status = pod.get("metadata") or {}, pod.get("status") or {}
    conditions = {c.get("type"): c for c in status.get("conditions") or []}
    scheduled = conditions.get("PodScheduled") or {}
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    ready = (conditions.get("Ready") or {}).get("status") == "True"
    phase = status.get("phase", "")
    crash = "" if ready else next((text for c in containers if (text := _crash(c))), "")
    if phase == "Failed" and not crash:
        crash = _sentence(status.get("reason") or "Failed", status.get("message"))
    return PodFact(
        name=str(metadata.get("name", "")),
        revision=str((metadata.get("annotations") or {}).get(revision_annotation, "")),
        ready=ready,
        started=phase in {"Running", "Failed", "Succeeded"},
        unschedulable=str(scheduled.get("message") or scheduled.get("reason") or "")
        if scheduled.get("status") == "False"
        else "",
        pull_error=next((text for c in containers if (text := _pull_error(c))), ""),
        crash=crash,
    )


def workload(pods: Iterable[PodFact], *, revision: str, wanted: int, created: bool) -> Workload:
    """Sum up the pods of one revision; pods of others are leftovers of an earlier spec and do not count."""
    current = sorted((pod for pod in pods if pod.revision == revision), key=lambda pod: pod.name)
    return Workload(
        created=created,
        wanted=wanted,
        ready=sum(pod.ready for pod in current),
        started=sum(pod.started for pod in current),
        unschedulable=next((pod.unschedulable for pod in current if pod.unschedulable), ""),
        pull_error=next((pod.pull_error for pod in current if pod.pull_error), ""),
        crash=next((pod.crash for pod in current if pod.crash), ""),
    )


def _sentence(reason: object, message: object) -> str:
    return f"{reason}: {message}" if message else str(reason)


def _pull_error(container: Json) -> str:
    waiting = (container.get("state") or {}).get("waiting") or {}
    if waiting.get("reason") not in _PULL_REASONS:
        return ""
    return _sentence(waiting["reason"], waiting.get("message"))


def _crash(container: Json) -> str:
    state, last = container.get("state") or {}, container.get("lastState") or {}
    ended = state.get("terminated") or last.get("terminated") or {}
    if ended.get("exitCode"):
        text = f"container {container.get('name')} ended with exit code {ended['exitCode']}"
        return _sentence(text, ended.get("message") or ended.get("reason"))
    waiting = state.get("waiting") or {}
    if waiting.get("reason") in _CRASH_REASONS:
        return _sentence(waiting["reason"], waiting.get("message"))
    return ""
