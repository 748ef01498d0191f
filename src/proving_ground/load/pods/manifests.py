"""The objects that a load in a cluster is made of: a Secret, who may talk to whom, a master and its workers."""

from __future__ import annotations

import base64
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proving_ground import __version__
from proving_ground.errors import ConfigurationError
from proving_ground.images.references import REFERENCE
from proving_ground.load.measured.engine import MODULE

if TYPE_CHECKING:
    from proving_ground.kube.references import Object
    from proving_ground.load.measured.plan import Plan

IMAGE = f"localhost/proving-ground/load-workers:{__version__}"
"""What the role ``project_images`` makes for load workers."""
MASTER, WORKER = "load-master", "load-worker"
PART_LABEL = "proving.ground/load"
"""On the namespace and its pods: which part of a load they are."""
EXPIRES = "proving.ground/expires"
"""When a namespace may be removed by whoever comes next."""
PORT = 5557
_SHOWN = 200
_FOLDER = "/etc/proving-ground/load"
_NAME = "load"
_USER = 65532
_GRACE_SECONDS = 10
_REMOVAL_SECONDS = 120.0
_REQUESTS = {
    MASTER: {"cpu": "100m", "memory": "256Mi"},
    WORKER: {"cpu": "500m", "memory": "256Mi"},
}
"""Of a processor no more is asked for than lets small nodes take workers; a limit would hold the client up."""


def check_image(name: str) -> None:
    """Refuse what no image can be called.

    Raises:
        ConfigurationError: It is no reference, by the grammar of the distribution project's package ``reference``.
    """
    if not REFERENCE.fullmatch(name):
        raise ConfigurationError(
            f"expected an image such as {IMAGE}, found {name[:_SHOWN]!r}", where="image of worker pods"
        )


def pod_seconds(plan: Plan, start: float) -> int:
    """Return how long a pod may live at most, whatever becomes of who made it.

    Args:
        plan: What is sent.
        start: Seconds in which all pods have to run.
    """
    return int(2 * start + plan.total_seconds + 2 * plan.drain + _REMOVAL_SECONDS)


def marks(plan: Plan, start: float, now: dt.datetime) -> tuple[dict[str, str], dict[str, str]]:
    """Return labels and annotations of the namespace, beside those of its run."""
    labels = {
        PART_LABEL: "namespace",
        "app.kubernetes.io/managed-by": "proving-ground",
        "pod-security.kubernetes.io/enforce": "restricted",
    }
    expires = now + dt.timedelta(seconds=pod_seconds(plan, start) + _REMOVAL_SECONDS)
    return labels, {EXPIRES: expires.isoformat(timespec="seconds")}


def expired(namespace: Object, now: dt.datetime) -> bool:
    """Tell whether what an earlier load left may be removed."""
    metadata = namespace["metadata"]
    if metadata.get("deletionTimestamp"):
        return False
    try:
        return dt.datetime.fromisoformat((metadata.get("annotations") or {}).get(EXPIRES, "")) < now
    except (ValueError, TypeError):
        return False


def secret(plan: Plan) -> Object:
    """Return what pods are told: the plan, and what its files hold.

    Raises:
        ConfigurationError: A file cannot be read.
    """
    files = {"auth": plan.auth, "ca": plan.ca}
    held = {name: _read(file) for name, file in files.items() if file}
    told = plan.model_copy(update={name: f"{_FOLDER}/{name}" for name in held})
    held["plan.json"] = told.model_dump_json().encode()
    data = {name: base64.b64encode(content).decode() for name, content in held.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": _NAME}, "type": "Opaque", "data": data}


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=file) from error


def policy() -> Object:
    """Return that nobody but the pods of the namespace may talk to them, where the network enforces it."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": _NAME},
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {}}]}],
        },
    }


def master(image: str, seconds: int) -> Object:
    """Return the pod that leads; it listens on its own address only."""
    environment = [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    return _pod(MASTER, MASTER, image, seconds, ["--master", f"$(POD_IP):{PORT}"], env=environment)


def worker(number: int, image: str, seconds: int, address: str) -> Object:
    """Return a pod that makes its part of the load.

    Args:
        number: From 1.
        image: Its image.
        seconds: How long it may live.
        address: Address of the master pod.
    """
    return _pod(f"{WORKER}-{number}", WORKER, image, seconds, ["--worker", f"{address}:{PORT}"])


def _pod(name: str, part: str, image: str, seconds: int, arguments: list[str], **more: Any) -> Object:
    container = {
        "name": _NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-m", MODULE],
        "args": [f"{_FOLDER}/plan.json", *arguments],
        "resources": {"requests": _REQUESTS[part]},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": _NAME, "mountPath": _FOLDER, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own
        ],
        **more,
    }
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {PART_LABEL: part}},
    }
    spec = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": seconds,
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [spread],
        "containers": [container],
        "volumes": [
            {"name": _NAME, "secret": {"secretName": _NAME, "defaultMode": 0o440}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {PART_LABEL: part}}, "spec": spec}
