"""Steering mocks: through the fleet, and pod by pod."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from proving_ground.autoscaling.mock_access import mocks_in, samples
from proving_ground.autoscaling.mocks import MockRefusedError, Sample, have_passed, mock_control, rounds
from proving_ground.contracts.platform import Endpoint
from proving_ground.errors import InfrastructureError
from proving_ground.fleet import remembered
from proving_ground.kube import WaitTimeoutError
from proving_ground.kube.testing import Answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from proving_ground.autoscaling.mocks import MockControl
    from proving_ground.kube import Cluster
    from proving_ground.kube.testing import MemoryApi

SET = "/namespaces/ns/workloads/target/mock/set"


class Fleet:
    """A control API that answers as told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.answers: Callable[[str], tuple[int, str]] = lambda _path: (200, '{"pods": {}}')

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append((request.method, request.path, dict(request.query)))
        status, text = self.answers(request.path)
        return web.Response(status=status, text=text)

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        runner = web.ServerRunner(web.Server(self.handle))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
        finally:
            await runner.cleanup()


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def steer(run: Any, check: Any, make: Any, fleet: Fleet) -> Callable[[Callable[[MockControl], Awaitable[Any]]], Any]:
    def with_fleet(scenario: Callable[[MockControl], Awaitable[Any]], using: Any = check) -> Any:
        async def main(_api: MemoryApi, cluster: Cluster) -> Any:
            async with fleet.serve() as url:
                platform = make.platform().model_copy(update={"endpoints": {"fleet_control": Endpoint(url=url)}})
                async with mock_control(platform, cluster, using, "ns", make.cadence) as mocks:
                    return await scenario(mocks)

        return run(main)

    return with_fleet


def test_values_are_sent_to_the_workload_and_noted(steer: Any, fleet: Fleet, notes: Any) -> None:
    fleet.answers = lambda _path: (200, '{"pods": {"a": "ok"}}')
    said = steer(lambda mocks: mocks.set("target", container="sidecar", gpu_cache=85, requests_running=2.5))
    assert said == {"a": "ok"}
    assert fleet.asked == [("POST", SET, {"gpu_cache": "85", "requests_running": "2.5", "container": "sidecar"})]
    assert notes.notes == [("mock", "target", "set gpu_cache=85 requests_running=2.5")]


@pytest.mark.parametrize(
    ("call", "path", "query"),
    [
        (
            lambda m: m.set_pattern("target", "kv_pressure", duration=60),
            "set_pattern",
            {"mode": "kv_pressure", "duration": "60"},
        ),
        (lambda m: m.set_pattern("target", "normal"), "set_pattern", {"mode": "normal"}),
        (lambda m: m.set_time("target", hour=3, day=1, speed=60), "set_time", {"hour": "3", "day": "1", "speed": "60"}),
        (lambda m: m.set_noise("target", 0.2), "set_noise", {"amplitude": "0.2"}),
        (lambda m: m.set_failure("target", "slow", delay=5), "set_failure", {"mode": "slow", "delay": "5"}),
        (lambda m: m.set("target", query='up{a="b"}', value=1), "set", {"query": 'up{a="b"}', "value": "1"}),
        (lambda m: m.set("target", gpu_cache=float("nan")), "set", {"gpu_cache": "nan"}),
        (lambda m: m.set("target", memory=268435456), "set", {"memory": "268435456"}),
    ],
)
def test_each_way_to_steer_has_its_path_and_parameters(
    steer: Any, fleet: Fleet, call: Any, path: str, query: dict[str, str]
) -> None:
    steer(call)
    assert fleet.asked == [("POST", f"/namespaces/ns/workloads/target/mock/{path}", query)]


def test_one_pod_can_be_steered_by_itself(steer: Any, fleet: Fleet) -> None:
    steer(lambda mocks: mocks.set_pod("a", gpu_cache=1))
    steer(lambda mocks: mocks.set_failure_pod("a", "reset"))
    assert [path for _, path, _ in fleet.asked] == [f"/namespaces/ns/pods/a/mock/{p}" for p in ("set", "set_failure")]


