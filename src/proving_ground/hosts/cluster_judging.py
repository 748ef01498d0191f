"""Whether a cluster of these hosts is in order: pure functions, each returning what is wrong, a line for each."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from proving_ground.kube import conditions

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from proving_ground.hosts.certificates import Certificate
    from proving_ground.hosts.declared import ControlPlane, Declared
    from proving_ground.kube import Object

RESOURCES = {"nvidia": "nvidia.com/gpu", "amd": "amd.com/gpu"}
"""Extended resources that the device plugins of the vendors advertise."""
FSYNC = "etcd_disk_wal_fsync_duration_seconds"
PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
"""Conditions of a node that have to be false (Kubernetes, "Node status")."""
MEMBERS = frozenset({"control_plane", "gpu_workers"})
"""Groups whose hosts are nodes."""
_BUCKET = re.compile(rf"^{FSYNC}_bucket\{{[^}}]*\ble=\"([^\"]+)\"[^}}]*\}}\s+(\S+)", re.MULTILINE)
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def nodes(found: Sequence[Object], members: Sequence[str]) -> list[str]:
    """Each host of the cluster is a node, and each node is ready, without pressure, and takes pods.

    Args:
        found: The nodes.
        members: Names of the hosts that have to be nodes.
    """
    wrong = []
    if not found:
        wrong.append("nodes: expected some, found none (has kubeadm initialised this cluster?)")
    names = {node["metadata"]["name"] for node in found}
    wrong += [
        f"{name}: expected a node of that name, found none (kubeadm join it, with its name as node name)"
        for name in members
        if name not in names
    ]
    for node in found:
        name = node["metadata"]["name"]
        told = {kind: (status, why, message) for kind, status, why, message in conditions(node)}
        for kind, expected in (("Ready", "True"), *((pressure, "False") for pressure in PRESSURES)):
            status, why, message = told.get(kind, ("Unknown" if kind == "Ready" else "False", "", ""))
            if status != expected:
                said = ": ".join(text for text in (why, message) if text) or "no reason given"
                wrong.append(
                    f"{name}: {kind}: expected {expected}, found {status} ({said}; kubectl describe node {name})"
                )
        if node.get("spec", {}).get("unschedulable"):
            wrong.append(f"{name}: expected a node that takes pods, found it cordoned (kubectl uncordon {name})")
    return wrong


def system_pods(found: Sequence[Object], restarts: int) -> list[str]:
    """Each pod of kube-system is ready or has done its work, and few of their containers were restarted.

    Args:
        found: The pods.
        restarts: Most that a container may have had.
    """
    wrong = [] if found else ["kube-system: expected pods, found none (is this the cluster's own API server?)"]
    for pod in found:
        name, status = pod["metadata"]["name"], pod.get("status", {})
        if status.get("phase") == "Succeeded":
            continue
        see = f"kubectl -n kube-system describe pod {name}"
        if not any(kind == "Ready" and state == "True" for kind, state, _, _ in conditions(pod)):
            waiting = [
                container["state"]["waiting"].get("reason", "")
                for container in status.get("containerStatuses") or []
                if "waiting" in (container.get("state") or {})
            ]
            said = ", ".join(waiting) or status.get("reason") or status.get("phase", "unknown")
            wrong.append(f"kube-system/{name}: expected ready, found {said} ({see})")
        wrong += [
            f"kube-system/{name}: container {container['name']}: expected at most {restarts} restarts, "
            f"found {container['restartCount']} (kubectl -n kube-system logs --previous {name})"
            for container in status.get("containerStatuses") or []
            if container.get("restartCount", 0) > restarts
        ]
    return wrong


def gpus(found: Sequence[Object], declared: Mapping[str, Declared]) -> list[str]:
    """Each node can allocate as many GPUs as are declared of its host, and no others.

    Args:
        found: The nodes.
        declared: What is declared of the hosts, by name.
    """
    wrong = []
    nodes_by_name = {node["metadata"]["name"]: node for node in found}
    for host, its in declared.items():
        if not its.gpu and host not in nodes_by_name:
            continue
        expected = _declared_gpus(its)
        if isinstance(expected, str):
            wrong.append(f"{host}: {expected} (declare gpu.vendor as nvidia or amd, and gpu.count)")
            continue
        if host not in nodes_by_name:
            wrong.append(
                f"{host}: expected a node that allocates {_told(expected)}, found no node of that name (join it)"
            )
            continue
        allocatable = nodes_by_name[host].get("status", {}).get("allocatable", {})
        have = {name: int(count) for name, count in allocatable.items() if name in RESOURCES.values() and int(count)}
        have |= {name: int(allocatable.get(name, 0)) for name in expected}
        if have != expected:
            wrong.append(
                f"{host}: allocatable GPUs: expected {_told(expected)}, found {_told(have)} "
                "(is the device plugin up there, and does the driver see every GPU?)"
            )
    return wrong


def _declared_gpus(declared: Declared) -> dict[str, int] | str:
    """Return the resources that a host has to have and their counts; a text says what is not declared."""
    if not declared.gpu:
        return {}
    count, vendor = declared.gpu.get("count"), str(declared.gpu.get("vendor", "")).lower()
    resource = str(declared.gpu.get("resource") or RESOURCES.get(vendor, ""))
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        return f"GPUs: expected a count to be declared, found {count!r}"
    if not resource:
        return f"GPUs: expected a known vendor to be declared, found {vendor or 'none'!r}"
    return {resource: count}


def _told(resources: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(resources.items())) or "none"


def ready_parts(text: str) -> list[str]:
    """Each part of an API server says that it is ready.

    Args:
        text: Its answer to ``/readyz?verbose``: a line for each part, ``[+]name ok``.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    wrong = [
        f"API server: {line.partition(']')[2].split(' ')[0]}: expected ok, found {line.partition(']')[2]} (see its log)"
        for line in lines
        if line.startswith("[") and not line.startswith("[+]")
    ]
    if not any(line.startswith("[+]") for line in lines):
        wrong.append(f"API server: expected its parts to be told, found {text[:80]!r} (is it an API server?)")
    return wrong


