from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from proving_ground.fleet.factories.vllm_metrics import FIRST_TOKEN, PER_TOKEN, REQUEST, Served, VllmMetrics


def samples(metrics: VllmMetrics) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("le", sample.labels.get("finished_reason", ""))): sample.value
        for family in text_string_to_metric_families(metrics.text())
        for sample in family.samples
    }


def served(**changes: object) -> Served:
    plain = Served(
        prompt_tokens=10, generation_tokens=5, finish_reason="stop", queued=0.0, first_token=0.05, decode=0.4
    )
    for name, value in changes.items():
        setattr(plain, name, value)
    return plain


def test_the_text_is_what_prometheus_reads() -> None:
    families = {f.name: f.type for f in text_string_to_metric_families(VllmMetrics("m", 100).text())}
    assert families["vllm:num_requests_running"] == "gauge"
    assert families["vllm:prompt_tokens"] == "counter"
    assert families["vllm:time_to_first_token_seconds"] == "histogram"


def test_labels_are_model_name_and_engine() -> None:
    for family in text_string_to_metric_families(VllmMetrics("org/m", 100).text()):
        for sample in family.samples:
            assert sample.labels["model_name"] == "org/m"
            assert sample.labels["engine"] == "0"


def test_the_buckets_are_those_of_vllm() -> None:
    assert (len(FIRST_TOKEN), FIRST_TOKEN[0], FIRST_TOKEN[-1]) == (22, 0.001, 2560.0)
    assert (len(PER_TOKEN), PER_TOKEN[0], PER_TOKEN[-1]) == (19, 0.01, 80.0)
    assert (len(REQUEST), REQUEST[0], REQUEST[-1]) == (21, 0.3, 7680.0)


def test_a_finished_request_is_counted_everywhere() -> None:
    metrics = VllmMetrics("m", 100)
    metrics.count(served())
    seen = samples(metrics)
    assert seen["vllm:prompt_tokens_total", ""] == 10
    assert seen["vllm:generation_tokens_total", ""] == 5
    assert seen["vllm:request_success_total", "stop"] == 1
    assert seen["vllm:request_success_total", "length"] == 0
    assert seen["vllm:e2e_request_latency_seconds_count", ""] == 1
    assert seen["vllm:inter_token_latency_seconds_count", ""] == 4


def test_buckets_are_cumulative_and_hold_their_upper_bound() -> None:
    metrics = VllmMetrics("m", 100)
    metrics.count(served(first_token=0.04))
    metrics.count(served(first_token=0.3))
    seen = samples(metrics)
    assert seen["vllm:time_to_first_token_seconds_bucket", "0.02"] == 0
    assert seen["vllm:time_to_first_token_seconds_bucket", "0.04"] == 1
    assert seen["vllm:time_to_first_token_seconds_bucket", "+Inf"] == 2


def test_a_model_name_that_needs_escaping_is_escaped() -> None:
    name = 'a"b\\c\nd'
    family = next(text_string_to_metric_families(VllmMetrics(name, 100).text()))
    assert family.samples[0].labels["model_name"] == name


def test_the_kv_cache_is_never_more_than_full() -> None:
    metrics = VllmMetrics("m", 100, cached_tokens=500)
    assert samples(metrics)["vllm:kv_cache_usage_perc", ""] == 1.0


def test_text_is_written_again_only_after_a_change() -> None:
    metrics = VllmMetrics("m", 100)
    first = metrics.text()
    assert metrics.text() is first
    metrics.count(served())
    assert metrics.text() != first
