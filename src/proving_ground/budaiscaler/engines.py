"""What inference engines call what a scaler may ask for by a name that fits them all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineMetric:
    """A metric of an engine, and the label that tells which of its lines is meant."""

    name: str
    label: str = ""
    value: str = ""


CACHE, RUNNING, WAITING = "gpu_cache_usage", "requests_running", "requests_waiting"

# Sources: https://docs.vllm.ai/en/stable/design/metrics (both names of the cache's use), the metrics pages of
# Text Generation Inference and SGLang, and the README of Triton's TensorRT-LLM backend.
NAMES: dict[str, dict[str, tuple[EngineMetric, ...]]] = {
    "vllm": {
        CACHE: (EngineMetric("vllm:kv_cache_usage_perc"), EngineMetric("vllm:gpu_cache_usage_perc")),
        RUNNING: (EngineMetric("vllm:num_requests_running"),),
        WAITING: (EngineMetric("vllm:num_requests_waiting"),),
    },
    "tgi": {
        RUNNING: (EngineMetric("tgi_batch_current_size"),),
        WAITING: (EngineMetric("tgi_queue_size"),),
    },
    "sglang": {
        CACHE: (EngineMetric("sglang:token_usage"),),
        RUNNING: (EngineMetric("sglang:num_running_reqs"),),
        WAITING: (EngineMetric("sglang:num_queue_reqs"),),
    },
    "triton": {
        CACHE: (EngineMetric("nv_trt_llm_kv_cache_block_metrics", "kv_cache_block_type", "fraction"),),
        RUNNING: (EngineMetric("nv_trt_llm_request_metrics", "request_type", "active"),),
        WAITING: (EngineMetric("nv_trt_llm_request_metrics", "request_type", "waiting"),),
    },
}


def engine_metrics(engine: str, metric: str) -> tuple[EngineMetric, ...]:
    """Return what an engine may call a metric: itself, unless it is one of the names that fit all engines.

    Raises:
        ValueError: The engine does not tell it.
    """
    if metric not in {CACHE, RUNNING, WAITING}:
        return (EngineMetric(metric),)
    found = NAMES[engine].get(metric)
    if found is None:
        raise ValueError(f"{engine} does not tell its {metric}")
    return found
