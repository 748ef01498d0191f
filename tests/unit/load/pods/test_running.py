"""A load in a cluster, against an API server in memory whose pods do as a kubelet would make them."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.contracts.platform import Capabilities, Clock, Cluster, Platform
from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.kube.references import ResourceType
from proving_ground.kube.testing import KINDS, Answer, MemoryApi
from proving_ground.load.measured.engine import measure
from proving_ground.load.measured.plan import Level, Plan
from proving_ground.load.measured.result import Client, Measured
from proving_ground.load.measured.settings import LoadSettings
from proving_ground.load.pods import manifests
from proving_ground.load.pods.running import Place, measure_in, reach, sender
from proving_ground.load.pods.telling import told_as_lines, told_failure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

POLICY = ResourceType("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", namespaced=True, verbs=KINDS[0].verbs)
MEASURED = Measured(closed=True, levels=[], client=Client(parts=2))
PLAN = Plan(
    url="http://server:8000",
    levels=(Level(value=4, seconds=5, warm_up=0),),
    drain=1,
    worker_pods=2,
    allowed=("server",),
)
States = dict[str, Any]


class Kubelet:
    """Gives pods the states that they are to have, in the order in which they are made.

    Args:
        states: Name -> the status that a pod gets, or a function that is called in its place.
    """

    def __init__(self, **states: States | Callable[[MemoryApi], None]) -> None:
        self.api = MemoryApi((*KINDS, POLICY))
        self._states = {name.replace("_", "-"): state for name, state in states.items()}

    async def work(self) -> None:
        done: set[str] = set()
        while True:
            for pod in self.api.all("Pod"):
                name = pod["metadata"]["name"]
                if name not in done:
                    done.add(name)
                    state = self._states.get(name, running())
                    if callable(state):
                        state(self.api)
                    else:
                        self.api.set_status("Pod", name, state)
            await asyncio.sleep(0.005)

    def measured(self, *, start: float = 5.0, cancel: Callable[[], bool] | None = None) -> tuple[Measured, list[Any]]:
        """Make the load; return what it measured, and what was seen of it until it was cancelled."""
        partial: list[Measured] = []

        async def main() -> Measured:
            async with self.api.cluster() as cluster:
                kubelet = asyncio.ensure_future(self.work())
                place = Place("unused", image="i:1", run_id="run-1", start=start)
                load = asyncio.ensure_future(measure_in(cluster, PLAN, place, partial=partial.append))
                try:
                    while cancel is not None and not cancel():  # noqa: ASYNC110 - the server in memory has no event
                        await asyncio.sleep(0.005)
                    if cancel is not None:
                        load.cancel()
                    return await load
                except asyncio.CancelledError:
                    return MEASURED
                finally:
                    kubelet.cancel()

        return asyncio.run(main()), partial


def running(address: str = "10.0.0.9") -> States:
    return {"phase": "Running", "podIP": address}


def waiting(reason: str, message: str) -> States:
    return {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": reason, "message": message}}}]}


def ends(log: str, phase: str = "Succeeded", at: str = "load-worker-2") -> dict[str, Any]:
    """Return what makes the master print a log and end, once a pod is there."""

    def end(api: MemoryApi) -> None:
        api.logs["load-master"] = log
        api.set_status("Pod", at, running())
        api.set_status("Pod", "load-master", {"phase": phase})

    return {at.replace("-", "_"): end}


def test_a_load_is_what_its_master_tells_and_nothing_is_left() -> None:
    seen: list[dict[str, Any]] = []

    def look(api: MemoryApi) -> None:
        seen.extend(api.all("Namespace"))
        seen.append(api.find("Pod", "load-worker-1") or {})
        ends(told_as_lines(MEASURED))["load_worker_2"](api)

    kubelet = Kubelet(load_master=running("10.0.0.1"), load_worker_2=look)
    assert kubelet.measured()[0] == MEASURED
    namespace, worker = seen
    assert namespace["metadata"]["labels"]["proving.ground/run-id"] == "run-1"
    assert manifests.EXPIRES in namespace["metadata"]["annotations"]
    assert worker["spec"]["containers"][0]["args"][-1] == "10.0.0.1:5557"
    assert [kubelet.api.all(kind) for kind in ("Namespace", "Pod", "Secret")] == [[], [], []]


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ({"load_master": waiting("ErrImageNeverPull", "i:1 is not there")}, "load-master: one of .* i:1 is not there"),
        ({"load_worker_1": waiting("CreateContainerConfigError", "no user")}, "load-worker-1: .*: no user"),
        ({"load_master": {"phase": "Failed", "reason": "Evicted", "message": "full"}}, "Evicted: full"),
        ({"load_worker_1": {"phase": "Failed", "reason": "DeadlineExceeded"}}, "ended before its time: DeadlineExceed"),
        (ends(told_failure("a worker could not begin"), "Failed"), "^load-master: a worker could not begin$"),
        (ends("Traceback\nKeyError: 'x'", "Failed"), "ended before its time: .*it said: KeyError: 'x'"),
        (ends("nothing that ends"), "no result: nothing that ends"),
    ],
)
def test_a_pod_that_does_not_do_its_part_is_named_with_the_reason(states: dict[str, Any], said: str) -> None:
    kubelet = Kubelet(**states)
    with pytest.raises(InfrastructureError, match=said):
        kubelet.measured()
    assert kubelet.api.all("Namespace") == []


def test_pods_that_no_node_takes_are_counted() -> None:
    unscheduled = {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes: Insufficient cpu"}],
    }
    kubelet = Kubelet(load_worker_2=unscheduled)
    with pytest.raises(InfrastructureError, match=r"1 of 3 .* within 0.3 s: is not scheduled: 0/1 nodes: Insuff"):
        kubelet.measured(start=0.3)


def test_a_master_that_somebody_removes_is_told_at_once() -> None:
    def remove(api: MemoryApi) -> None:
        api.set_status("Pod", "load-worker-2", running())
        api.remove("Pod", "load-master")

    with pytest.raises(InfrastructureError, match="somebody removed the pod that leads"):
        Kubelet(load_worker_2=remove).measured(start=60)


def test_an_interrupted_load_ends_by_its_workers_and_tells_what_was_seen() -> None:
    kubelet = Kubelet()
    api = kubelet.api
    told = MEASURED.model_copy(update={"client": Client(verdict="interrupted", parts=2)})

    def end(method: str, path: str) -> None:
        # The master ends by itself once its workers have told what they saw.
        if method == "DELETE" and path.endswith("load-worker-2"):
            api.logs["load-master"] = told_as_lines(told)
            api.set_status("Pod", "load-master", {"phase": "Succeeded"})

    api.answers = end

    def started() -> bool:
        pods = {pod["metadata"]["name"]: pod.get("status", {}).get("phase") for pod in api.all("Pod")}
        return pods.get("load-worker-2") == "Running"

    _, partial = kubelet.measured(cancel=started)
    assert partial == [told]
    assert api.all("Namespace") == []


def test_a_load_that_is_interrupted_before_it_began_measured_nothing() -> None:
    kubelet = Kubelet(load_master={"phase": "Pending"})
    _, partial = kubelet.measured(cancel=lambda: bool(kubelet.api.all("Pod")))
    assert partial[0].client.verdict == "interrupted"
    assert partial[0].levels == []
    assert kubelet.api.all("Namespace") == []


def test_what_loads_left_is_removed_when_it_has_expired() -> None:
    kubelet = Kubelet(**ends(told_as_lines(MEASURED)))
    past, future = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours) for hours in (-1, 1))
    for name, labels, expires in (
        ("load-old", {manifests.PART_LABEL: "namespace"}, past),
        ("load-new", {manifests.PART_LABEL: "namespace"}, future),
        ("theirs", {}, past),
    ):
        metadata = {"name": name, "labels": labels, "annotations": {manifests.EXPIRES: expires.isoformat()}}
        kubelet.api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    kubelet.measured()
    assert {found["metadata"]["name"] for found in kubelet.api.all("Namespace")} == {"load-new", "theirs"}


def test_who_may_not_list_namespaces_may_still_load() -> None:
    kubelet = Kubelet(**ends(told_as_lines(MEASURED)))
    refused = Answer(403, {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no"})
    kubelet.api.answers = lambda method, path: refused if (method, path) == ("GET", "/api/v1/namespaces") else None
    assert kubelet.measured()[0] == MEASURED


def test_a_cluster_that_refuses_says_what() -> None:
    kubelet = Kubelet()
    refused = Answer(403, {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "exceeded quota"})
    kubelet.api.answers = lambda method, path: refused if method == "POST" and path.endswith("/pods") else None
    with pytest.raises(InfrastructureError, match="refuses a load from pods: exceeded quota"):
        kubelet.measured()
    assert kubelet.api.all("Namespace") == []


def platform(*present: str, **clusters: Cluster) -> Platform:
    return Platform(
        run_id="run-1",
        inventory="lab",
        clusters=clusters,
        capabilities=Capabilities(promised=list(present), present=list(present)),
        clock=Clock(started=dt.datetime.now(dt.UTC)),
    )


def test_without_worker_pods_processes_make_the_load() -> None:
    assert sender(LoadSettings(), platform()) is measure


def test_worker_pods_need_a_cluster() -> None:
    with pytest.raises(ConfigurationError, match="need a cluster"):
        sender(LoadSettings(worker_pods=2), platform())
    made: Any = sender(LoadSettings(worker_pods=2, worker_image="i:2"), platform(default=Cluster(kubeconfig="/k")))
    assert made.keywords["place"] == Place("/k", None, "i:2", "run-1", 180.0)


def test_simulated_pods_make_no_load() -> None:
    simulated = platform("fleet", default=Cluster(kubeconfig="/k"))
    with pytest.raises(ConfigurationError, match="simulated"):
        sender(LoadSettings(worker_pods=2), simulated)
    real = platform("fleet", "real_pods", default=Cluster(kubeconfig="/k"))
    assert sender(LoadSettings(worker_pods=2), real) is not measure


def test_a_kubeconfig_that_cannot_be_used_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text("no: [")
    with pytest.raises(ConfigurationError, match="kubeconfig"):
        reach(file)