def etcd_health(host: str, text: str) -> list[str]:
    """Etcd on a host says that it is healthy.

    Args:
        host: Where it runs.
        text: Its answer to ``/health``, a JSON object.
    """
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and str(answer.get("health")).lower() == "true":
        return []
    said = f"{answer.get('reason') or answer}" if isinstance(answer, dict) else (text.strip()[:80] or "no answer")
    return [f"{host}: etcd: expected healthy, found {said} (crictl logs of container etcd there)"]


def fsync_quantile(text: str, quantile: float = 0.99) -> float:
    """Return a quantile of the time that etcd's log takes to reach the disk, in seconds.

    Estimated from the histogram as Prometheus' ``histogram_quantile`` does: linearly within a bucket. Infinite where it
    lies above the last bound.

    Args:
        text: What etcd's ``/metrics`` says.
        quantile: Between 0 and 1.

    Raises:
        ValueError: It has no such histogram, or one without an observation.
    """
    buckets = sorted((float(bound.replace("+Inf", "inf")), float(count)) for bound, count in _BUCKET.findall(text))
    if not buckets or not buckets[-1][1]:
        raise ValueError(f"there is no observation of {FSYNC}")
    wanted = quantile * buckets[-1][1]
    below, counted = 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted:
            if math.isinf(bound):
                return bound
            share = (wanted - counted) / (count - counted) if count > counted else 0.0
            return below + (bound - below) * share
        below, counted = bound, count
    raise ValueError(f"the buckets of {FSYNC} do not add up")


def etcd_syncs(host: str, text: str, bound: float) -> list[str]:
    """99 of 100 syncs of etcd's log are as quick as is declared.

    Args:
        host: Where it runs.
        text: What its ``/metrics`` says.
        bound: Seconds.
    """
    try:
        found = fsync_quantile(text)
    except ValueError as error:
        return [f"{host}: etcd: expected the times of its syncs, but {error} (is etcd_metrics_url right?)"]
    if found <= bound:
        return []
    shown = "more than its histogram tells" if math.isinf(found) else f"{1000 * found:.1f} ms"
    expected = f"99 of 100 syncs of its log within {1000 * bound:g} ms"
    return [f"{host}: etcd: expected {expected}, found {shown} (give it a quicker disk of its own)"]


def storage_classes(found: Sequence[Object], declared: ControlPlane) -> list[str]:
    """The storage classes that are declared exist, and the declared one is the default.

    Args:
        found: The storage classes.
        declared: What is declared.
    """
    names = {one["metadata"]["name"] for one in found}
    defaults = sorted(
        one["metadata"]["name"]
        for one in found
        if (one["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true"
    )
    wrong = [
        f"storage class {name}: expected it, found {', '.join(sorted(names)) or 'none'} (install its provisioner)"
        for name in declared.storage_classes
        if name not in names
    ]
    if declared.default_storage_class and defaults != [declared.default_storage_class]:
        wrong.append(
            f"default storage class: expected {declared.default_storage_class}, found {', '.join(defaults) or 'none'} "
            f"(annotate it with {_DEFAULT_CLASS})"
        )
    elif len(defaults) > 1:
        wrong.append(f"default storage class: expected at most one, found {', '.join(defaults)} (which one is used?)")
    return wrong


def server_certificate(certificate: Certificate, days: float, now: dt.datetime) -> list[str]:
    """The certificate that an API server shows is valid for some time still."""
    left = certificate.days(now)
    if left >= days:
        return []
    shown = f"{left:.1f} days left" if left >= 0 else f"it ended {-left:.1f} days ago"
    what = f"{certificate.where}: certificate ({certificate.subject})"
    advice = "kubeadm certs renew apiserver, and restart it"
    return [f"{what}: expected valid for {days:g} days still, found {shown} ({advice})"]
