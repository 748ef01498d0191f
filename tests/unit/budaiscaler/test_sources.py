from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proving_ground.budaiscaler.scraping import ScrapeError
from proving_ground.budaiscaler.sources import Reader, Reading
from proving_ground.budaiscaler.spec import read_spec
from proving_ground.budaiscaler.world import World, workload_fact

from .fakes import MemoryApi, MemoryPages, deployment, pod, scaler

USAGE = "/apis/metrics.k8s.io/v1beta1/namespaces/n/pods"
CUSTOM = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/n/pods/*/requests"


class Place:
    """Pods, pages and the metrics APIs that sources are read from."""

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.api, self.pages, self.world = MemoryApi(), MemoryPages(), World()
        for each in pods:
            self.world.pod_seen(each)

    def read(self, metric: str = "m", target: str = "10", kind: str = "pod", **fields: Any) -> Reading:
        source = {"metricSourceType": kind, "targetMetric": metric, "targetValue": target, **fields}
        (parsed,) = read_spec(scaler(metricsSources=[source])).sources
        reader = Reader(self.pages, self.api, self.world)
        return asyncio.run(reader.read(parsed, workload_fact(deployment())))

    def usage(self, name: str, **usages: str) -> None:
        items = self.api.objects.setdefault(USAGE, {"items": []})["items"]
        items.append({"metadata": {"name": name}, "containers": [{"usage": usages}]})


def test_a_pod_source_is_the_mean_over_ready_pods() -> None:
    place = Place(pod(1), pod(2), pod(3, ready=False))
    place.pages.answers = {"http://127.9.9.1:8000/metrics": "m 4\n", "http://127.9.9.2:8000/metrics": '{"m": 8}'}
    reading = place.read()
    assert (reading.value, len(reading.pages)) == (6.0, 2)


def test_port_path_protocol_and_headers_are_those_of_the_source() -> None:
    place = Place(pod(1))
    place.pages.answers = {"https://127.9.9.1:9000/json": "m 4\n"}
    assert place.read(port="9000", path="/json", protocolType="https", headers={"X-Key": "k"}).value == 4.0
    assert place.pages.asked == [("https://127.9.9.1:9000/json", {"X-Key": "k"}, {})]


def test_no_ready_pod_is_told() -> None:
    assert Place(pod(1, ready=False)).read().problem == "pod source m: no pod is running and ready"


def test_the_first_pod_that_fails_is_named() -> None:
    place = Place(pod(1), pod(2))
    place.pages.answers = {
        "http://127.9.9.1:8000/metrics": ScrapeError("answered 503"),
        "http://127.9.9.2:8000/metrics": "",
    }
    assert place.read().problem == "pod source m: pod d-1: answered 503"


def test_a_value_outside_its_scale_is_told_with_the_pod() -> None:
    place = Place(pod(1))
    place.pages.answers = {"http://127.9.9.1:8000/metrics": "vllm:gpu_cache_usage_perc 85\n"}
    reading = place.read("vllm:gpu_cache_usage_perc", "0.7")
    assert reading.value is None
    assert "pod d-1: vllm:gpu_cache_usage_perc is 85, outside 0 to 1" in reading.problem


@pytest.mark.parametrize(
    ("engine", "metric", "page"),
    [
        ("vllm", "gpu_cache_usage", "vllm:kv_cache_usage_perc 3\n"),
        ("vllm", "gpu_cache_usage", "vllm:gpu_cache_usage_perc 3\n"),
        ("vllm", "vllm:num_requests_running", "vllm:num_requests_running 3\n"),
        ("tgi", "requests_waiting", "tgi_queue_size 3\n"),
        ("sglang", "requests_running", "sglang:num_running_reqs 3\n"),
        (
            "triton",
            "requests_waiting",
            (
                'nv_trt_llm_request_metrics{request_type="active"} 9\n'
                'nv_trt_llm_request_metrics{request_type="waiting"} 3\n'
            ),
        ),
    ],
)
def test_an_engine_is_asked_by_its_own_names(engine: str, metric: str, page: str) -> None:
    place = Place(pod(1))
    place.pages.answers = {"http://127.9.9.1:9001/m": page}
    config = {"engineType": engine, "metricsPort": 9001, "metricsPath": "/m"}
    assert place.read(metric, kind="inferenceEngine", inferenceEngineConfig=config).value == 3.0


def test_what_an_engine_does_not_tell_is_told() -> None:
    reading = Place(pod(1)).read("gpu_cache_usage", kind="inferenceEngine", inferenceEngineConfig={"engineType": "tgi"})
    assert reading.problem == "inferenceEngine source gpu_cache_usage: tgi does not tell its gpu_cache_usage"


def test_an_external_endpoint_is_told_what_is_asked_for() -> None:
    place = Place()
    place.pages.answers = {"http://mock.n.svc:8000/json": '{"value": 7}'}
    assert place.read(kind="external", endpoint="http://mock.n.svc:8000/json").value == 7.0
    assert place.pages.asked[0][2] == {"namespace": "n", "metric": "m", "label_app": "d"}


def test_an_external_endpoint_that_fails_is_named() -> None:
    place = Place()
    place.pages.answers = {"http://mock.n.svc:8000/json": ScrapeError("answered 502")}
    reading = place.read(kind="external", endpoint="http://mock.n.svc:8000/json")
    assert reading.problem == "external source m: mock.n.svc:8000: answered 502"


@pytest.mark.parametrize("endpoint", ["http://prometheus.n:9090", "http://prometheus.n:9090/"])
def test_a_query_is_asked_of_prometheus(endpoint: str) -> None:
    place = Place()
    answer = '{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"7"]}]}}'
    place.pages.answers = {"http://prometheus.n:9090/api/v1/query": answer}
    assert place.read(kind="prometheus", endpoint=endpoint, promQL="sum(m)").value == 7.0
    assert place.pages.asked[0][2] == {"query": "sum(m)"}


def test_a_resource_is_a_percentage_of_what_pods_request() -> None:
    place = Place(pod(1, requests={"cpu": "200m"}), pod(2, requests={"cpu": "200m"}), pod(3, ready=False))
    place.usage("d-1", cpu="100m")
    place.usage("d-2", cpu="300000000n")
    place.usage("d-3", cpu="9")
    assert place.read("cpu", kind="resource").value == 100.0


@pytest.mark.parametrize(("metric", "target", "value"), [("cpu", "500m", 100.0), ("memory", "1Gi", 2.0 * 2**20)])
def test_a_resource_whose_target_is_a_quantity_is_one_too(metric: str, target: str, value: float) -> None:
    place = Place(pod(1, requests={"cpu": "200m", "memory": "4Mi"}))
    place.usage("d-1", cpu="100m", memory="2Mi")
    assert place.read(metric, target, kind="resource").value == value


def test_a_resource_that_a_pod_does_not_request_is_told_as_it_is() -> None:
    place = Place(pod(1, requests={"cpu": "200m"}), pod(2))
    place.usage("d-1", cpu="100m")
    place.usage("d-2", cpu="300m")
    assert place.read("cpu", kind="resource").value == 200.0


def test_a_custom_metric_is_the_mean_over_its_pods() -> None:
    place = Place()
    place.api.objects[CUSTOM] = {"metadata": {}, "items": [{"value": "1500m"}, {"value": "2"}]}
    assert place.read("requests", kind="custom").value == 1.75


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (None, "not found"),
        ({"items": []}, "no pod has it"),
        ({"items": "x"}, "answered without a list"),
        ({"items": [{"value": "many"}]}, "expected a quantity"),
        ({"items": [{}]}, "expected a quantity"),
    ],
)
def test_a_custom_metric_that_is_not_there_is_told(answer: dict[str, Any] | None, cause: str) -> None:
    place = Place()
    if answer is not None:
        place.api.objects[CUSTOM] = answer
    assert cause in place.read("requests", kind="custom").problem


def test_resources_without_metrics_are_told() -> None:
    place = Place(pod(1))
    place.api.objects[USAGE] = {"items": [{"metadata": {"name": "d-1"}, "containers": []}]}
    assert "pod d-1: no cpu" in place.read("cpu", kind="resource").problem
    place.api.objects[USAGE] = {"items": []}
    assert "no ready pod has metrics" in place.read("cpu", kind="resource").problem
