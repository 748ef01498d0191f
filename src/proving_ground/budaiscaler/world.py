"""What the watches tell: the pods, workloads and namespaces that scalers refer to."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from proving_ground.chainsaw.label_selectors import Requirement
from proving_ground.chainsaw.quantities import parse_quantity

Json = Mapping[str, Any]
Key = tuple[str, str]
"""Namespace and name."""

PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "ReplicaSet": "replicasets"}


@dataclass(frozen=True, slots=True)
class Requests:
    """What a pod's containers ask for together; zero where one of them asks for nothing."""

    millicores: float = 0.0
    bytes: float = 0.0


@dataclass(frozen=True, slots=True)
class PodFact:
    """What matters about a pod.

    Attributes:
        name: Its name.
        uid: Its identity.
        labels: Its labels.
        address: Its IP address, or empty.
        alive: Neither being deleted nor at its end; such a pod counts as a replica.
        ready: Running, with the condition Ready.
        requests: What its containers ask for.
    """

    name: str
    uid: str
    labels: Mapping[str, str]
    address: str
    alive: bool
    ready: bool
    requests: Requests


@dataclass(frozen=True, slots=True)
class WorkloadFact:
    """What matters about a Deployment, StatefulSet or ReplicaSet."""

    kind: str
    namespace: str
    name: str
    version: int
    replicas: int
    selector: tuple[Requirement, ...]
    labels: Mapping[str, str]
    """``matchLabels`` of its selector."""

    @property
    def path(self) -> str:
        """Path of the object on the API server."""
        return f"/apis/apps/v1/namespaces/{self.namespace}/{PLURALS[self.kind]}/{self.name}"

    @property
    def label_selector(self) -> str:
        """The selector as requests to the API server take it."""
        return ",".join(_written(requirement) for requirement in self.selector)


class World:
    """What is known, as of the newest event of each object."""

    def __init__(self) -> None:
        self._pods: dict[str, dict[str, PodFact]] = defaultdict(dict)
        self._changes: dict[str, int] = defaultdict(int)
        self._chosen: dict[tuple[str, tuple[Requirement, ...]], tuple[int, tuple[PodFact, ...]]] = {}
        self._workloads: dict[tuple[str, str, str], WorkloadFact] = {}
        self.namespaces: dict[str, Mapping[str, str]] = {}
        """Annotations by namespace."""

    def pod_seen(self, pod: Json) -> None:
        """Take in a pod as it now is."""
        fact = pod_fact(pod)
        known = self._pods[pod["metadata"]["namespace"]]
        if known.get(fact.name) != fact:
            known[fact.name] = fact
            self._changes[pod["metadata"]["namespace"]] += 1

    def pod_gone(self, namespace: str, name: str, uid: str) -> None:
        """Forget a pod."""
        known = self._pods.get(namespace, {})
        if name in known and known[name].uid == uid:
            del known[name]
            self._changes[namespace] += 1

    def pods(self, workload: WorkloadFact) -> tuple[PodFact, ...]:
        """Return the pods that a workload's selector chooses and that count as replicas, by name."""
        namespace = workload.namespace
        key = (namespace, workload.selector)
        changes, chosen = self._chosen.get(key, (-1, ()))
        if changes != self._changes[namespace]:
            chosen = tuple(
                sorted(
                    (pod for pod in self._pods.get(namespace, {}).values() if pod.alive and _chosen(workload, pod)),
                    key=lambda pod: pod.name,
                )
            )
            self._chosen[key] = (self._changes[namespace], chosen)
        return chosen

    def is_ready(self, namespace: str, pod: PodFact) -> bool:
        """Return whether a pod still is there and ready."""
        known = self._pods.get(namespace, {}).get(pod.name)
        return known is not None and known.uid == pod.uid and known.alive and known.ready

    def workload_seen(self, workload: Json) -> WorkloadFact:
        """Take in a workload, unless something newer is known; return what is known now."""
        fact = workload_fact(workload)
        key = (fact.kind, fact.namespace, fact.name)
        known = self._workloads.get(key)
        if known is not None and known.version > fact.version:
            return known
        self._workloads[key] = fact
        return fact

    def scaled(self, workload: WorkloadFact, replicas: int, written: Json) -> None:
        """Take in that a workload was scaled; watches tell it later.

        Args:
            workload: The workload as it was.
            replicas: What it was scaled to.
            written: The Scale that the API server answered with.
        """
        key = (workload.kind, workload.namespace, workload.name)
        known = self._workloads.get(key)
        if known is not None and known.version <= version_of(written):
            self._workloads[key] = dataclasses.replace(known, replicas=replicas, version=version_of(written))

    def workload_gone(self, kind: str, namespace: str, name: str) -> None:
        """Forget a workload."""
        self._workloads.pop((kind, namespace, name), None)

    def workload(self, kind: str, namespace: str, name: str) -> WorkloadFact | None:
        """Return a workload that a watch told about."""
        return self._workloads.get((kind, namespace, name))

    def namespace_gone(self, name: str) -> None:
        """Forget a namespace and what was in it."""
        self.namespaces.pop(name, None)
        self._pods.pop(name, None)
        self._changes.pop(name, None)
        for key in [key for key in self._chosen if key[0] == name]:
            del self._chosen[key]
        for workload in [key for key in self._workloads if key[1] == name]:
            del self._workloads[workload]


