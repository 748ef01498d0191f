"""What the checks of a cluster see of it, and the faults: of pods real ones, else put in between."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import dataclasses
import datetime as dt
import json
import re
import secrets
import shutil
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from proving_ground import kube
from proving_ground.errors import InfrastructureError
from proving_ground.hosts import cluster_judging
from proving_ground.hosts.certificates import Certificate, certificate_of
from proving_ground.hosts.declared import ControlPlane, Declared, declared_of
from proving_ground.kube import Cluster, Reference, Target, conditions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from proving_ground.contracts.platform import Platform
    from proving_ground.hosts.machine import Machine
    from proving_ground.plugin.check_run import CheckRun, Settings

HERE = Path(__file__).parent
PORT = 8080
PATIENCE = 30.0
"""Seconds within which every node has to know of a new Service, and every pod be reached."""
NODES = 6
"""Nodes that get a pod at most: the first of the control plane, and others."""
API = ("kubernetes.default", "kubernetes.default.svc")
NOWHERE = "192.0.2.53"
"""An address for documentation (RFC 5737): nobody is there."""
CRASHING = {
    "ready": False,
    "restartCount": 17,
    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}},
}
FORWARDING = re.compile(rb"Forwarding from 127\.0\.0\.1:(\d+) ->")


def faults_of(settings: Settings) -> frozenset[str]:
    return frozenset((settings.fault or "").split(","))


def is_ready(obj: dict[str, Any]) -> bool:
    return any(kind == "Ready" and status == "True" for kind, status, _, _ in conditions(obj))


@dataclasses.dataclass(frozen=True)
class Probe:
    """A pod of this suite."""

    name: str
    node: str
    address: str

    @property
    def url(self) -> str:
        return f"http://{self.address}:{PORT}/"


@dataclasses.dataclass(frozen=True)
class Probes:
    """A pod on each of some nodes, and a Service for all of them."""

    namespace: str
    pods: tuple[Probe, ...]
    service: str
    address: str
    word: str

    @property
    def url(self) -> str:
        return f"http://{self.address}/"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the API server's Service and of this one, as pods may write them."""
        return (*API, self.service, f"{self.service}.{self.namespace}.svc")


def pod(name: str, node: str, image: str, word: str, faults: frozenset[str]) -> dict[str, Any]:
    environment = {
        "POD": name,
        "WORD": "" if "deaf-kubelet" in faults else word,
        "DEAF": str("deaf-pods" in faults).lower(),
    }
    spec: dict[str, Any] = {
        # Given, not scheduled: it has to be on this node. Whatever the node repels, it is there.
        "nodeName": node,
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "containers": [
            {
                "name": "main",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["python3", "-I", "-c", (HERE / "pod_server.py").read_text(encoding="utf-8")],
                "env": [{"name": key, "value": value} for key, value in environment.items()],
                "ports": [{"containerPort": PORT}],
                "readinessProbe": {
                    "httpGet": {"path": "/ready", "port": PORT},
                    "periodSeconds": 1,
                    "timeoutSeconds": 5,
                    "failureThreshold": 10,
                },
            }
        ],
    }
    if "no-name-server" in faults:
        options = [{"name": "timeout", "value": "1"}, {"name": "attempts", "value": "1"}]
        spec |= {"dnsPolicy": "None", "dnsConfig": {"nameservers": [NOWHERE], "options": options}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "probe"}}, "spec": spec}


def service(faults: frozenset[str]) -> dict[str, Any]:
    selector = {"app": "nobody" if "no-endpoints" in faults else "probe"}
    ports = [{"port": 80, "targetPort": PORT}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "probe"},
        "spec": {"selector": selector, "ports": ports},
    }


def chosen(nodes: Sequence[dict[str, Any]]) -> list[str]:
    """Return names of ready nodes: one of the control plane first, then the others."""
    ready = [node["metadata"] for node in nodes if is_ready(node)]
    planes = [node["name"] for node in ready if "node-role.kubernetes.io/control-plane" in (node.get("labels") or {})]
    workers = [node["name"] for node in ready if node["name"] not in planes]
    return [*planes[:1], *workers, *planes[1:]][:NODES]


def tools_image(platform: Platform) -> str:
    image = platform.clusters["default"].images.get("tools", "")
    if not image:
        raise InfrastructureError(
            "the platform declares no image `tools` that its nodes have",
            hint="clusters.default.images.tools of platform.json names one with Python 3 and curl",
        )
    return image


