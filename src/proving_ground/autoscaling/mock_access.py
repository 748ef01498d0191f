"""How the mocks of a namespace are reached: through the fleet where there is one, else pod by pod."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp

from proving_ground.autoscaling.manifests import SUITE, SUITE_LABEL, is_mock
from proving_ground.autoscaling.workloads import is_ready, pods_of
from proving_ground.errors import InfrastructureError
from proving_ground.fleet import remembered
from proving_ground.fleet.remembered import Remembered, Setting
from proving_ground.kube import ApiError, ConflictError, NotFoundError, Reference, Target
from proving_ground.mocks import DEFAULT_PORTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proving_ground.contracts.platform import Endpoint
    from proving_ground.kube import Cluster, Object

_SECONDS = 10.0
_BAD_REQUEST = 400
_NOT_FOUND = 404


class MockRefusedError(AssertionError):
    """A mock refused a change; nothing was changed. The message is the mock's own."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a mock told at one scrape.

    Attributes:
        unix: When, in real unix seconds.
        values: ``gpu_cache``, ``requests_running``, ``requests_waiting``; whatever the mock tells.
    """

    unix: float
    values: Mapping[str, float]


class Access(Protocol):
    """What :class:`~proving_ground.autoscaling.mocks.MockControl` does through it."""

    async def change(self, workload: str, path: str, query: Mapping[str, str], container: str) -> dict[str, str]:
        """Change every mock of a workload's pods, those that come later too; return what each pod said."""

    async def change_pod(self, pod: str, path: str, query: Mapping[str, str], container: str) -> dict[str, str]:
        """Change the mocks of one pod."""

    async def scrapes(self, workload: str) -> dict[str, int]:
        """Return how often each pod of a workload was scraped, pods that are gone included where they are known."""

    async def history(self, workload: str, since: float) -> dict[str, list[Sample]]:
        """Return what each pod told at the scrapes since a moment (real unix seconds), oldest first."""

    async def close(self) -> None:
        """Stop what goes on in the background."""


