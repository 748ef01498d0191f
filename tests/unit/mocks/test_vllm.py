from __future__ import annotations

import pytest

from proving_ground.mocks import MOCKS, MockError

from .asking import ask, make
from .text_format import samples, value

NAMES = ("gpu_cache_usage_perc", "num_requests_running", "num_requests_waiting")


def test_everything_is_zero_at_first() -> None:
    page = samples(ask(make("vllm-metrics"), "/metrics").text)
    assert page == {f"vllm_{name}": [({"model_name": "mock-model"}, 0.0)] for name in NAMES}


@pytest.mark.parametrize("word", ["INITIAL_REQUESTS_", "INITIAL_"])
def test_the_environment_sets_the_first_values(word: str) -> None:
    env = {"INITIAL_GPU_CACHE": "85", f"{word}RUNNING": "5", f"{word}WAITING": "10", "PATH": "/bin"}
    assert list(make("vllm-metrics", **env).values().values()) == [85, 5, 10]


def test_colon_names_are_vllms_own() -> None:
    page = samples(ask(make("vllm-metrics", METRIC_NAMES="colon"), "/metrics").text)
    assert set(page) == {f"vllm:{name}" for name in NAMES}


def test_json_has_the_values_under_colon_names() -> None:
    reply = ask(make("vllm-metrics", INITIAL_GPU_CACHE="70.5"), "/json")
    assert reply.headers["content-type"] == "application/json"
    assert reply.document == dict(zip((f"vllm:{name}" for name in NAMES), (70.5, 0, 0), strict=True))


def test_a_subset_can_be_set_and_the_rest_stays() -> None:
    mock = make("vllm-metrics", INITIAL_GPU_CACHE="70", INITIAL_WAITING="3")
    ask(mock, "/metrics")
    assert ask(mock, "/set?requests_running=4").text.startswith("gpu_cache=70 requests_running=4 requests_waiting=3 ")
    page = ask(mock, "/metrics").text
    assert [value(page, f"vllm_{name}") for name in NAMES] == [70, 4, 3]


@pytest.mark.parametrize("parameter", ["gpu_cache", "requests_running", "requests_waiting"])
@pytest.mark.parametrize("text", ["NaN", "-1", "1e309", "inf", "Infinity", "many", "", "%00", "9" * 400])
def test_a_wrong_value_is_refused_by_its_name_and_nothing_changes(parameter: str, text: str) -> None:
    mock = make("vllm-metrics", INITIAL_GPU_CACHE="70", INITIAL_RUNNING="1", INITIAL_WAITING="2")
    others = "&".join(
        f"{name}=9" for name in ("gpu_cache", "requests_running", "requests_waiting") if name != parameter
    )
    reply = ask(mock, f"/set?{others}&cpu=7&{parameter}={text}")
    assert reply.status == 400
    assert f"parameter {parameter}: " in reply.text
    assert (mock.seen(0), mock.resources()[0]) == ((70, 1, 2), 100)


@pytest.mark.parametrize(
    "query", ["gpu_cache=100.1", "requests_running=1.5", "requests_waiting=1000000001", "gpu_cach=1"]
)
def test_what_is_out_of_range_not_whole_or_unknown_is_refused(query: str) -> None:
    mock = make("vllm-metrics")
    assert ask(mock, f"/set?{query}&requests_running=1").status == 400
    assert mock.seen(0) == (0, 0, 0)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("INITIAL_GPU_CACHE", "NaN"), ("INITIAL_GPU_CACHE", "101"), ("INITIAL_REQUESTS_RUNNING", "-1"),
        ("INITIAL_WAITING", "1.5"), ("INITIAL_RUNNING", ""), ("METRIC_NAMES", "dots"),
    ],
)  # fmt: skip
def test_a_wrong_environment_is_refused_by_the_variables_name(variable: str, text: str) -> None:
    with pytest.raises(MockError, match=f"variable {variable}: "):
        MOCKS["vllm-metrics"]({variable: text})


def test_two_variables_for_one_value_are_refused() -> None:
    with pytest.raises(MockError, match="only one of INITIAL_REQUESTS_RUNNING and INITIAL_RUNNING"):
        MOCKS["vllm-metrics"]({"INITIAL_REQUESTS_RUNNING": "1", "INITIAL_RUNNING": "1"})