@pytest.fixture(scope="session")
async def probes(platform: Platform, settings: Settings) -> AsyncIterator[Probes]:
    """Pods that are forced on different nodes, made once for all checks; removed and verified gone."""
    image, faults, word = tools_image(platform), faults_of(settings), secrets.token_hex(8)
    declared = platform.clusters["default"]
    limit = settings.cleanup_limit * 0.9
    async with (
        Cluster.connect(declared.kubeconfig, declared.context) as cluster,
        kube.namespace(cluster, "cluster", run_id=settings.run_id, timeout=limit) as namespace,
    ):
        cluster.watch_by_namespace()
        nodes = chosen(await cluster.list("v1", "Node"))
        account = Reference("v1", "ServiceAccount", "default", namespace)
        await cluster.wait_for(account, lambda found: found is not None, timeout=limit, what="its service account")
        made = await cluster.create(service(faults), namespace=namespace)
        names = [f"probe-{number}" for number in range(len(nodes))]
        await asyncio.gather(
            *(
                cluster.create(pod(name, node, image, word, faults), namespace=namespace)
                for name, node in zip(names, nodes, strict=True)
            )
        )
        found = await cluster.wait_for_objects(
            Target("v1", "Pod", namespace),
            lambda pods: len([one for one in pods if is_ready(one)]) == len(names),
            timeout=settings.cut(90),
            what=f"{len(names)} ready pods of {image}",
        )
        pods = sorted((o["metadata"]["name"], o["spec"]["nodeName"], o["status"]["podIP"]) for o in found)
        yield Probes(namespace, tuple(Probe(*one) for one in pods), "probe", made["spec"]["clusterIP"], word)


