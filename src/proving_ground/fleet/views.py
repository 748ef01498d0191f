"""What the fleet reads of Kubernetes objects, and nothing more of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from proving_ground.annotations import FAULT_ANNOTATION

Manifest: TypeAlias = Mapping[str, Any]
Key: TypeAlias = tuple[str, str]
"""Namespace and name."""
TEMPLATE_HASH = "pod-template-hash"
"""Label by which a Deployment tells its ReplicaSets and their pods apart."""


@dataclass(frozen=True, slots=True)
class ContainerView:
    """A container of a pod's spec."""

    name: str
    image: str
    ports: tuple[tuple[str, int], ...] = ()
    """Name (empty if none) and number of each TCP port."""
    sidecar: bool = False
    """An init container that keeps running."""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    """The variables that are written as they are; those that come from elsewhere are left out."""


@dataclass(frozen=True, slots=True)
class PodView:
    """A pod that has been scheduled."""

    namespace: str
    name: str
    uid: str
    node: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    containers: tuple[ContainerView, ...]
    init_containers: tuple[ContainerView, ...] = ()
    restart_policy: str = "Always"
    host_network: bool = False
    readiness_gates: tuple[str, ...] = ()
    deleting: bool = False
    phase: str = "Pending"
    address: str = ""
    """``status.podIP``; empty until the pod has run."""
    started: str = ""
    """When the present run of the first container started, RFC 3339; empty unless it runs."""
    restarts: int = 0
    conditions: tuple[Manifest, ...] = field(default=(), repr=False)
    owner: str = ""
    """Name of the workload that it belongs to; empty if it stands alone."""

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return self.namespace, self.name

    @property
    def workload(self) -> str:
        """Name of its workload, which is the pod itself where it stands alone."""
        return self.owner or self.name

    @property
    def finished(self) -> bool:
        """Whether the pod has ended for good."""
        return self.phase in {"Succeeded", "Failed"}


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A port of a Service: the number it listens on, and the pod's port by number or name."""

    number: int
    target: int | str


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A Service with an address and a selector."""

    namespace: str
    name: str
    address: str
    selector: Mapping[str, str]
    ports: tuple[ServicePort, ...]
    unready_too: bool = False
    """``spec.publishNotReadyAddresses``."""

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return self.namespace, self.name


def faults_of(annotations: Mapping[str, str]) -> frozenset[str] | None:
    """Return the names in the fault annotation, or None if there is no such annotation."""
    text = annotations.get(FAULT_ANNOTATION)
    if text is None:
        return None
    return frozenset(name.strip() for name in text.split(",") if name.strip())


def _container(manifest: Manifest) -> ContainerView:
    ports = tuple(
        (str(port.get("name") or ""), int(port["containerPort"]))
        for port in manifest.get("ports") or ()
        if port.get("protocol", "TCP") == "TCP"
    )
    return ContainerView(
        name=manifest["name"],
        image=manifest.get("image") or "",
        ports=ports,
        sidecar=manifest.get("restartPolicy") == "Always",
        args=tuple(str(arg) for arg in manifest.get("args") or ()),
        env={
            str(variable["name"]): str(variable.get("value") or "")
            for variable in manifest.get("env") or ()
            if "valueFrom" not in variable
        },
    )


def owner_of(meta: Manifest) -> str:
    """Return the name of the workload that a pod's metadata names as its controller; empty if there is none.

    A ReplicaSet that a Deployment made is named after it and the hash of its template, which its pods carry as a
    label: the Deployment is then the workload.
    """
    owner: Manifest = next((o for o in meta.get("ownerReferences") or () if o.get("controller")), {})
    name = str(owner.get("name") or "")
    template = (meta.get("labels") or {}).get(TEMPLATE_HASH)
    if owner.get("kind") == "ReplicaSet" and template:
        return name.removesuffix(f"-{template}")
    return name


def pod_view(manifest: Manifest) -> PodView:
    """Read a pod as the API server sends it."""
    meta, spec, status = manifest["metadata"], manifest["spec"], manifest.get("status") or {}
    containers = tuple(_container(c) for c in spec.get("containers") or ())
    first: Manifest = next(
        (s for s in status.get("containerStatuses") or () if containers and s.get("name") == containers[0].name), {}
    )
    running = (first.get("state") or {}).get("running") or {}
    return PodView(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        node=spec.get("nodeName") or "",
        labels=meta.get("labels") or {},
        annotations=meta.get("annotations") or {},
        containers=containers,
        init_containers=tuple(_container(c) for c in spec.get("initContainers") or ()),
        restart_policy=spec.get("restartPolicy") or "Always",
        host_network=bool(spec.get("hostNetwork")),
        readiness_gates=tuple(gate["conditionType"] for gate in spec.get("readinessGates") or ()),
        deleting="deletionTimestamp" in meta,
        phase=status.get("phase") or "Pending",
        address=status.get("podIP") or "",
        started=running.get("startedAt") or "",
        restarts=int(first.get("restartCount") or 0),
        conditions=tuple(status.get("conditions") or ()),
        owner=owner_of(meta),
    )


def service_view(manifest: Manifest) -> ServiceView | None:
    """Read a Service; None for one that the fleet cannot answer for (headless, external, without selector)."""
    meta, spec = manifest["metadata"], manifest["spec"]
    address, selector = spec.get("clusterIP") or "", spec.get("selector") or {}
    if not selector or address in {"", "None"} or spec.get("type") == "ExternalName":
        return None
    return ServiceView(
        namespace=meta["namespace"],
        name=meta["name"],
        address=address,
        selector=selector,
        ports=tuple(
            ServicePort(number=int(port["port"]), target=port.get("targetPort") or int(port["port"]))
            for port in spec.get("ports") or ()
            if port.get("protocol", "TCP") == "TCP"
        ),
        unready_too=bool(spec.get("publishNotReadyAddresses")),
    )
