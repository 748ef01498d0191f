"""The objects that the engine makes for a service: KServe's names, one Deployment and one Service."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from proving_ground.aim import faults
from proving_ground.aim.faults import Fault

if TYPE_CHECKING:
    from proving_ground.aim.catalogue import Entry
    from proving_ground.aim.request import Request

Json = Mapping[str, Any]

PORT = 8000
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "aim-engine"
SIMULATION = "sim.proving.ground/"
"""Prefix of the annotations with which a workload tells the simulated fleet how its pods behave."""

CRASH_AFTER = "after=0.1"


def service_label(group: str) -> str:
    """Return the label that names the AIMService of an object."""
    return f"{group}/service.name"


def revision_annotation(group: str) -> str:
    """Return the annotation that tells apart the pods of different specs."""
    return f"{group}/revision"


def predictor(name: str) -> str:
    """Return the name of the Deployment and the Service of an AIMService (KServe's name of a predictor)."""
    return f"{name}-predictor"


def labels(group: str, name: str) -> dict[str, str]:
    """Return the labels of everything that belongs to an AIMService."""
    return {MANAGED_BY: MANAGER, service_label(group): name, "serving.kserve.io/inferenceservice": name}


def owner(service: Json) -> dict[str, Any]:
    """Return the owner reference to an AIMService."""
    metadata = service["metadata"]
    return {
        "apiVersion": service["apiVersion"],
        "kind": service["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def deployment(
    service: Json,
    request: Request,
    entry: Entry,
    *,
    group: str,
    gpu_resource: str,
    pull_problem: str = "",
    token_problem: str = "",
    active: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Return the Deployment of a service, with its revision in an annotation of it and of its pods."""
    metadata = service["metadata"]
    own = labels(group, metadata["name"])
    annotations = _pod_annotations(metadata.get("annotations") or {}, entry, pull_problem, token_problem)
    if Fault.RUNNING_WHILE_CRASHING in active:
        annotations.setdefault(SIMULATION + "crash", "after=0.2")
    if foreign := active - set(Fault):
        annotations[faults.ANNOTATION] = ",".join(sorted(foreign))
    spec: dict[str, Any] = {
        "replicas": request.replicas,
        # A new revision needs the GPUs of the old one.
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": {service_label(group): metadata["name"]}},
        "template": {
            "metadata": {"labels": {**request.labels, **own}, "annotations": annotations},
            "spec": _pod_spec(
                request, entry, gpu_resource, active, pull_fails=annotations.get(SIMULATION + "image-pull") == "fail"
            ),
        },
    }
    revision = hashlib.sha256(
        json.dumps([metadata["uid"], spec["template"]], sort_keys=True, default=str).encode()
    ).hexdigest()[:16]
    annotations[revision_annotation(group)] = revision
    body: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(service, own, active),
        "spec": spec,
    }
    body["metadata"]["annotations"] = {revision_annotation(group): f"{revision}-{request.replicas}"}
    return body


def revision_of(body: Json, group: str) -> str:
    """Return the revision that the pods of a Deployment carry."""
    return str(body["spec"]["template"]["metadata"]["annotations"][revision_annotation(group)])


def endpoint(service: Json, *, group: str, active: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the Service in front of a service's pods."""
    own = labels(group, service["metadata"]["name"])
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(service, own, active),
        "spec": {
            "type": "ClusterIP",
            "selector": {service_label(group): service["metadata"]["name"]},
            "ports": [{"name": "http", "port": PORT, "targetPort": PORT, "protocol": "TCP"}],
        },
    }


def _metadata(service: Json, own: Json, active: frozenset[str]) -> dict[str, Any]:
    metadata = service["metadata"]
    body: dict[str, Any] = {
        "name": predictor(metadata["name"]),
        "namespace": metadata["namespace"],
        "labels": dict(own),
    }
    if Fault.LEFT_BEHIND not in active:
        # Without an owner the garbage collector leaves the object alone until its namespace goes.
        body["ownerReferences"] = [owner(service)]
    return body


def _pod_annotations(own: Json, entry: Entry, pull_problem: str, token_problem: str) -> dict[str, str]:
    annotations = {
        SIMULATION + "serve": "openai",
        SIMULATION + "port": str(PORT),
        SIMULATION + "model": entry.model,
        SIMULATION + "load-seconds": str(entry.load_seconds),
    }
    if pull_problem:
        annotations[SIMULATION + "image-pull"] = "fail"
    elif token_problem:
        annotations[SIMULATION + "crash"] = CRASH_AFTER
        annotations[SIMULATION + "log-lines"] = token_problem
    # What a check asks of the simulation on the service itself decides.
    annotations.update({key: value for key, value in own.items() if key.startswith(SIMULATION)})
    return annotations


def _pod_spec(
    request: Request, entry: Entry, gpu_resource: str, active: frozenset[str], *, pull_fails: bool
) -> dict[str, Any]:
    count = request.gpu.count or entry.gpus
    resources: dict[str, Any] = copy.deepcopy(dict(request.resources))
    if count and Fault.GPU_NOT_REQUESTED not in active:
        resource = request.gpu.resource or gpu_resource
        for side in ("requests", "limits"):
            resources[side] = {**(resources.get(side) or {}), resource: str(count)}
    container: dict[str, Any] = {
        "name": "kserve-container",
        "image": entry.image,
        "env": [*request.env],
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "resources": resources,
        "readinessProbe": {"httpGet": {"path": "/health", "port": PORT}, "periodSeconds": 1, "timeoutSeconds": 3},
    }
    if pull_fails:
        # Where the image is on the node already, a kubelet would never notice that it cannot be pulled.
        container["imagePullPolicy"] = "Always"
    spec: dict[str, Any] = {
        "containers": [container],
        "terminationGracePeriodSeconds": 1,
        "imagePullSecrets": [{"name": name} for name in request.pull_secrets],
    }
    if request.service_account:
        spec["serviceAccountName"] = request.service_account
    return spec
