"""Mocks in pods: they answer on their containers' ports, and the control API tells them what to show."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from proving_ground.fleet.source import NamespaceChange, PodChange
from proving_ground.fleet.views import ContainerView

if TYPE_CHECKING:
    from collections.abc import Callable

    Stage = Any
    Play = Callable[..., None]

MOCKS = "localhost/proving-ground/mocks:0.1.0"
SET = "/namespaces/ns/workloads/w/mock/set"


def mock(
    name: str = "main", *, kind: str = "vllm-metrics", port: int = 8000, image: str = MOCKS, **env: str
) -> ContainerView:
    return ContainerView(name, image, (("http", port),), args=(kind,), env=env)


async def told(s: Stage, name: str, port: int = 8000) -> dict[str, Any]:
    found = (await s.client.get(f"{s.address(name, port)}/json")).json()
    assert isinstance(found, dict)
    return found


def test_a_mock_answers_on_the_port_of_its_container_beside_the_server(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        server = ContainerView("server", "vllm/vllm-openai:v1", (("http", 8000),))
        s.pod("a", containers=(server, mock("sidecar", port=9000, INITIAL_GPU_CACHE="85")))
        await s.ready("a")
        assert (await s.client.get(f"{s.address('a')}/v1/models")).status_code == 200
        assert (await told(s, "a", 9000))["vllm:gpu_cache_usage_perc"] == 85

    play(scenario)


def test_each_mock_of_a_pod_answers_on_its_own_port(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", containers=(mock(INITIAL_GPU_CACHE="1"), mock("other", port=9000, INITIAL_GPU_CACHE="2")))
        await s.ready("a")
        assert (await told(s, "a"))["vllm:gpu_cache_usage_perc"] == 1
        assert (await told(s, "a", 9000))["vllm:gpu_cache_usage_perc"] == 2

    play(scenario)


def test_a_mock_without_a_declared_port_listens_on_its_default_port(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", containers=(ContainerView("main", MOCKS, args=("dcgm-exporter",)),))
        await s.ready("a")
        assert "DCGM_FI_DEV_GPU_UTIL" in (await s.client.get(f"{s.address('a', 9400)}/metrics")).text

    play(scenario)


def test_an_annotation_makes_the_first_container_a_mock(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", image="python:3.11-slim", serve="vllm-metrics")
        await s.ready("a")
        assert (await told(s, "a"))["vllm:gpu_cache_usage_perc"] == 0

    play(scenario)


def test_a_service_leads_to_the_mock_of_its_target_port(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        server = ContainerView("server", "vllm/vllm-openai:v1", (("http", 8000),))
        s.pod("a", containers=(server, mock("sidecar", port=9000, INITIAL_GPU_CACHE="7")))
        await s.ready("a")
        url = s.service(target=9000)
        await s.until(lambda: any(s.fleet.services.listening(each) for each in s.fleet.services.services))
        assert (await s.client.get(f"{url}/json")).json()["vllm:gpu_cache_usage_perc"] == 7

    play(scenario)


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_the_probes_of_a_mock_say_503_until_the_pod_is_ready(play: Play, path: str) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", containers=(mock(),), load_seconds="0.2")
        await s.until(lambda: s.phases("a"))
        assert (await s.client.get(s.address("a") + path)).status_code == 503
        await s.ready("a")
        assert (await s.client.get(s.address("a") + path)).status_code == 200

    play(scenario)


@pytest.mark.parametrize(
    ("container", "word"),
    [
        (mock(INITIAL_GPU_CACHE="much"), "INITIAL_GPU_CACHE"),
        (mock(INITIAL_GPU_CACHE="nan"), "INITIAL_GPU_CACHE"),
        (mock(kind="nonsense"), "'nonsense'"),
        (ContainerView("main", MOCKS), "''"),
    ],
)
def test_a_mock_that_cannot_be_made_is_told_and_its_pod_is_never_ready(
    play: Play, container: ContainerView, word: str
) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", containers=(container,))
        await s.until(lambda: s.source.told)
        ((_, reason, message),) = s.source.told
        assert reason == "InvalidMock"
        assert word in message
        await s.until(lambda: s.source.statuses)
        assert not s.fleet.pod("ns", "a").ready
        assert s.source.statuses[-1][1]["containerStatuses"][0]["ready"] is False

    play(scenario)


def test_a_setting_reaches_every_pod_of_the_workload_and_no_other(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        for name, owner in (("a", "w"), ("b", "w"), ("c", "other")):
            s.pod(name, containers=(mock(),), owner=owner)
        await s.ready("a", "b", "c")
        async with s.control() as control:
            answer = await control.get(SET, params={"gpu_cache": "85", "requests_running": "25"})
        assert set(answer.json()["pods"]) == {"a", "b"}
        seen = [(await told(s, name))["vllm:gpu_cache_usage_perc"] for name in ("a", "b", "c")]
        assert seen == [85, 85, 0]

    play(scenario)


def test_a_pod_that_comes_later_starts_with_what_its_workload_was_told(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", containers=(mock(),), owner="w")
        await s.ready("a")
        async with s.control() as control:
            await control.get(SET, params={"gpu_cache": "85"})
            await control.post(SET, data={"requests_waiting": "3"})
        s.pod("b", containers=(mock(),), owner="w")
        await s.ready("b")
        seen = await told(s, "b")
        assert (seen["vllm:gpu_cache_usage_perc"], seen["vllm:num_requests_waiting"]) == (85, 3)

    play(scenario)


def test_a_workload_can_be_told_before_it_has_pods(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        async with s.control() as control:
            assert (await control.get(SET, params={"gpu_cache": "85"})).json() == {"pods": {}}
        s.pod("a", containers=(mock(),), owner="w")
        await s.ready("a")
        assert (await told(s, "a"))["vllm:gpu_cache_usage_perc"] == 85

    play(scenario)


def test_what_a_workload_was_told_in_vain_is_an_event_of_its_pod(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        async with s.control() as control:
            await control.get(SET, params={"gpu_cache": "nan"})
        s.pod("a", containers=(mock(),), owner="w")
        await s.ready("a")
        await s.until(lambda: s.source.told)
        assert s.source.told[0][1] == "InvalidSetting"

    play(scenario)


def test_a_pod_that_comes_later_is_where_the_others_are_in_a_pattern(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        begun = time.time() - 100
        query = {"mode": "traffic_drain", "duration": "100", "since": str(begun)}
        async with s.control() as control:
            await control.get("/namespaces/ns/workloads/w/mock/set_pattern", params=query)
            await control.get("/namespaces/ns/workloads/w/mock/set_noise", params={"amplitude": "0"})
        s.pod("a", containers=(mock(kind="learning-metrics"),), owner="w")
        await s.ready("a")
        assert (await told(s, "a"))["vllm:gpu_cache_usage_perc"] == pytest.approx(10)

    play(scenario)


def test_a_pattern_begins_when_it_is_set_for_pods_that_come_later_too(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        before = time.time()
        async with s.control() as control:
            await control.get("/namespaces/ns/workloads/w/mock/set_pattern", params={"mode": "kv_pressure"})
        (setting,) = s.fleet.mocks._remembered.of(("ns", "w"))
        assert before - 1 <= float(setting.query["since"]) <= time.time()

    play(scenario)


def test_what_was_told_is_forgotten_with_the_namespace(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.namespace()
        async with s.control() as control:
            await control.get(SET, params={"gpu_cache": "85"})
        s.change(NamespaceChange("ns", None, gone=True))
        s.pod("a", containers=(mock(),), owner="w")
        await s.ready("a")
        assert (await told(s, "a"))["vllm:gpu_cache_usage_perc"] == 0

    play(scenario)


@pytest.mark.parametrize(
    "query", ["gpu_cache=nan", "gpu_cache=-1", "gpu_cache=1e309", "gpu_cache=", "x=1", "", "gpu_cache=%ff"]
)
def test_a_bad_value_is_a_400_and_changes_nothing_anywhere(play: Play, query: str) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", containers=(mock(INITIAL_GPU_CACHE="5"),), owner="w")
        await s.ready("a")
        async with s.control() as control:
            answer = await control.get(f"{SET}?requests_running=9&{query}" if query else SET)
        assert answer.status_code == 400
        assert answer.json()["error"]
        s.pod("b", containers=(mock(INITIAL_GPU_CACHE="5"),), owner="w")
        await s.ready("b")
        for name in ("a", "b"):
            seen = await told(s, name)
            assert (seen["vllm:gpu_cache_usage_perc"], seen["vllm:num_requests_running"]) == (5, 0)

    play(scenario)


def test_mocks_of_two_kinds_change_together_or_not_at_all(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", containers=(mock(), mock("gpu", kind="dcgm-exporter", port=9400)), owner="w")
        await s.ready("a")
        async with s.control() as control:
            both = await control.get(SET, params={"gpu_cache": "85"})
            one = await control.get(SET, params={"gpu_cache": "85", "container": "main"})
        assert (both.status_code, one.status_code) == (400, 200)

    play(scenario)


def test_one_pod_can_be_told_alone_and_that_is_not_remembered(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", containers=(mock(),), owner="w")
        await s.ready("a")
        async with s.control() as control:
            await control.get("/namespaces/ns/pods/a/mock/set", params={"gpu_cache": "85"})
        s.pod("b", containers=(mock(),), owner="w")
        await s.ready("b")
        assert [(await told(s, name))["vllm:gpu_cache_usage_perc"] for name in ("a", "b")] == [85, 0]

    play(scenario)


@pytest.mark.parametrize(
    "path",
    [
        "/namespaces/ns/pods/nobody/mock/set?gpu_cache=1",
        "/namespaces/ns/pods/a/mock/nonsense",
        "/namespaces/ns/workloads/w/mock/nonsense",
        "/namespaces/ns/workloads/w/mock/set?gpu_cache=1&container=nobody",
        "/namespaces/ns/workloads/server/mock/set?gpu_cache=1",
    ],
)
def test_what_nobody_can_be_told_is_a_404(play: Play, path: str) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", containers=(mock(),), owner="w")
        s.pod("server")
        await s.ready("a", "server")
        async with s.control() as control:
            assert (await control.get(path)).status_code == 404

    play(scenario)


def test_a_body_that_is_too_large_is_refused(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        async with s.control() as control:
            assert (await control.post(SET, content=b"x" * 100_000)).status_code == 413

    play(scenario)


def test_scrapes_are_counted_over_all_pods_also_those_gone(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        pods = [s.pod(name, containers=(mock(),), owner="w") for name in ("a", "b")]
        await s.ready("a", "b")
        for name in ("a", "a", "b"):
            await s.client.get(f"{s.address(name)}/metrics")
        s.change(PodChange(pods[0], gone=True))
        await s.until(lambda: s.fleet.pod("ns", "a") is None)
        async with s.control() as control:
            seen = (await control.get("/namespaces/ns/workloads/w/scrapes")).json()
        assert seen == {"scrapes": 3, "pods": {"b": 1}}

    play(scenario)


def test_history_tells_what_was_served_also_by_pods_that_are_gone(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        pod = s.pod("a", containers=(mock(INITIAL_GPU_CACHE="42"),), owner="w")
        await s.ready("a")
        await s.client.get(f"{s.address('a')}/metrics")
        s.change(PodChange(pod, gone=True))
        await s.until(lambda: s.fleet.pod("ns", "a") is None)
        path = "/namespaces/ns/workloads/w/history"
        async with s.control() as control:
            ((moment, values),) = (await control.get(path)).json()["pods"]["a"]
            later = (await control.get(path, params={"since": moment + 1})).json()["pods"]["a"]
        assert values["gpu_cache"] == 42
        assert later == []

    play(scenario)


@pytest.mark.parametrize("since", ["x", "nan", "inf", ""])
def test_a_time_that_is_none_is_a_400(play: Play, since: str) -> None:
    async def scenario(s: Stage) -> None:
        async with s.control() as control:
            answer = await control.get("/namespaces/ns/workloads/w/history", params={"since": since})
        assert answer.status_code == 400

    play(scenario)


def test_a_mock_that_resets_breaks_the_connection_and_the_pod_stays_ready(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", containers=(mock(),), owner="w")
        await s.ready("a")
        async with s.control() as control:
            await control.get("/namespaces/ns/workloads/w/mock/set_failure", params={"mode": "reset"})
        with pytest.raises(httpx.HTTPError):
            await s.client.get(f"{s.address('a')}/metrics")
        assert (await s.client.get(f"{s.address('a')}/health")).status_code == 200

    play(scenario)


def test_a_mock_starts_anew_with_its_pods_next_run_and_what_its_workload_was_told(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", containers=(mock(),), owner="w", crash="after=0.3, once")
        await s.ready("a")
        async with s.control() as control:
            await control.get(SET, params={"gpu_cache": "85"})
        await s.until(lambda: s.fleet.pod("ns", "a").restarts == 1)
        await s.ready("a")
        assert (await told(s, "a"))["vllm:gpu_cache_usage_perc"] == 85

    play(scenario)


def test_the_list_of_pods_names_mocks_and_workloads(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        pod = s.pod("a", containers=(mock(),), owner="w")
        s.change(PodChange(dataclasses.replace(pod, labels={})))
        await s.ready("a")
        async with s.control() as control:
            (entry,) = (await control.get("/pods")).json()["pods"]
        assert (entry["workload"], entry["mocks"], entry["ports"]) == ("w", {"main": "vllm-metrics"}, [8000])

    play(scenario)
