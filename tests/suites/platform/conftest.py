"""What the checks of the platform see of it, and the faults that can be put in between.

A platform cannot be told to lose a node while other suites use it. So the faults of this suite
that no stand-in and no mock can show distort what is read, between the platform and the check.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import secrets
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import yaml

from proving_ground.kube import Reference, Target, WaitTimeoutError, conditions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from proving_ground.kube import Cluster
    from proving_ground.plugin.check_run import CheckRun

SERVER = "docker.io/vllm/vllm-openai:v0.11.0"
PORT = 8000
UNAVAILABLE = 599


def said(status: int | None) -> str:
    return "a refusal" if status is None else f"status {status}"


def authority(cluster: Cluster) -> str:
    """Return the certificate of the cluster's authority, as PEM."""
    path = Path(cluster.kubeconfig)
    content = yaml.safe_load(path.read_text())
    for entry in content["clusters"]:
        if data := entry["cluster"].get("certificate-authority-data"):
            return base64.b64decode(data).decode()
        if file := entry["cluster"].get("certificate-authority"):
            return (path.parent / file).read_text()
    raise AssertionError(f"{path} names no certificate authority")


def gpus(node: dict[str, Any], field: str = "capacity") -> dict[str, int]:
    """Return the GPU resources of a node and their counts."""
    return {name: int(count) for name, count in node["status"].get(field, {}).items() if name.endswith("/gpu")}


def is_ready(obj: dict[str, Any]) -> bool:
    return any(kind == "Ready" and status == "True" for kind, status, _, _ in conditions(obj))


def unschedulable(pod: dict[str, Any]) -> str:
    found = [message for kind, _, why, message in conditions(pod) if (kind, why) == ("PodScheduled", "Unschedulable")]
    return found[0] if found else ""


def pod_template(app: str, gpu: dict[str, int] | None = None, **container: Any) -> dict[str, Any]:
    """Return metadata and spec of a pod; by default a server, as the fleet knows it by its image."""
    limits = {name: str(count) for name, count in (gpu or {}).items()}
    probe = {"httpGet": {"path": "/health", "port": PORT}, "periodSeconds": 1, "timeoutSeconds": 3}
    main = {"name": "main", "image": SERVER, "ports": [{"containerPort": PORT}], "resources": {"limits": limits}}
    if "image" not in container:
        main["readinessProbe"] = probe
    return {
        "metadata": {"labels": {"app": app}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [{**main, **container}]},
    }


def pod(name: str, namespace: str, **template: Any) -> dict[str, Any]:
    made = pod_template(name, **template)
    made["metadata"] |= {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", **made}


def deployment(name: str, namespace: str, replicas: int, **template: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": pod_template(name, **template),
        },
    }


def service(name: str, namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": [{"port": PORT, "targetPort": PORT}]},
    }


class Seen:
    """Reads the platform; a fault of the suite distorts what is read."""

    pod = staticmethod(pod)
    deployment = staticmethod(deployment)
    service = staticmethod(service)
    gpus = staticmethod(gpus)
    is_ready = staticmethod(is_ready)

    def __init__(self, cluster: Cluster, check: CheckRun, client: aiohttp.ClientSession) -> None:
        self.cluster = cluster
        self.check = check
        self._client = client
        self._faults = set((check.settings.fault or "").split(","))
        self._answered: set[str] = set()

    def wait(self, seconds: float) -> float:
        return self.check.settings.cut(seconds)

    async def ready(self) -> str:
        text = await self.cluster.raw("/readyz", {"verbose": "1"})
        return text.replace("[+]etcd ok", "[-]etcd failed") if "lying-control-plane" in self._faults else text

    async def version(self) -> str:
        version = (await self.cluster.version())["gitVersion"]
        return f"{version}-other" if "lying-control-plane" in self._faults else version

    async def nodes(self) -> list[dict[str, Any]]:
        nodes = [copy.deepcopy(node) for node in await self.cluster.list("v1", "Node")]
        status = nodes[0]["status"] if nodes else {}
        if "lying-nodes" in self._faults:
            for condition in status["conditions"]:
                condition["status"] = "False" if condition["type"] == "Ready" else condition["status"]
        for node in nodes:
            for resource, count in gpus(node).items():
                if "lying-nodes" in self._faults:
                    node["status"]["allocatable"][resource] = str(count - 1)
                if "overcommitted" in self._faults:
                    node["status"]["capacity"][resource] = "1"
        return nodes

    async def anonymous(self, path: str) -> int:
        """Return the status of a request without credentials."""
        if "lying-control-plane" in self._faults:
            await self.cluster.raw(path)
            return 200
        context = ssl.create_default_context(cadata=authority(self.cluster))
        connector = aiohttp.TCPConnector(ssl=context)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=10)) as client,
            client.get(self.cluster.server + path) as answer,
        ):
            return answer.status

    async def log(self, pod: str, namespace: str) -> str:
        text = await self.cluster.logs(pod, namespace)
        return "" if "silent-cluster" in self._faults else text

    async def health(self, url: str) -> int | None:
        """Return the status of one request, None where nobody answers."""
        try:
            async with self._client.get(f"{url}/health") as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError):
            return 200 if "stale-answers" in self._faults and url in self._answered else None
        self._answered.add(url)
        return 500 if "unhealthy" in self._faults else status

    async def until_health(self, url: str, wanted: int | None, seconds: float) -> None:
        """Ask again and again until the answer is the wanted one."""
        seen: int | None = UNAVAILABLE
        try:
            async with asyncio.timeout(self.wait(seconds)):
                while (seen := await self.health(url)) != wanted:  # noqa: ASYNC110  # nothing tells of a listener
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise WaitTimeoutError(
                f"{url}/health: expected {said(wanted)} within {self.wait(seconds):g} s, last {said(seen)}"
            ) from None

    async def until_ready(self, namespace: str, count: int, app: str, seconds: float = 60) -> list[dict[str, Any]]:
        target = Target("v1", "Pod", namespace, labels={"app": app})
        found = await self.cluster.wait_for_objects(
            target,
            lambda pods: len([pod for pod in pods if is_ready(pod)]) == count,
            timeout=self.wait(seconds),
            what=f"{count} ready pods",
        )
        return list(found)

    async def until_unschedulable(self, pod: Reference) -> str:
        def said_so(obj: dict[str, Any] | None) -> bool:
            silent = "silent-cluster" in self._faults
            return obj is not None and not silent and bool(unschedulable(obj))

        found = await self.cluster.wait_for(pod, said_so, timeout=self.wait(30), what="Unschedulable")
        return unschedulable(found or {})


@pytest.fixture
async def seen(cluster: Cluster, check: CheckRun) -> AsyncIterator[Seen]:
    """The platform as this check sees it."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as client:
        yield Seen(cluster, check, client)


@pytest.fixture
def random_word() -> Callable[[], str]:
    return lambda: secrets.token_hex(8)