class FleetAccess:
    """Through the control API of the fleet that simulates the pods.

    Args:
        client: HTTP client.
        url: The control API.
        namespace: Where the workloads are.
    """

    def __init__(self, client: aiohttp.ClientSession, url: str, namespace: str) -> None:
        self._client = client
        self._base = f"{url.rstrip('/')}/namespaces/{namespace}"

    async def change(self, workload: str, path: str, query: Mapping[str, str], container: str) -> dict[str, str]:
        """See :class:`Access`."""
        return await self._change(f"workloads/{workload}", path, query, container)

    async def change_pod(self, pod: str, path: str, query: Mapping[str, str], container: str) -> dict[str, str]:
        """See :class:`Access`."""
        return await self._change(f"pods/{pod}", path, query, container)

    async def _change(self, what: str, path: str, query: Mapping[str, str], container: str) -> dict[str, str]:
        params = {**query, **({"container": container} if container else {})}
        answer = await self._ask("POST", f"{what}/mock/{path}", params)
        return {str(pod): str(text) for pod, text in (answer.get("pods") or {}).items()}

    async def scrapes(self, workload: str) -> dict[str, int]:
        """See :class:`Access`."""
        answer = await self._ask("GET", f"workloads/{workload}/scrapes", {})
        return {str(pod): int(count) for pod, count in (answer.get("pods") or {}).items()}

    async def history(self, workload: str, since: float) -> dict[str, list[Sample]]:
        """See :class:`Access`."""
        answer = await self._ask("GET", f"workloads/{workload}/history", {"since": f"{since:.3f}"})
        return {str(pod): samples(found) for pod, found in (answer.get("pods") or {}).items()}

    async def close(self) -> None:
        """See :class:`Access`."""

    async def _ask(self, method: str, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        text = await ask(self._client, method, f"{self._base}/{path}", params)
        return document(text, f"{self._base}/{path}")


class PodAccess:
    """Pod by pod, as on any cluster; keeps an eye on pods that come, and gives them what was set before.

    What was set is in a ConfigMap, too, where pods of the project's own images find it before they are ready: no
    scrape ever sees them without.

    Args:
        cluster: The cluster.
        namespace: Where the workloads are.
        client: HTTP client.
        direct: Endpoint whose ``via`` is the proxy to the pods' own addresses; None: the API server is the proxy.
    """

    def __init__(
        self, cluster: Cluster, namespace: str, client: aiohttp.ClientSession, direct: Endpoint | None = None
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._client = client
        self._direct = direct
        self._remembered = Remembered()
        self._workloads: dict[str, None] = {}
        self._given: set[str] = set()
        self._keeper: asyncio.Task[None] | None = None

    async def change(self, workload: str, path: str, query: Mapping[str, str], container: str) -> dict[str, str]:
        """See :class:`Access`."""
        if path in remembered.TIMED:
            query = {"since": f"{time.time():.6f}", **query}
        pods = await self._pods(workload)
        said = {}
        for pod in pods:  # all have the same rules: what the first refuses was changed nowhere
            said[str(pod["metadata"]["name"])] = await self._set(pod, path, query, container)
        self._remembered.note((self._namespace, workload), Setting(container, path, query))
        self._workloads[workload] = None
        await self._write_down(workload)
        self._given |= {str(pod["metadata"]["uid"]) for pod in pods}
        if self._keeper is not None and self._keeper.done():
            await self._keeper  # raises what ended it: pods that come would not get what is set
        if self._keeper is None:
            self._keeper = asyncio.get_running_loop().create_task(self._keep())
        return said

    async def change_pod(self, pod: str, path: str, query: Mapping[str, str], container: str) -> dict[str, str]:
        """See :class:`Access`."""
        found = await self._cluster.get("v1", "Pod", pod, self._namespace)
        if found is None:
            raise InfrastructureError(f"there is no pod {self._namespace}/{pod}")
        return {pod: await self._set(found, path, query, container)}

    async def scrapes(self, workload: str) -> dict[str, int]:
        """See :class:`Access`."""
        found = await self._histories(workload, {"since": "9999999999"})
        return {pod: sum(int(page.get("scrapes", 0)) for page in pages) for pod, pages in found.items()}

    async def history(self, workload: str, since: float) -> dict[str, list[Sample]]:
        """See :class:`Access`."""
        found = await self._histories(workload, {"since": f"{since:.3f}"})
        told = {pod: [s for page in pages for s in samples(page.get("samples"))] for pod, pages in found.items()}
        return {pod: sorted(points, key=lambda sample: sample.unix) for pod, points in told.items()}

    async def close(self) -> None:
        """See :class:`Access`."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)

    async def _pods(self, workload: str) -> list[Object]:
        """Return the ready pods of a workload; of one without pods, a pod of its own that has its name."""
        pods = [pod for pod in await pods_of(self._cluster, workload, self._namespace) if is_ready(pod)]
        if not pods:
            alone = await self._cluster.get("v1", "Pod", workload, self._namespace)
            pods = [alone] if alone is not None and is_ready(alone) else []
        return pods

    async def _write_down(self, workload: str) -> None:
        """Have pods of a workload that come later find what was set."""
        kept = Reference("v1", "ConfigMap", remembered.CONFIG_MAP, self._namespace)
        data = {"data": {workload: remembered.written(self._remembered.of((self._namespace, workload)))}}
        metadata = {"name": kept.name, "namespace": self._namespace, "labels": {SUITE_LABEL: SUITE}}
        try:
            await self._cluster.patch(kept, data)
        except NotFoundError:
            try:
                await self._cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **data})
            except ConflictError:  # another check of the namespace was quicker
                await self._cluster.patch(kept, data)

    async def _histories(self, workload: str, params: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
        pods = await self._pods(workload)
        found: dict[str, list[dict[str, Any]]] = {}
        for pod in pods:
            pages = [document(await self._get(pod, port, "history", params), "history") for _, port in mocks_in(pod)]
            found[str(pod["metadata"]["name"])] = pages
        return found

    async def _set(self, pod: Object, path: str, query: Mapping[str, str], container: str) -> str:
        said = [await self._get(pod, port, path, query) for name, port in mocks_in(pod) if container in {"", name}]
        if not said:
            wanted = f"container {container!r} that is a mock" if container else "mock"
            raise InfrastructureError(f"pod {self._namespace}/{pod['metadata']['name']} has no {wanted}")
        return "\n".join(said)

    async def _get(self, pod: Object, port: int, path: str, query: Mapping[str, str]) -> str:
        name = str(pod["metadata"]["name"])
        if self._direct is not None:
            url = f"http://{pod['status']['podIP']}:{port}/{path}"
            return await ask(self._client, "GET", url, query, proxy=self._direct.via)
        proxied = f"/api/v1/namespaces/{self._namespace}/pods/{name}:{port}/proxy/{path}"
        try:
            return await self._cluster.raw(proxied, dict(query))
        except ApiError as error:
            if error.status == _BAD_REQUEST:
                raise MockRefusedError(error.message) from error
            raise InfrastructureError(f"the mock in pod {name} cannot be reached: {error}") from error

    async def _keep(self) -> None:
        """Give pods that become ready what was set for their workload."""
        async with self._cluster.follow(Target("v1", "Pod", self._namespace)) as following:
            while True:
                fresh = [
                    pod for pod in following.objects if is_ready(pod) and pod["metadata"]["uid"] not in self._given
                ]
                if fresh:
                    await self._give()
                await following.change(3600)

    async def _give(self) -> None:
        for workload in list(self._workloads):
            for pod in await self._pods(workload):
                uid = str(pod["metadata"]["uid"])
                if uid in self._given:
                    continue
                self._given.add(uid)
                for kept in self._remembered.of((self._namespace, workload)):
                    await self._set(pod, kept.path, kept.query, kept.container)


def mocks_in(pod: Object) -> list[tuple[str, int]]:
    """Return name and port of each container of a pod that is a mock."""
    found = []
    for container in pod["spec"].get("containers") or []:
        if is_mock(str(container.get("image", ""))):
            mock = next(iter(container.get("args") or []), "")
            declared = [int(port["containerPort"]) for port in container.get("ports") or [] if "containerPort" in port]
            found.append((str(container["name"]), declared[0] if declared else DEFAULT_PORTS.get(mock, 8000)))
    return found


async def ask(
    client: aiohttp.ClientSession, method: str, url: str, params: Mapping[str, str], *, proxy: str | None = None
) -> str:
    """Send a request to a mock, or to what stands before mocks, and return the text of its answer.

    Raises:
        MockRefusedError: Status 400: a parameter is wrong.
        InfrastructureError: Nobody answers, or with another status.
    """
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with client.request(method, url, params=dict(params), proxy=proxy, timeout=timeout) as answer:
            text = (await answer.read()).decode(errors="replace")
            status = answer.status
    except (aiohttp.ClientError, TimeoutError) as error:
        raise InfrastructureError(f"{url} does not answer: {error or type(error).__name__}") from error
    if status == _BAD_REQUEST:
        raise MockRefusedError(_said(text))
    if status >= _BAD_REQUEST:
        hint = "is there such a workload, and has it mocks?" if status == _NOT_FOUND else ""
        raise InfrastructureError(f"{url} answered {status}: {_said(text)}", hint=hint)
    return text


def _said(text: str) -> str:
    """Return what a refusal says: its ``error`` where it is JSON, else its text."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(json.loads(text)["error"])[:500]
    return text.strip()[:500]


def document(text: str, where: str) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        InfrastructureError: It is something else.
    """
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InfrastructureError(f"expected a JSON object, found {text[:80]!r}", where=where)
    return found


def samples(found: object) -> list[Sample]:
    """Return the samples of a history; what is not a pair of a time and values is left out."""
    points = []
    for entry in found if isinstance(found, list) else ():
        match entry:
            case [int() | float() as unix, dict() as values]:
                numbers = {str(k): float(v) for k, v in values.items() if isinstance(v, int | float)}
                points.append(Sample(float(unix), numbers))
    return points
