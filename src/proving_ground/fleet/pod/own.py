"""What a pod can learn about itself from the API server.

By the standard library only: imports are what a start costs.

A pod may read itself, its namespace and what the mocks of its namespace were told where the role ``inference_pods``
has allowed it. Where it may not, its containers go by their arguments and environment alone.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from proving_ground.fleet.pod.place import ACCOUNT, Place
from proving_ground.fleet.remembered import CONFIG_MAP, Setting, read
from proving_ground.fleet.views import ContainerView, PodView, faults_of, pod_view

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

IMAGE = "PROVING_GROUND_IMAGE"
"""Variable of our images that names the image, for a container that cannot read its pod."""
_OK, _DENIED, _NOT_FOUND = 200, (401, 403), 404
_ATTEMPTS, _PAUSE, _SECONDS = 25, 0.2, 5.0


class OwnPodError(Exception):
    """The API server does not tell a pod about itself; says why."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a container knows of its pod."""

    pod: PodView
    container: str
    """Name of this container."""
    namespace_faults: frozenset[str] | None = None
    settings: tuple[Setting, ...] = ()
    """What the mocks of its workload were told before it came."""
    restarts: int = 0
    """Runs of this container before this one; more than one may be told as one."""
    lacking: str = field(default="", compare=False)
    """Why the pod is not known from the API server; empty if it is."""


class ApiServer:
    """The API server, as a pod of its cluster reaches it.

    Args:
        account: Folder of the service account.
        environment: Where the API server is, as the kubelet tells every container.
    """

    def __init__(self, account: Path = ACCOUNT, environment: Mapping[str, str] = os.environ) -> None:
        host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT", "443")
        if not host:
            raise OwnPodError("this container was not started by a kubelet")
        try:
            token = (account / "token").read_text(encoding="ascii").strip()
            context = ssl.create_default_context(cafile=str(account / "ca.crt"))
        except (OSError, ValueError) as error:
            raise OwnPodError(f"no service account is mounted: {error}") from error
        self._headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
        self._connection = http.client.HTTPSConnection(host, int(port), timeout=_SECONDS, context=context)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def find(self, path: str) -> dict[str, Any] | None:
        """Return the object at a path, or None where there is none.

        Raises:
            OwnPodError: It may not be read, or the API server does not answer for some seconds.
        """
        problem = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(_PAUSE)
            try:
                self._connection.request("GET", path, headers=self._headers)
                answer = self._connection.getresponse()
                body, status = answer.read(), answer.status
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                problem = f"{type(error).__name__}: {error}"
                continue
            if status == _OK:
                found: dict[str, Any] = json.loads(body)
                return found
            if status == _NOT_FOUND:
                return None
            problem = f"status {status}"
            if status in _DENIED:
                break
        raise OwnPodError(f"{path}: {problem}")


def read_own(api: ApiServer, place: Place, arguments: Sequence[str]) -> Told:
    """Ask the API server for all that concerns a container.

    Args:
        api: The API server.
        place: Where the container is.
        arguments: Its arguments, by which it is told from others where its mounts do not tell.

    Raises:
        OwnPodError: The pod cannot be read, or is another one.
    """
    path = f"/api/v1/namespaces/{place.namespace}"
    manifest = api.find(f"{path}/pods/{place.pod}")
    if manifest is None:
        raise OwnPodError(f"there is no pod {place.namespace}/{place.pod}")
    if place.uid and manifest["metadata"]["uid"] != place.uid:
        raise OwnPodError(f"{place.namespace}/{place.pod} is another pod than this one")
    pod = pod_view(manifest)
    container = place.container or _by_arguments(pod, arguments)
    namespace = api.find(path) or {}
    kept = (api.find(f"{path}/configmaps/{CONFIG_MAP}") or {}).get("data") or {}
    try:
        settings = tuple(read(kept[pod.workload])) if pod.workload in kept else ()
    except ValueError:
        settings = ()
    return Told(
        pod=pod,
        container=container,
        namespace_faults=faults_of((namespace.get("metadata") or {}).get("annotations") or {}),
        settings=settings,
        restarts=restarts_of(manifest, container),
    )


def _by_arguments(pod: PodView, arguments: Sequence[str]) -> str:
    containers = (*pod.containers, *pod.init_containers)
    return next((c.name for c in containers if list(c.args) == list(arguments)), containers[0].name)


def restarts_of(manifest: Mapping[str, Any], container: str) -> int:
    """Return how many runs of a container there were before the one that is starting, as far as the status tells.

    The status may still be that of the run before, which then has ended.
    """
    status = manifest.get("status") or {}
    statuses = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    own: Mapping[str, Any] = next((s for s in statuses if s.get("name") == container), {})
    count = int(own.get("restartCount") or 0)
    state, before = own.get("state") or {}, own.get("lastState") or {}
    ended = "terminated" in state or ("waiting" in state and "terminated" in before)
    return count + 1 if ended else count


def alone(place: Place, arguments: Sequence[str], environment: Mapping[str, str], lacking: str) -> Told:
    """Return what a container knows that cannot read its pod: its own arguments and environment."""
    container = ContainerView(
        name=place.container or "main",
        image=environment.get(IMAGE, ""),
        args=tuple(arguments),
        env=dict(environment),
    )
    pod = PodView(
        namespace=place.namespace,
        name=place.pod,
        uid=place.uid,
        node="",
        labels={},
        annotations={},
        containers=(container,),
    )
    return Told(pod, container.name, lacking=lacking)
