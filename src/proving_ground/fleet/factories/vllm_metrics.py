"""The metrics of one replica under vLLM's names, with a layout that all replicas share.

Names, labels and buckets are those of vLLM's ``/metrics`` (engine version 1, 2026). A registry of prometheus-client
for each replica costs about 100 KB and 2 ms a scrape; here a replica holds numbers only, and text is written when
something has changed.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import accumulate

from proving_ground.fleet.inference import FakeMetrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

FIRST_TOKEN = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
    160.0, 640.0, 2560.0,
)  # fmt: skip
PER_TOKEN = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
)  # fmt: skip
REQUEST = (
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0,
    1920.0, 7680.0,
)  # fmt: skip
TOKENS = (
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0, 20000.0,
)  # fmt: skip
CHOICES = (1.0, 2.0, 5.0, 10.0, 20.0)

GAUGES = {
    "num_requests_running": "Number of requests in model execution batches.",
    "num_requests_waiting": "Number of requests waiting to be processed.",
}
CACHE_GAUGES = {
    "gpu_cache_usage_perc": "GPU KV-cache usage. 1 means 100 percent usage.",
    "kv_cache_usage_perc": "KV-cache usage. 1 means 100 percent usage.",
}
"""The usage of the KV cache, under its name before vLLM 0.9 and after."""
COUNTERS = {
    "prefix_cache_queries": "Prefix cache queries, in tokens.",
    "prefix_cache_hits": "Prefix cache hits, in tokens.",
    "num_preemptions": "Cumulative number of preemptions.",
    "prompt_tokens": "Number of prefill tokens processed.",
    "generation_tokens": "Number of generation tokens processed.",
}
FINISHED = ("stop", "length", "abort")
HISTOGRAMS: dict[str, tuple[str, tuple[float, ...]]] = {
    "request_prompt_tokens": ("Number of prefill tokens processed.", TOKENS),
    "request_generation_tokens": ("Number of generation tokens processed.", TOKENS),
    "request_params_n": ("The n request parameter.", CHOICES),
    "request_params_max_tokens": ("The max_tokens request parameter.", TOKENS),
    "time_to_first_token_seconds": ("Time to first token in seconds.", FIRST_TOKEN),
    "inter_token_latency_seconds": ("Inter-token latency in seconds.", PER_TOKEN),
    "request_time_per_output_token_seconds": ("Time per output token in seconds, by request.", PER_TOKEN),
    "e2e_request_latency_seconds": ("End to end request latency in seconds.", REQUEST),
    "request_queue_time_seconds": ("Time spent in the phase WAITING.", REQUEST),
    "request_inference_time_seconds": ("Time spent in the phase RUNNING.", REQUEST),
    "request_prefill_time_seconds": ("Time spent in the phase PREFILL.", REQUEST),
    "request_decode_time_seconds": ("Time spent in the phase DECODE.", REQUEST),
}


class Histogram:
    """Counts of observations by bucket; the last is the one up to infinity."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count a value, or the same value several times."""
        self._counts[bisect_left(self._bounds, value)] += times
        self._sum += value * times

    def render(self, name: str, labels: str) -> str:
        """Write the samples: cumulative buckets, count, sum."""
        running = list(accumulate(self._counts))
        engine, model = labels.split(",", 1)
        rows = [
            f'{name}_bucket{{{engine},le="{bound}",{model}}} {count}.0'
            for bound, count in zip((*self._bounds, "+Inf"), running, strict=True)
        ]
        rows += [f"{name}_count{{{labels}}} {running[-1]}.0", f"{name}_sum{{{labels}}} {self._sum!r}"]
        return "\n".join(rows)


@dataclass(slots=True)
class Served:
    """One finished request, as the metrics count it."""

    prompt_tokens: int
    generation_tokens: int
    finish_reason: str
    queued: float
    first_token: float
    """Seconds from the start of the inference to its first token."""
    decode: float
    """Seconds from the first to the last token."""
    choices: int = 1
    max_tokens: int | None = None