def test_a_value_without_sense_is_refused_in_the_mocks_words(steer: Any, fleet: Fleet) -> None:
    fleet.answers = lambda _path: (400, '{"error": "gpu_cache: expected a number"}')
    with pytest.raises(MockRefusedError, match=r"^gpu_cache: expected a number$"):
        steer(lambda mocks: mocks.set("target", gpu_cache="x"))


@pytest.mark.parametrize("answer", [(500, "broken"), (404, '{"error": "no pod"}'), (200, "no JSON"), (200, "[]")])
def test_a_fleet_that_answers_otherwise_is_infrastructure(steer: Any, fleet: Fleet, answer: tuple[int, str]) -> None:
    fleet.answers = lambda _path: answer
    with pytest.raises(InfrastructureError):
        steer(lambda mocks: mocks.scrapes("target"))


def test_the_history_is_read_as_samples(steer: Any, fleet: Fleet) -> None:
    fleet.answers = lambda _path: (200, json.dumps({"pods": {"a": [[1.5, {"gpu_cache": 40, "x": None}], "nonsense"]}}))
    found = steer(lambda mocks: mocks.history("target", since=1.0))
    assert found == {"a": [Sample(1.5, {"gpu_cache": 40.0})]}
    assert fleet.asked[0][2] == {"since": "1.000"}


def test_reconciles_are_waited_for_by_scrapes(steer: Any, fleet: Fleet) -> None:
    counts = iter(range(10, 100))
    fleet.answers = lambda _path: (200, json.dumps({"scrapes": 0, "pods": {"a": next(counts)}}))
    assert steer(lambda mocks: mocks.wait_reconciles("target", 3)) == 4
    assert len(fleet.asked) == 5


def test_a_workload_that_is_not_scraped_is_told(steer: Any, fleet: Fleet, make_check: Any) -> None:
    fleet.answers = lambda _path: (200, '{"pods": {"a": 7}}')
    with pytest.raises(WaitTimeoutError, match="before a 7, now a 7"):
        steer(lambda mocks: mocks.wait_reconciles("target", 1), make_check(wait_limit=0.05))


@pytest.mark.parametrize(
    ("before", "now", "count", "expected"),
    [
        ({"a": 5}, {"a": 7}, 1, True),
        ({"a": 5}, {"a": 6}, 1, False),
        ({}, {}, 1, False),
        ({"a": 5}, {}, 1, False),
        ({"a": 5, "b": 5}, {"a": 6, "b": 7}, 1, False),
        ({"a": 5, "b": 5}, {"a": 7, "b": 7}, 1, True),
        ({"a": 5, "b": 5}, {"a": 6, "b": 8}, 1, True),
        ({"a": 5, "gone": 9}, {"a": 7, "gone": 9}, 1, True),
        ({"a": 9}, {"new": 2}, 1, True),
        ({"a": 9}, {"new": 1}, 1, False),
    ],
)
def test_whole_reconciles_are_told_from_scrapes(
    before: dict[str, int], now: dict[str, int], count: int, *, expected: bool
) -> None:
    assert have_passed(before, now, count) is expected


def test_rounds_are_those_of_the_pod_that_saw_most() -> None:
    assert rounds({"a": 1, "b": 5}, {"a": 4, "b": 6, "c": 2}) == 3
    assert rounds({}, {}) == 0


@pytest.mark.parametrize("found", [None, 3, "x", [[1]], [["x", {}]], [[1, []]]])
def test_what_is_no_sample_is_left_out(found: object) -> None:
    assert samples(found) == []


def test_the_mocks_of_a_pod_are_known_by_their_image(make: Any) -> None:
    pod = make.pod("a", ports=[{"containerPort": 9000}])
    pod["spec"]["containers"].insert(0, {"name": "server", "image": "vllm/vllm-openai:v1"})
    pod["spec"]["containers"].append({"name": "gpu", "image": "x/proving-ground-mocks:1", "args": ["dcgm-exporter"]})
    assert mocks_in(pod) == [("main", 9000), ("gpu", 9400)]


