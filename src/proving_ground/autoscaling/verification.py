"""An autoscaler as checks use it: workloads with mocks, their scalers, and what becomes of both."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import itertools
from typing import TYPE_CHECKING, Any

import httpx

from proving_ground.autoscaling import manifests, objects
from proving_ground.autoscaling.cadence import CAPABILITY, CLOCK_ANNOTATION, SYSTEM, Cadence, Clock, at
from proving_ground.autoscaling.namespaces import Wish
from proving_ground.autoscaling.scalers import Scalers, condition_of
from proving_ground.autoscaling.watching import Seen, watched
from proving_ground.kube import ApiError, Reference, WaitTimeoutError, summarise
from proving_ground.load import LoadPlan, run_load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping

    from proving_ground.autoscaling.mocks import MockControl
    from proving_ground.kube import Cluster, Object
    from proving_ground.plugin.check_run import CheckRun

SCALE_SECONDS = 60.0
"""Real seconds within which a decision that is due has shown, beside what its own windows take."""

ALMOST = 0.6
"""Part of a window after which a step may be seen: the API server tells steps a little late, not equally so."""


class Autoscaling:
    """The autoscaler and what it scales, for one check in one namespace.

    Attributes:
        cluster: Where.
        check: Whose.
        namespace: The namespace.
        cadence: How fast the autoscaler goes.
        scalers: The BudAIScalers.
        mocks: The mocks that tell metrics.
        refusal: What a request raises that the API server refuses.
    """

    refusal = ApiError

    def __init__(self, cluster: Cluster, check: CheckRun, namespace: str, cadence: Cadence, mocks: MockControl) -> None:
        self.cluster = cluster
        self.check = check
        self.namespace = namespace
        self.cadence = cadence
        self.scalers = Scalers(cluster, check, namespace, cadence)
        self.mocks = mocks
        self.clocks: dict[str, list[Clock]] = {}
        self._hollow: set[str] = set()

    async def leave(self) -> None:
        """Dismiss the scalers of this check, unless somebody named the namespace to look at them afterwards."""
        if not Wish.of(self.check.platform.systems[SYSTEM].parameters).name:
            await self.scalers.dismiss()

    # Making things

    async def workload(
        self,
        name: str,
        *,
        mock: str = "vllm-metrics",
        replicas: int = 1,
        requests: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        loads: bool = False,
        service: bool = False,
    ) -> None:
        """Make a Deployment of pods that are a mock, and wait until all of them are ready.

        Args:
            name: Its name.
            mock: Which mock.
            replicas: How many pods it begins with.
            requests: What each pod asks for.
            env: How the mock begins.
            loads: Whether the pods load until :meth:`finish_loading`; they are only waited for to be there then.
            service: Whether it gets a Service of its name.
        """
        await self._make(
            objects.workload(
                name, mock=mock, replicas=replicas, requests=requests, env=env, loads=loads, service=service
            )
        )
        if loads:
            await self._pods_are(name, "replicas", lambda number: number == replicas, what=f"{replicas} pods")
        else:
            await self.scalers.workloads.wait_for_deployment(name)

    async def hollow(self, name: str, *, replicas: int = 1, env: Mapping[str, str] | None = None) -> None:
        """Make a Deployment that has no pods, and one mock that tells what its scaler sees; see `objects.hollow`.

        Args:
            name: Their name.
            replicas: What the Deployment begins with.
            env: How the mock begins.
        """
        await self._make(objects.hollow(name, replicas=replicas, env=env))
        await self.scalers.workloads.wait_for_pod(f"app={name}")
        self._hollow.add(name)

    async def simulator(self, name: str, *, slots: int, token_milliseconds: int) -> None:
        """Make a Deployment of one inference server that really serves, with a Service of its name.

        Args:
            name: Its name.
            slots: Requests that it serves at once; others wait.
            token_milliseconds: Real milliseconds that it takes for each token.
        """
        await self._make(objects.simulator(name, slots=slots, token_milliseconds=token_milliseconds))
        await self.scalers.workloads.wait_for_deployment(name)

    async def scaler(
        self,
        name: str,
        *,
        workload: str = "",
        source: Mapping[str, Any] | None = None,
        target: str = objects.TARGET,
        minimum: int = 1,
        maximum: int = 3,
        ready: bool = True,
        clock: Clock | None = None,
        **spec: Any,
    ) -> None:
        """Make a BudAIScaler of a workload of its name, and wait until it is ready.

        Args:
            name: Its name.
            workload: What it scales, if that has another name.
            source: Its source of metrics; the cache usage that the workload's mocks tell if absent.
            target: Target value of that.
            minimum: Least replicas.
            maximum: Most replicas.
            ready: Whether to wait until it is ready.
            clock: A clock of its own.
            **spec: Further fields of its spec.
        """
        if source is None and (workload or name) in self._hollow:
            source = self.external_source(workload or name, target=target)
        made = objects.scaler(
            name,
            workload or name,
            {
                "minReplicas": minimum,
                "maxReplicas": maximum,
                "metricsSources": [dict(source) if source else objects.pod_source(objects.METRIC, target)],
                **spec,
            },
        )
        if clock is not None:
            self.clocks.setdefault(name, []).append(clock)
            made["metadata"]["annotations"] = {CLOCK_ANNOTATION: clock.text}
        await self.scalers.apply(made)
        if ready:
            await self.scalers.wait_ready(name)

    async def _make(self, objects_: Iterable[Object]) -> None:
        for obj in manifests.prepared(objects_, self.namespace):
            await self.cluster.create(obj)

    async def dry_run(self, name: str, spec: Mapping[str, Any]) -> Object:
        """Return what the API server would make of a scaler; ``None`` removes a field of an ordinary one's spec."""
        ordinary = {
            "minReplicas": 1,
            "maxReplicas": 5,
            "metricsSources": [objects.pod_source(objects.METRIC, objects.TARGET)],
        }
        chosen = {key: value for key, value in {**ordinary, **spec}.items() if value is not None}
        made = objects.scaler(name, name, chosen)
        return await self.cluster.create(made, namespace=self.namespace, dry_run=True)

    async def finish_loading(self, name: str) -> None:
        """Let the pods of a workload that loads become ready, those that come later, too."""
        for pod in await self.cluster.list("v1", "Pod", self.namespace, labels={"app": name}):
            await self.cluster.patch(Reference.of(pod), {"metadata": {"annotations": {objects.LOADS: None}}})

    async def pod_quota(self, count: int) -> None:
        """Forbid the namespace to have more pods than so many."""
        await self.scalers.apply(objects.pod_quota(count))

    async def clock(self, name: str, time: str, *, speed: float | None = None, unix: float | None = None) -> Clock:
        """Set the clock of a scaler, and return it.

        Args:
            name: The scaler.
            time: What it shows, in ISO 8601.
            speed: How fast it runs; as the autoscaler's own if absent.
            unix: When it shows that, in real unix seconds; now if absent.
        """
        clock = at(dt.datetime.fromisoformat(time), self.cadence.speed if speed is None else speed, unix=unix)
        self.clocks.setdefault(name, []).append(clock)
        await self.scalers.annotate(name, {CLOCK_ANNOTATION: clock.text})
        return clock

    @property
    def has_clock(self) -> bool:
        """Whether a scaler's clock can be set here."""
        return CAPABILITY in self.check.platform.capabilities.promised

    def address(self, name: str, port: int) -> str:
        """Return the URL of a Service of this namespace, as the autoscaler reaches it."""
        return f"http://{name}.{self.namespace}.svc.cluster.local:{port}"

    @staticmethod
    def pod_source(metric: str, target: str) -> dict[str, Any]:
        """Return a source that reads a metric from each pod's own page."""
        return objects.pod_source(metric, target)

    def external_source(self, name: str, *, target: str = objects.TARGET) -> dict[str, Any]:
        """Return a source that reads the cache usage that a workload tells at its Service."""
        return {
            "metricSourceType": "external",
            "endpoint": f"{self.address(name, 8000)}/json",
            "targetMetric": "vllm:gpu_cache_usage_perc",
            "targetValue": target,
        }

    # Looking at what becomes of them

    @contextlib.asynccontextmanager
    async def watched(self, name: str, *, scaler: str = "") -> AsyncIterator[Seen]:
        """Watch a workload and its scaler (of the same name unless given) while the context lasts."""
        target = Reference("apps/v1", "Deployment", name, self.namespace)
        async with watched(self.cluster, self.check, scaler or name, self.namespace, target=target, pods=False) as seen:
            yield seen

    async def rounds(self, name: str, count: int) -> None:
        """Wait until the autoscaler has looked at the metrics of a workload so often, and acted on them."""
        await self.mocks.wait_reconciles(name, count)

    async def desired(self, name: str, predicate: Callable[[int], bool], *, what: str, simulated: float = 0.0) -> int:
        """Wait until a scaler wants a number of replicas, and its target is told to have them."""
        seconds = self.cadence.patience(12, simulated=simulated) + SCALE_SECONDS / 4
        found = await self.scalers.wait_desired(name, predicate, what, seconds=seconds)
        target = (await self.scalers.get(name))["spec"]["scaleTargetRef"]["name"]
        await self.replicas(target, predicate, what=what)
        return found

    async def replicas(self, workload: str, predicate: Callable[[int], bool], *, what: str) -> None:
        """Wait until a Deployment is told to have a number of replicas."""

        def holds(found: Object | None) -> bool:
            return found is not None and predicate(int(found["spec"].get("replicas", 1)))

        reference = Reference("apps/v1", "Deployment", workload, self.namespace)
        limit = self.check.settings.cut(SCALE_SECONDS + self.cadence.patience(12))
        await self.cluster.wait_for(reference, holds, timeout=limit, what=what)

    async def pods(self, workload: str, predicate: Callable[[int], bool], *, what: str) -> None:
        """Wait until a Deployment has a number of pods that are ready."""
        await self._pods_are(workload, "readyReplicas", predicate, what=what)

    async def _pods_are(self, workload: str, field: str, predicate: Callable[[int], bool], *, what: str) -> None:
        def holds(found: Object | None) -> bool:
            status = (found or {}).get("status") or {}
            return found is not None and predicate(int(status.get(field, 0)))

        reference = Reference("apps/v1", "Deployment", workload, self.namespace)
        limit = self.check.settings.cut(SCALE_SECONDS + self.cadence.patience(12))
        await self.cluster.wait_for(reference, holds, timeout=limit, what=what)

    async def status(self, name: str, predicate: Callable[[Mapping[str, Any]], bool], what: str) -> dict[str, Any]:
        """Wait until a predicate holds for the status of a scaler, and return the status."""
        return await self.scalers.wait_status(name, predicate, what, seconds=self.cadence.patience(24))

    async def told_unusable(self, name: str) -> str:
        """Wait until a scaler tells that its metrics cannot be used, and return what it tells."""

        def unusable(scaler: Object) -> bool:
            return any(condition_of(scaler, kind)["status"] == "False" for kind in ("ScalingActive", "Ready"))

        scaler = await self.scalers.wait(name, unusable, "metrics that are told as unusable")
        found = next(
            told for kind in ("ScalingActive", "Ready") if (told := condition_of(scaler, kind))["status"] == "False"
        )
        return found["message"]

    async def not_ready(self, name: str, reason: str) -> None:
        """Wait until a scaler is not ready for a reason, and check that it says why."""
        scaler = await self.scalers.wait_condition(name, "Ready", "False", reason=reason)
        if not condition_of(scaler, "Ready")["message"]:
            raise AssertionError(f"{name} does not say why it is not ready: {summarise(scaler)}")

    async def hpa(self, name: str) -> Object:
        """Wait for a HorizontalPodAutoscaler, and return it."""
        reference = Reference("autoscaling/v2", "HorizontalPodAutoscaler", name, self.namespace)
        limit = self.check.settings.cut(self.cadence.patience(12))
        found = await self.cluster.wait_for(reference, lambda o: o is not None, timeout=limit, what="an autoscaler")
        return found or {}

    @contextlib.asynccontextmanager
    async def load(self, name: str, *, concurrency: int) -> AsyncIterator[None]:
        """Send requests to a simulator while the context lasts; bounded in time and number."""
        address = await self._service(name)
        await self._answering(f"http://{address}:8000/health")
        plan = LoadPlan(
            url=f"http://{address}:8000",
            concurrency=concurrency,
            duration=60.0,
            max_tokens=12,
            # A Service that this check made, on the platform's own cluster.
            allowed=frozenset({address}),
        )
        async with in_background(run_load(plan)):
            yield

    async def _service(self, name: str) -> str:
        found = await self.cluster.get("v1", "Service", name, self.namespace)
        if found is None:
            raise AssertionError(f"there is no Service {self.namespace}/{name}")
        return str(found["spec"]["clusterIP"])

    async def _answering(self, url: str) -> None:
        """Wait until a Service answers: each node hears of its pods some moments after the API server."""
        limit = self.check.settings.cut(SCALE_SECONDS)
        last = "nothing"
        try:
            async with asyncio.timeout(limit), httpx.AsyncClient(trust_env=False, timeout=5) as client:
                while True:
                    try:
                        answer = await client.get(url)
                    except httpx.HTTPError as error:
                        last = type(error).__name__
                    else:
                        if answer.is_success:
                            return
                        last = f"status {answer.status_code}"
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise WaitTimeoutError(f"{url} does not answer within {limit:g} s, last {last}") from None

    # Judging what was seen

    def apart(self, seen: Seen, simulated: float) -> None:
        """Check that steps of a workload came no sooner after each other than a window lasts."""
        steps = seen.changes("replicas")[1:]
        least = self.cadence.seconds(simulated) * ALMOST
        for before, after in itertools.pairwise(steps):
            if after.time - before.time < least:
                raise AssertionError(
                    f"{before.value} -> {after.value} came {after.time - before.time:.2f} s after the step before, "
                    f"expected {least:.2f} s at least\n{seen.told()}"
                )

    def periods(self, seen: Seen, simulated: float, *, scaler: str = "") -> tuple[int, int]:
        """Return the most replicas in the first period of a policy, counted from the first step, and in the second.

        Args:
            seen: What was seen of the target.
            simulated: Length of a period by the autoscaler's clock.
            scaler: The scaler, where it may have a clock of its own.
        """
        steps = seen.changes("replicas")[1:]
        if not steps:
            raise AssertionError(f"nothing was scaled\n{seen.told()}")
        length = (self.clocks.get(scaler) or [self.cadence.clock])[-1].seconds(simulated)
        ends = [steps[0].time + length * (number + ALMOST) for number in (0, 1)]
        first, second = (max(step.value for step in steps if step.time < end) for end in ends)
        return first, second


@contextlib.asynccontextmanager
async def in_background(work: Coroutine[Any, Any, object]) -> AsyncIterator[asyncio.Task[object]]:
    """Run something while the context lasts; what it raised is raised at the end."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
