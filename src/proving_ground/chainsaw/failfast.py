"""States that end a wait at once, because the object has given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proving_ground.kube import ApiError, Reference, conditions, summarise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proving_ground import kube

ANNOTATION = "proving.ground/fail-fast-states"
_LOG_LINES = 50
_MOST_PODS = 10


def states(annotations: Mapping[str, str]) -> frozenset[str]:
    """Return the states that a test's annotation names, separated by commas."""
    return frozenset(state.strip() for state in annotations.get(ANNOTATION, "").split(",") if state.strip())


@dataclass(frozen=True)
class GivenUp:
    """An object in a final state."""

    obj: dict[str, Any]
    state: str
    reason: str
    message: str

    def __str__(self) -> str:
        """Return for example ``AIMService x/y reports Degraded: ImageNotFound: no such image``."""
        told = ": ".join(part for part in (self.reason, self.message) if part)
        return f"{Reference.of(self.obj)} reports {self.state}" + (f": {told}" if told else "")


def given_up(objects: Iterable[dict[str, Any]], final: frozenset[str]) -> GivenUp | None:
    """Return the first object whose status names a final state.

    A status that was written about an older generation of the object says nothing about this one, and an object
    that is being deleted is not judged any more.
    """
    if not final:
        return None
    for obj in objects:
        status, metadata = obj.get("status"), obj.get("metadata") or {}
        state = status.get("status") if isinstance(status, dict) else None
        if not isinstance(state, str) or state not in final or metadata.get("deletionTimestamp"):
            continue
        observed, generation = obj["status"].get("observedGeneration"), metadata.get("generation")
        if isinstance(observed, int) and isinstance(generation, int) and observed < generation:
            continue
        reason, message = explanation(obj)
        return GivenUp(obj, state, reason, message)
    return None


def explanation(obj: dict[str, Any]) -> tuple[str, str]:
    """Return reason and message of the condition that says what is wrong.

    Conditions that name a failure come first, then those that are not true; among equals those with a message.
    """

    def rank(condition: tuple[str, str, str, str]) -> tuple[int, bool]:
        kind, status, _, message = condition
        failure = "fail" in kind.lower() or "degraded" in kind.lower()
        order = 0 if failure and status == "True" else 1 if not failure and status == "False" else 2
        return order, not message

    ranked = sorted(conditions(obj), key=rank)
    if not ranked or rank(ranked[0])[0] > 1:
        return "", ""
    return ranked[0][2], ranked[0][3]


async def diagnose(cluster: kube.Cluster, obj: dict[str, Any], *, whole_namespace: bool) -> list[tuple[str, str]]:
    """Return what a person needs to understand why an object gave up: conditions, events, logs.

    Args:
        cluster: Where.
        obj: The object.
        whole_namespace: Whether every pod of its namespace belongs to it, as in a namespace made for one test.

    Returns:
        Names and texts of attachments.
    """
    reference = Reference.of(obj)
    found = [(f"{reference.kind} {reference.name}: state", summarise(obj).replace("; ", "\n"))]
    found.append((f"{reference.kind} {reference.name}: events", await _events(cluster, reference)))
    if not reference.namespace:
        return found
    try:
        pods = await cluster.list("v1", "Pod", reference.namespace)
    except ApiError as error:
        return [*found, ("pods", f"could not be listed: {error}")]
    for pod in [p for p in pods if whole_namespace or belongs(p, reference.name)][:_MOST_PODS]:
        name = pod["metadata"]["name"]
        found.append((f"Pod {name}: state", _containers(pod)))
        found.append((f"Pod {name}: events", await _events(cluster, Reference.of(pod))))
        found += await logs(cluster, pod)
    return found


def belongs(pod: dict[str, Any], owner: str) -> bool:
    """Tell whether a pod carries an owner's name, as name, prefix or label."""
    metadata = pod["metadata"]
    name = str(metadata["name"])
    return name == owner or name.startswith(f"{owner}-") or owner in (metadata.get("labels") or {}).values()


async def logs(cluster: kube.Cluster, pod: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the last log lines of each container of a pod; those of its previous life where it was restarted."""
    found = []
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    restarted = {
        s["name"] for s in (pod.get("status") or {}).get("containerStatuses") or [] if s.get("restartCount", 0) > 0
    }
    for one in [c["name"] for c in pod["spec"]["containers"]]:
        for previous in (False, True) if one in restarted else (False,):
            title = f"Pod {name}: log of {one}" + (", before its restart" if previous else "")
            try:
                text = await cluster.logs(name, namespace, container=one, tail=_LOG_LINES, previous=previous)
            except ApiError as error:
                text = f"no log: {error}"
            found.append((title, text or "(empty)"))
    return found


async def _events(cluster: kube.Cluster, about: Reference) -> str:
    try:
        events = await cluster.events(about)
    except ApiError as error:
        return f"could not be read: {error}"
    return "\n".join(describe_event(event) for event in events) or "(none)"


def describe_event(event: dict[str, Any]) -> str:
    """Return one Kubernetes event as a line."""
    about = event.get("involvedObject") or {}
    moment = event.get("lastTimestamp") or event.get("eventTime") or ""
    count = event.get("count") or 1
    times = f" ({count} times)" if count > 1 else ""
    return (
        f"{moment} {event.get('type', '')} {event.get('reason', '')} {about.get('kind', '')}/{about.get('name', '')}: "
        f"{event.get('message', '')}{times}"
    )


def _containers(pod: dict[str, Any]) -> str:
    status = pod.get("status") or {}
    lines = [f"phase {status.get('phase', 'unknown')}"]
    lines += [f"{kind}={state} {reason} {message}".rstrip() for kind, state, reason, message in conditions(pod)]
    for container in status.get("containerStatuses") or []:
        for state, facts in (container.get("state") or {}).items():
            reason = " ".join(
                str(facts[key]) for key in ("reason", "exitCode", "message") if facts.get(key) is not None
            )
            lines.append(
                f"container {container['name']}: {state} {reason}; {container.get('restartCount', 0)} restarts"
            )
    return "\n".join(lines)