@dataclass(slots=True)
class VllmMetrics:
    """The numbers of one replica."""

    model: str
    capacity_tokens: int
    """Tokens for which the KV cache has room."""
    running: int = 0
    waiting: int = 0
    cached_tokens: int = 0
    cache_names: tuple[str, ...] = ("kv_cache_usage_perc",)
    cache_scale: float = 1.0
    """What the gauge of the KV cache tells when it is full."""
    fake: FakeMetrics = field(default_factory=FakeMetrics)
    counters: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))
    finished: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FINISHED, 0))
    histograms: dict[str, Histogram] = field(
        default_factory=lambda: {name: Histogram(bounds) for name, (_, bounds) in HISTOGRAMS.items()}
    )
    _rest: str | None = None
    """The text of all that only finished requests change."""
    _text: str = ""
    _shown: tuple[float, ...] | None = None
    """The gauges in the text; None if the rest of it is of before."""

    def gauges(self) -> tuple[float, float, float]:
        """Return what is told of requests that run, requests that wait, and the usage of the KV cache."""
        fake = self.fake
        usage = min(1.0, self.cached_tokens / self.capacity_tokens) if fake.cache is None else fake.cache
        return (
            float(self.running) if fake.running is None else fake.running,
            float(self.waiting) if fake.waiting is None else fake.waiting,
            usage * self.cache_scale,
        )

    def values(self) -> dict[str, float]:
        """Return the gauges by full name."""
        *requests, usage = self.gauges()
        names = (*GAUGES, *self.cache_names)
        values = (*requests, *(usage for _ in self.cache_names))
        return {f"vllm:{name}": value for name, value in zip(names, values, strict=True)}

    def count(self, request: Served) -> None:
        """Count a finished request."""
        prompt, generated = request.prompt_tokens, request.generation_tokens
        counters, see = self.counters, self.histograms
        counters["prompt_tokens"] += prompt
        counters["generation_tokens"] += generated
        counters["prefix_cache_queries"] += prompt
        self.finished[request.finish_reason] += 1
        see["request_prompt_tokens"].observe(prompt)
        see["request_generation_tokens"].observe(generated)
        see["request_params_n"].observe(request.choices)
        if request.max_tokens is not None:
            see["request_params_max_tokens"].observe(request.max_tokens)
        inference = request.first_token + request.decode
        see["request_queue_time_seconds"].observe(request.queued)
        see["request_prefill_time_seconds"].observe(request.first_token)
        see["request_decode_time_seconds"].observe(request.decode)
        see["request_inference_time_seconds"].observe(inference)
        see["e2e_request_latency_seconds"].observe(request.queued + inference)
        if generated:
            see["time_to_first_token_seconds"].observe(request.queued + request.first_token)
        if generated > 1:
            each = request.decode / (generated - 1)
            see["inter_token_latency_seconds"].observe(each, generated - 1)
            see["request_time_per_output_token_seconds"].observe(each)
        self._rest = self._shown = None

    def text(self) -> str:
        """Write all in the Prometheus text format, version 0.0.4."""
        gauges = self.gauges()
        if gauges != self._shown:
            if self._rest is None:
                self._rest = self._render_rest()
            self._text, self._shown = self._render_gauges() + self._rest, gauges
        return self._text

    @property
    def _labels(self) -> tuple[str, str]:
        model = self.model.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'engine="0",model_name="{model}"', model

    def _render_gauges(self) -> str:
        labels, _ = self._labels
        rows: list[str] = []
        for (full, value), text in zip(self.values().items(), self._descriptions(), strict=True):
            rows += [f"# HELP {full} {text}", f"# TYPE {full} gauge", f"{full}{{{labels}}} {value!r}"]
        return "\n".join(rows) + "\n"

    def _descriptions(self) -> tuple[str, ...]:
        return (*GAUGES.values(), *(CACHE_GAUGES[name] for name in self.cache_names))

    def _render_rest(self) -> str:
        labels, model = self._labels
        rows: list[str] = []
        for name, text in COUNTERS.items():
            full = f"vllm:{name}_total"
            rows += [f"# HELP {full} {text}", f"# TYPE {full} counter", f"{full}{{{labels}}} {self.counters[name]}.0"]
        full = "vllm:request_success_total"
        rows += [f"# HELP {full} Count of successfully processed requests.", f"# TYPE {full} counter"]
        for reason, number in self.finished.items():
            rows.append(f'{full}{{engine="0",finished_reason="{reason}",model_name="{model}"}} {number}.0')
        for name, (text, _) in HISTOGRAMS.items():
            full = f"vllm:{name}"
            rows += [f"# HELP {full} {text}", f"# TYPE {full} histogram", self.histograms[name].render(full, labels)]
        return "\n".join(rows) + "\n"
