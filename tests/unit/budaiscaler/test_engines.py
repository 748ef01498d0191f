from __future__ import annotations

import pytest

from proving_ground.budaiscaler.engines import CACHE, NAMES, RUNNING, WAITING, engine_metrics


@pytest.mark.parametrize("engine", sorted(NAMES))
@pytest.mark.parametrize("metric", [RUNNING, WAITING])
def test_every_engine_tells_its_requests(engine: str, metric: str) -> None:
    assert engine_metrics(engine, metric)


def test_both_names_of_the_cache_in_vllm_are_looked_for() -> None:
    names = [metric.name for metric in engine_metrics("vllm", CACHE)]
    assert names == ["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"]


def test_any_other_name_is_taken_as_it_is() -> None:
    (metric,) = engine_metrics("tgi", "tgi_request_count")
    assert (metric.name, metric.label) == ("tgi_request_count", "")


def test_what_an_engine_does_not_tell_is_refused() -> None:
    with pytest.raises(ValueError, match="tgi does not tell its gpu_cache_usage"):
        engine_metrics("tgi", CACHE)