def pod_fact(pod: Json) -> PodFact:
    """Return what matters about a pod."""
    metadata, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    conditions = status.get("conditions") or ()
    phase = status.get("phase")
    return PodFact(
        name=metadata["name"],
        uid=metadata["uid"],
        labels=metadata.get("labels") or {},
        address=status.get("podIP") or "",
        alive=not metadata.get("deletionTimestamp") and phase not in {"Failed", "Succeeded"},
        ready=phase == "Running" and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions),
        requests=_requests(spec.get("containers") or ()),
    )


def workload_fact(workload: Json) -> WorkloadFact:
    """Return what matters about a workload."""
    metadata, spec = workload["metadata"], workload.get("spec") or {}
    selector = spec.get("selector") or {}
    replicas = spec.get("replicas")
    return WorkloadFact(
        kind=workload["kind"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        version=version_of(workload),
        replicas=1 if replicas is None else int(replicas),
        selector=requirements(selector),
        labels=dict(selector.get("matchLabels") or {}),
    )


def requirements(selector: Json) -> tuple[Requirement, ...]:
    """Return a LabelSelector (meta/v1) as requirements, all of which have to hold."""
    labels = [Requirement(key, frozenset({value})) for key, value in (selector.get("matchLabels") or {}).items()]
    expressions = [
        Requirement(
            part["key"],
            frozenset(part.get("values") or ()) if part["operator"] in {"In", "NotIn"} else None,
            negated=part["operator"] in {"NotIn", "DoesNotExist"},
        )
        for part in selector.get("matchExpressions") or ()
    ]
    return tuple(labels + expressions)


def version_of(body: Json) -> int:
    """Return an object's resource version as a number (comparable since Kubernetes 1.35)."""
    text = str(body["metadata"].get("resourceVersion", "0"))
    return int(text) if text.isdigit() else 0


def _chosen(workload: WorkloadFact, pod: PodFact) -> bool:
    return bool(workload.selector) and all(requirement.holds(pod.labels) for requirement in workload.selector)


def _requests(containers: Iterable[Json]) -> Requests:
    asked = [(container.get("resources") or {}).get("requests") or {} for container in containers]
    sums = dict.fromkeys(("cpu", "memory"), 0.0)
    for name in sums:
        if asked and all(name in part for part in asked):
            sums[name] = sum(float(parse_quantity(str(part[name])).amount) for part in asked)
    return Requests(millicores=sums["cpu"] * 1000, bytes=sums["memory"])


def _written(requirement: Requirement) -> str:
    if requirement.values is None:
        return f"!{requirement.key}" if requirement.negated else requirement.key
    word = "notin" if requirement.negated else "in"
    return f"{requirement.key} {word} ({','.join(sorted(requirement.values))})"
