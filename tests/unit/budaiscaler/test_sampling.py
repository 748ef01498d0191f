from __future__ import annotations

import pytest

from proving_ground.budaiscaler.learning import Sample
from proving_ground.budaiscaler.sampling import sample

COLON = """vllm:gpu_cache_usage_perc{model_name="m"} 0.5
vllm:num_requests_running{model_name="m"} 4
vllm:num_requests_waiting 2
vllm:avg_generation_throughput_toks_per_s 80.5
"""


def test_a_page_tells_cache_requests_and_throughput() -> None:
    assert sample([COLON], 1.0) == Sample(cache=0.5, running=4.0, waiting=2.0, throughput=80.5)


def test_names_with_an_underscore_and_the_newer_name_of_the_cache_are_known_too() -> None:
    page = COLON.replace("vllm:", "vllm_").replace("gpu_cache", "kv_cache")
    assert sample([page], 1.0) == sample([COLON], 1.0)


def test_the_cache_is_a_fraction_whatever_its_scale() -> None:
    assert sample(["vllm_gpu_cache_usage_perc 85\n"], 100.0).cache == 0.85


def test_pages_of_several_pods_are_their_mean() -> None:
    pages = ["vllm_num_requests_running 2\n", "vllm_num_requests_running 4\n", ""]
    assert sample(pages, 1.0) == Sample(running=3.0)


def test_json_is_read_too() -> None:
    found = sample(['{"vllm:gpu_cache_usage_perc": 40, "vllm:num_requests_waiting": 3}'], 100.0)
    assert found == Sample(cache=0.4, waiting=3.0)


@pytest.mark.parametrize("page", ["", "other 1\n", "vllm_num_requests_running e\n", "{", "vllm_num_requests_running\n"])
def test_what_no_page_tells_is_not_known(page: str) -> None:
    assert sample([page], 1.0) == Sample()


def test_no_page_tells_nothing() -> None:
    assert sample([], 1.0) == Sample()