@contextlib.asynccontextmanager
async def kubectl(platform: Platform, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run kubectl; at the end of the context it is gone."""
    cluster = platform.clusters["default"]
    program = cluster.kubectl or "kubectl"
    if shutil.which(program) is None:
        raise InfrastructureError(f"there is no {program}", hint="clusters.default.kubectl of platform.json names one")
    context = [f"--context={cluster.context}"] if cluster.context else []
    process = await asyncio.create_subprocess_exec(
        *(program, f"--kubeconfig={cluster.kubeconfig}", *context, *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def execute(platform: Platform, namespace: str, name: str, *command: str, seconds: float) -> str:
    """Run a command in a pod, and return what it printed.

    Raises:
        AssertionError: It did not end well in time.
    """
    async with kubectl(platform, "exec", name, f"--namespace={namespace}", "--", *command) as process:
        try:
            async with asyncio.timeout(seconds):
                out, err = await process.communicate()
        except TimeoutError:
            raise AssertionError(f"{name}: expected a command in it to end within {seconds:g} s") from None
    said = err.decode(errors="replace").strip()
    assert process.returncode == 0, f"{name}: a command in it ended with {process.returncode}: {said}"
    return out.decode(errors="replace")


@pytest.fixture(scope="session")
async def answers(probes: Probes, platform: Platform, settings: Settings) -> dict[str, dict[str, str]]:
    """What each pod finds, by its name and by what it was asked: names it looks up, URLs it asks.

    All is asked at once, and again while it goes wrong. What begins with a question mark says what went wrong.
    """
    program = (HERE / "pod_client.py").read_text(encoding="utf-8")
    questions = [*probes.names, probes.url, *(pod.url for pod in probes.pods)]

    async def ask(pod: Probe) -> dict[str, str]:
        # Half of the limit: what it asked last may take its time too.
        command = ("python3", "-I", "-c", program, f"{settings.cut(2 * PATIENCE) / 2:g}", *questions)
        try:
            found: dict[str, str] = json.loads(
                await execute(platform, probes.namespace, pod.name, *command, seconds=settings.cut(2 * PATIENCE))
            )
        except (AssertionError, ValueError) as error:
            return dict.fromkeys(questions, f"? it cannot be asked: {error}")
        return found

    found = await asyncio.gather(*(ask(pod) for pod in probes.pods))
    return {pod.name: its for pod, its in zip(probes.pods, found, strict=True)}


class Seen:
    """Reads the cluster; faults that are not real distort what is read."""

    def __init__(self, cluster: Cluster, check: CheckRun, platform: Platform) -> None:
        self.cluster = cluster
        self.check = check
        self.platform = platform
        self.faults = faults_of(check.settings)
        self.declared: dict[str, Declared] = {
            host.name: declared_of(host.name, host.declared) for host in platform.hosts
        }

    def wait(self, seconds: float) -> float:
        return self.check.settings.cut(seconds)

    @property
    def members(self) -> list[str]:
        """Hosts that have to be nodes."""
        return [host.name for host in self.platform.hosts if cluster_judging.MEMBERS & set(host.groups)]

    @property
    def control_plane(self) -> ControlPlane:
        """What is declared of the cluster: by its first host that is of the control plane."""
        planes = [host.name for host in self.platform.hosts if "control_plane" in host.groups]
        return self.declared[planes[0]].control_plane if planes else ControlPlane()

    async def nodes(self) -> list[dict[str, Any]]:
        nodes = [copy.deepcopy(node) for node in await self.cluster.list("v1", "Node")]
        if "lying-nodes" in self.faults:
            for condition in nodes[0]["status"]["conditions"]:
                if condition["type"] == "MemoryPressure":
                    condition |= {
                        "status": "True",
                        "reason": "KubeletHasInsufficientMemory",
                        "message": "short of memory",
                    }
            for node in nodes:
                allocatable = node["status"]["allocatable"]
                for resource in cluster_judging.RESOURCES.values():
                    if int(allocatable.get(resource, 0)):
                        allocatable[resource] = str(int(allocatable[resource]) - 1)
        return nodes

    async def system_pods(self) -> list[dict[str, Any]]:
        pods = [copy.deepcopy(one) for one in await self.cluster.list("v1", "Pod", "kube-system")]
        if "crashing-dns" in self.faults:
            for condition in pods[0]["status"]["conditions"]:
                condition["status"] = "False" if condition["type"] == "Ready" else condition["status"]
            for container in pods[0]["status"]["containerStatuses"]:
                container.update(CRASHING)
        return pods

    async def ready(self) -> str:
        text = await self.cluster.raw("/readyz", {"verbose": "1"})
        lying = "lying-control-plane" in self.faults
        return text.replace("[+]etcd ok", "[-]etcd failed: reason withheld") if lying else text

    async def storage_classes(self) -> list[dict[str, Any]]:
        classes = list(await self.cluster.list("storage.k8s.io/v1", "StorageClass"))
        if "two-defaults" in self.faults:
            default = {"storageclass.kubernetes.io/is-default-class": "true"}
            classes += [{"metadata": {"name": name, "annotations": default}} for name in ("fast", "slow")]
        return classes

    async def certificate(self) -> Certificate:
        """Return the certificate that the API server shows."""
        url = urlsplit(self.cluster.server)
        where = f"{url.hostname}:{url.port or 443}"
        context = ssl.create_default_context()
        # Only looked at: that it is the right one is verified wherever the cluster is used.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            async with asyncio.timeout(self.wait(10)):
                _, writer = await asyncio.open_connection(url.hostname, url.port or 443, ssl=context)
        except (OSError, TimeoutError) as error:
            raise InfrastructureError(
                f"no TLS handshake with the API server: {error or 'too slow'}", where=where
            ) from error
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()
        found = certificate_of(where, der)
        if "lying-control-plane" in self.faults:
            found = dataclasses.replace(found, ends=dt.datetime.now(dt.UTC) + dt.timedelta(days=3))
        return found

    async def etcd(self, machine: Machine, path: str) -> str:
        """Return what etcd on a host tells: health or metrics."""
        declared = self.declared[machine.name].control_plane
        url = declared.etcd_health_url if path == "health" else declared.etcd_metrics_url
        files = "/etc/kubernetes/pki/etcd/"
        options = "-sS --max-time 10"
        if url.startswith("https:"):
            options += (
                f" --cacert {files}ca.crt --cert {files}healthcheck-client.crt --key {files}healthcheck-client.key"
            )
        output = await machine.run(f"curl {options} '{url}'")
        if output.rc:
            return output.stderr.strip()
        if path == "health" and "lying-control-plane" in self.faults:
            return '{"health":"false","reason":"RAFT NO LEADER"}'
        if path == "metrics" and "slow-disk" in self.faults:
            return (HERE / "recorded/etcd-slow.txt").read_text(encoding="utf-8")
        return output.stdout

    async def log(self, probes: Probes, name: str) -> str:
        return await self.cluster.logs(name, probes.namespace)

    async def echo(self, probes: Probes, name: str, word: str) -> str:
        command = ("sh", "-c", 'echo "$1" "$POD"', "sh", word)
        printed = await execute(self.platform, probes.namespace, name, *command, seconds=self.wait(60))
        return "" if "deaf-kubelet" in self.faults else printed

    @contextlib.asynccontextmanager
    async def forwarded(self, probes: Probes, name: str) -> AsyncIterator[int]:
        """Forward a port of this machine to a pod, through API server and kubelet.

        Raises:
            AssertionError: It was not forwarded in time.
        """
        words = ("port-forward", f"pod/{name}", f":{PORT}", f"--namespace={probes.namespace}", "--address=127.0.0.1")
        async with kubectl(self.platform, *words) as process:
            assert process.stdout is not None and process.stderr is not None  # noqa: PT018  # for the type checker
            try:
                async with asyncio.timeout(self.wait(20)):
                    line = await process.stdout.readline()
            except TimeoutError:
                raise AssertionError(f"{name}: expected a forwarded port within {self.wait(20):g} s") from None
            match = FORWARDING.match(line)
            assert match, f"{name}: expected a forwarded port: {(line or await process.stderr.read()).decode().strip()}"
            yield int(match.group(1))


@pytest.fixture
async def seen(cluster: Cluster, check: CheckRun, platform: Platform) -> Seen:
    """The cluster, as this check sees it."""
    return Seen(cluster, check, platform)


@pytest.fixture
def control_planes(machines: tuple[Machine, ...]) -> tuple[Machine, ...]:
    """The hosts of the control plane."""
    found = tuple(machine for machine in machines if "control_plane" in machine.groups)
    if not found:
        raise InfrastructureError("the platform has no host in group control_plane", hint="where does etcd run?")
    return found


@pytest.fixture
def random_word() -> Callable[[], str]:
    return lambda: secrets.token_hex(8)