def test_without_a_fleet_pods_are_steered_through_the_api_server(run: Any, check: Any, make: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        proxied: list[str] = []

        def answers(_method: str, path: str) -> Answer | None:
            if "/proxy/" not in path:
                return None
            proxied.append(path)
            return Answer(200, text='{"scrapes": 3, "samples": [[2, {"gpu_cache": 1}]]}')

        api.answers = answers
        api.put(make.deployment())
        api.put(make.pod("a"))
        async with mock_control(make.platform(), cluster, check, "ns", make.cadence) as mocks:
            await mocks.set("target", gpu_cache=5)
            assert proxied == ["/api/v1/namespaces/ns/pods/a:8000/proxy/set"]
            assert await mocks.scrapes("target") == {"a": 3}
            assert await mocks.history("target") == {"a": [Sample(2.0, {"gpu_cache": 1.0})]}

    run(scenario)


def test_pods_that_come_later_get_what_was_set(run: Any, check: Any, make: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        given: asyncio.Queue[str] = asyncio.Queue()

        def answers(_method: str, path: str) -> Answer | None:
            if "/proxy/" not in path:
                return None
            given.put_nowait(path.split("/pods/")[1])
            return Answer(200, text="ok")

        api.answers = answers
        api.put(make.deployment())
        async with mock_control(make.platform(), cluster, check, "ns", make.cadence) as mocks:
            await mocks.set("target", gpu_cache=5)
            await mocks.set_noise("target", 0)
            api.put(make.pod("late"))
            async with asyncio.timeout(5):
                assert [await given.get(), await given.get()] == [f"late:8000/proxy/{p}" for p in ("set", "set_noise")]

    run(scenario)


def test_a_refusal_behind_the_api_server_is_the_mocks(run: Any, check: Any, make: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.answers = lambda _m, path: Answer(400, text="gpu_cache: no number") if "/proxy/" in path else None
        api.put(make.deployment())
        api.put(make.pod("a"))
        async with mock_control(make.platform(), cluster, check, "ns", make.cadence) as mocks:
            with pytest.raises(MockRefusedError, match="gpu_cache: no number"):
                await mocks.set("target", gpu_cache="x")

    run(scenario)


def test_a_platform_can_say_that_pods_are_reached_directly(run: Any, check: Any, make: Any, fleet: Fleet) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        async with fleet.serve() as url:
            port = int(url.rstrip("/").rpartition(":")[2])
            platform = make.platform().model_copy(update={"endpoints": {"mocks": Endpoint(url="http://pods")}})
            api.put(make.deployment())
            api.put(make.pod("a", ports=[{"containerPort": port}]))
            async with mock_control(platform, cluster, check, "ns", make.cadence) as mocks:
                await mocks.set("target", gpu_cache=5)
        assert fleet.asked == [("GET", "/set", {"gpu_cache": "5"})]

    run(scenario)


def test_a_workload_without_pods_is_steered_by_the_pod_of_its_name(run: Any, check: Any, make: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        proxied: list[str] = []

        def answers(_method: str, path: str) -> Answer | None:
            if "/proxy/" in path:
                proxied.append(path)
            return Answer(200, text="ok") if "/proxy/" in path else None

        api.answers = answers
        api.put(make.deployment())
        alone = make.pod("target")
        alone["metadata"]["labels"] = {"app": "another"}
        api.put(alone)
        async with mock_control(make.platform(), cluster, check, "ns", make.cadence) as mocks:
            assert await mocks.set("target", gpu_cache=5) == {"target": "ok"}
        assert proxied == ["/api/v1/namespaces/ns/pods/target:8000/proxy/set"]

    run(scenario)


def test_what_was_set_is_written_down_for_pods_that_come_later(run: Any, check: Any, make: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.answers = lambda _m, path: Answer(200, text="ok") if "/proxy/" in path else None
        api.put(make.deployment())
        api.put(make.pod("a"))
        async with mock_control(make.platform(), cluster, check, "ns", make.cadence) as mocks:
            await mocks.set("target", gpu_cache=5)
            await mocks.set("target", requests_running=2)
            await mocks.set_pattern("target", "batch_spike")
        kept = await cluster.get("v1", "ConfigMap", remembered.CONFIG_MAP, "ns")
        assert kept is not None
        values, pattern = remembered.read(kept["data"]["target"])
        assert dict(values.query) == {"gpu_cache": "5", "requests_running": "2"}
        assert (pattern.path, pattern.query["mode"]) == ("set_pattern", "batch_spike")
        assert float(pattern.query["since"]) > 0

    run(scenario)
