"""What the states of pods say: whether they run, and why they do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proving_ground.kube.references import conditions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proving_ground.kube.references import Object

_FINAL = frozenset(
    {
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "CrashLoopBackOff",
    }
)
"""Reasons for which a container waits in vain (kubelet, ``pkg/kubelet/images/types.go`` and ``kuberuntime``)."""
_OF_IMAGES = frozenset({"ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName"})
_SHOWN = 400


def phase(pod: Object) -> str:
    """Return ``Pending``, ``Running``, ``Succeeded`` or ``Failed``."""
    return str((pod.get("status") or {}).get("phase") or "Pending")


def address(pod: Object) -> str:
    """Return the address of a pod that runs; else nothing."""
    return str((pod.get("status") or {}).get("podIP") or "") if phase(pod) == "Running" else ""


def over(pod: Object) -> bool:
    """Tell whether a pod has ended."""
    return phase(pod) in {"Succeeded", "Failed"}


def part_of(pods: Sequence[Object], part: str, label: str) -> list[Object]:
    """Return the pods that are that part of a load."""
    return [pod for pod in pods if (pod["metadata"].get("labels") or {}).get(label) == part]


def _container(pod: Object) -> dict[str, Any]:
    statuses = (pod.get("status") or {}).get("containerStatuses") or [{}]
    return dict(statuses[0])


def waits_in_vain(pod: Object) -> bool:
    """Tell whether a pod will not start, as far as its kubelet says."""
    waiting = (_container(pod).get("state") or {}).get("waiting") or {}
    return waiting.get("reason") in _FINAL


def lacks_image(pod: Object) -> bool:
    """Tell whether it is for its image that a pod does not start."""
    waiting = (_container(pod).get("state") or {}).get("waiting") or {}
    return waiting.get("reason") in _OF_IMAGES


def why(pod: Object, events: Sequence[Object] = ()) -> str:
    """Return in one line what is wrong with a pod.

    Args:
        pod: As last seen.
        events: Kubernetes' events about it, oldest first; the last warning says more than a state that only waits.
    """
    status = pod.get("status") or {}
    state = _container(pod).get("state") or {}
    ended, waiting = state.get("terminated") or {}, state.get("waiting") or {}
    scheduled = next((c for c in conditions(pod) if c[0] == "PodScheduled" and c[1] == "False"), None)
    warnings = [str(event.get("message") or "") for event in events if event.get("type") == "Warning"]
    if ended and phase(pod) == "Failed":
        said = f"ended with {ended.get('exitCode')}, {ended.get('reason') or status.get('reason') or 'Error'}"
        said += f": {status['message']}" if status.get("message") else ""
    elif status.get("reason"):
        said = f"{status['reason']}: {status.get('message') or phase(pod)}"
    elif scheduled is not None:
        said = f"is not scheduled: {scheduled[3] or scheduled[2]}"
    elif waiting.get("message") and waiting.get("reason") != "ImagePullBackOff":
        said = f"{waiting['reason']}: {waiting['message']}"
    elif warnings:
        said = f"{waiting.get('reason') or phase(pod)}: {_most_telling(warnings)}"
    else:
        said = f"{waiting.get('reason') or phase(pod)}: {waiting.get('message') or 'nothing says why'}"
    return " ".join(said.split())[:_SHOWN]


def _most_telling(warnings: Sequence[str]) -> str:
    """Return the last warning that is not about a repetition of what failed."""
    causes = [text for text in warnings if not text.startswith(("Error: ", "Back-off"))]
    return (causes or list(warnings))[-1]
