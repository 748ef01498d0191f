"""The metrics APIs, as the API server asks for them."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from proving_ground.fleet.metrics_api import metrics_app
from proving_ground.fleet.source import PodChange
from proving_ground.fleet.views import ContainerView

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    Stage = Any
    Play = Callable[..., None]

RESOURCE = "/apis/metrics.k8s.io/v1beta1"
CUSTOM = "/apis/custom.metrics.k8s.io"
CACHE = "vllm_gpu_cache_usage_perc"


def mock(**env: str) -> tuple[ContainerView, ...]:
    return (ContainerView("main", "proving-ground-mocks", (("http", 8000),), args=("vllm-metrics",), env=env),)


@contextlib.asynccontextmanager
async def apis(s: Stage) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=metrics_app(s.fleet))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


def test_discovery_names_groups_versions_and_resources(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", containers=mock())
        await s.ready("a")
        async with apis(s) as api:
            groups = (await api.get("/apis")).json()
            resources = (await api.get(RESOURCE)).json()
            custom = (await api.get(f"{CUSTOM}/v1beta2")).json()
            group = (await api.get(CUSTOM)).json()
            health = [(await api.get(path)).status_code for path in ("/healthz", "/readyz", "/openapi/v2")]
        assert {each["name"] for each in groups["groups"]} == {"metrics.k8s.io", "custom.metrics.k8s.io"}
        assert {each["name"] for each in resources["resources"]} == {"nodes", "pods"}
        assert f"pods/{CACHE}" in {each["name"] for each in custom["resources"]}
        assert [version["version"] for version in group["versions"]] == ["v1beta2", "v1beta1"]
        assert health == [200, 200, 404]

    play(scenario)


def test_a_pod_without_a_mock_uses_a_tenth_of_a_core(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", image="nginx:1")
        await s.until(lambda: s.phases("a"))
        async with apis(s) as api:
            found = (await api.get(f"{RESOURCE}/namespaces/ns/pods/a")).json()
        assert (found["kind"], found["metadata"]["name"]) == ("PodMetrics", "a")
        assert found["containers"] == [{"name": "main", "usage": {"cpu": "100000000n", "memory": "262144Ki"}}]

    play(scenario)


def test_a_mock_says_what_its_pod_uses(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", containers=(ContainerView("server", "vllm/vllm-openai:v1", (("http", 9000),)), *mock()))
        await s.ready("a")
        async with s.control() as control, apis(s) as api:
            await control.get("/namespaces/ns/pods/a/mock/set", params={"cpu": "750", "memory": "1000"})
            (found,) = (await api.get(f"{RESOURCE}/pods")).json()["items"]
            node = (await api.get(f"{RESOURCE}/nodes/node")).json()
        assert [each["usage"] for each in found["containers"]] == [
            {"cpu": "0", "memory": "0Ki"},
            {"cpu": "750000000n", "memory": "1000"},
        ]
        assert node["usage"] == {"cpu": "750000000n", "memory": "1000"}

    play(scenario)


def test_only_ready_pods_are_measured(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", containers=mock(), load_seconds="60")
        await s.until(lambda: s.phases("a"))
        async with apis(s) as api:
            assert (await api.get(f"{RESOURCE}/pods")).json()["items"] == []
            assert (await api.get(f"{RESOURCE}/namespaces/ns/pods/a")).status_code == 404
            assert (await api.get(f"{CUSTOM}/v1beta2/namespaces/ns/pods/*/{CACHE}")).status_code == 404

    play(scenario)


@pytest.mark.parametrize(
    ("selector", "names"), [("app=x", ["a"]), ("app!=x", ["b"]), ("app in (x,y)", ["a", "b"]), ("", ["a", "b"])]
)
def test_a_label_selector_chooses_pods(play: Play, selector: str, names: list[str]) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", containers=mock())
        s.change(PodChange(dataclasses.replace(s.pod("b", containers=mock()), labels={"app": "y"})))
        await s.ready("a", "b")
        query = {"labelSelector": selector}
        async with apis(s) as api:
            usage = (await api.get(f"{RESOURCE}/namespaces/ns/pods", params=query)).json()
            custom = (await api.get(f"{CUSTOM}/v1beta2/namespaces/ns/pods/*/{CACHE}", params=query)).json()
        assert [item["metadata"]["name"] for item in usage["items"]] == names
        assert [item["describedObject"]["name"] for item in custom["items"]] == names

    play(scenario)


def test_a_selector_that_is_none_is_a_400(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        async with apis(s) as api:
            answer = await api.get(f"{RESOURCE}/pods", params={"labelSelector": "=="})
        assert (answer.status_code, answer.json()["kind"], answer.json()["reason"]) == (400, "Status", "BadRequest")

    play(scenario)


@pytest.mark.parametrize("version", ["v1beta1", "v1beta2"])
def test_a_custom_metric_is_told_to_the_thousandth(play: Play, version: str) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", containers=mock(INITIAL_GPU_CACHE="0.8504"))
        await s.ready("a")
        async with apis(s) as api:
            found = (await api.get(f"{CUSTOM}/{version}/namespaces/ns/pods/a/{CACHE}")).json()
        assert (found["kind"], found["apiVersion"]) == ("MetricValueList", f"custom.metrics.k8s.io/{version}")
        (item,) = found["items"]
        assert item["value"] == "850m"
        assert (item.get("metricName") or item["metric"]["name"]) == CACHE

    play(scenario)


def test_an_inference_server_tells_its_gauges(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a")
        await s.ready("a")
        await s.client.post(f"{s.address('a')}/fake_metrics", json={"running-requests": 5})
        async with apis(s) as api:
            found = (await api.get(f"{CUSTOM}/v1beta2/namespaces/ns/pods/*/vllm:num_requests_running")).json()
        assert found["items"][0]["value"] == "5"

    play(scenario)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/v1beta2/namespaces/ns/pods/*/none", "the server could not find the metric none for pods"),
        ("/v1beta2/namespaces/ns/pods/b/none", "the server could not find the metric none for pods b"),
        (f"/v1beta2/namespaces/other/pods/*/{CACHE}", f"the server could not find the metric {CACHE} for pods"),
        (f"/v9/namespaces/ns/pods/*/{CACHE}", "the server could not find the requested resource"),
    ],
)
def test_an_unknown_metric_is_a_status_of_404(play: Play, path: str, message: str) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", containers=mock())
        await s.ready("a")
        async with apis(s) as api:
            answer = await api.get(CUSTOM + path)
        status = answer.json()
        assert (answer.status_code, status["kind"], status["reason"], status["code"]) == (
            404,
            "Status",
            "NotFound",
            404,
        )
        assert status["message"] == message

    play(scenario)
