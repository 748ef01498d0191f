"""The mock ``vllm-metrics``: an inference server of which only the metrics are there."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, ClassVar

from proving_ground.mocks.answer import JSON, Answer
from proving_ground.mocks.exposition import family, labels
from proving_ground.mocks.given import Given, MockError
from proving_ground.mocks.mock import Mock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MODEL = "mock-model"
MAX_REQUESTS = 10**9
STYLES = ("underscore", "colon")
"""How the names of vLLM's metrics begin: ``vllm_`` or ``vllm:``."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """A gauge of a mock."""

    name: str
    """Its name, without vLLM's prefix where it is one of vLLM's."""
    description: str
    vllm: bool = True

    def full_name(self, style: str) -> str:
        """Return the name that the metric has in a style."""
        return f"{'vllm:' if style == 'colon' else 'vllm_'}{self.name}" if self.vllm else self.name

    def written_labels(self) -> str:
        """Return the labels of its one series."""
        return labels((("model_name", MODEL),) if self.vllm else (("gpu", "0"),))


GAUGES = (
    Gauge("gpu_cache_usage_perc", "KV cache usage in percent, or on the scale on which it was set."),
    Gauge("num_requests_running", "Requests that are being generated."),
    Gauge("num_requests_waiting", "Requests that wait to be generated."),
)


@dataclass(frozen=True, slots=True)
class Load:
    """What an inference server shows of its load."""

    gpu_cache: float = 0.0
    """0 to 100; percent, unless whoever sets it means another scale."""
    requests_running: float = 0.0
    requests_waiting: float = 0.0

    @property
    def numbers(self) -> tuple[float, ...]:
        """The three values, in the order of the fields."""
        return (self.gpu_cache, self.requests_running, self.requests_waiting)


def read_style(given: Given) -> str:
    """Read the style of the names from the environment.

    Raises:
        MockError: The variable names no style.
    """
    return given.word("METRIC_NAMES", STYLES) or STYLES[0]


def read_load(given: Given, names: tuple[str, str, str]) -> dict[str, float]:
    """Read those values of a load that are given.

    Args:
        given: Parameters or variables.
        names: Their names for cache, running and waiting.

    Returns:
        The values by field of :class:`Load`.

    Raises:
        MockError: A value is not finite, not whole where it counts requests, or out of its range.
    """
    cache, running, waiting = names
    read = (given.number(cache, 0, 100), given.whole(running, 0, MAX_REQUESTS), given.whole(waiting, 0, MAX_REQUESTS))
    return {field.name: float(value) for field, value in zip(fields(Load), read, strict=True) if value is not None}


def write_metrics(gauges: tuple[Gauge, ...], style: str, values: tuple[float, ...]) -> str:
    """Write gauges in the text format."""
    return "".join(
        family(gauge.full_name(style), "gauge", gauge.description, ((gauge.written_labels(), value),))
        for gauge, value in zip(gauges, values, strict=True)
    )


def write_json(gauges: tuple[Gauge, ...], values: tuple[float, ...]) -> str:
    """Write gauges as one JSON object, always under names with a colon."""
    return json.dumps({g.full_name("colon"): value for g, value in zip(gauges, values, strict=True)})


class VllmMock(Mock):
    """Shows what it was told last.

    Args:
        load: What it shows at first.
        style: One of ``STYLES``.
        clock: Returns unix seconds.
    """

    __slots__ = ("_answers", "_load", "_style")

    name: ClassVar[str] = "vllm-metrics"
    scraped: ClassVar[frozenset[str]] = frozenset({"/metrics", "/json"})
    settable: ClassVar[tuple[str, ...]] = ("gpu_cache", "requests_running", "requests_waiting")
    columns: ClassVar[tuple[str, ...]] = settable

    def __init__(self, load: Load, style: str, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self._load = load
        self._style = style
        self._answers: dict[str, Answer] = {}

    @classmethod
    def from_env(cls, env: Mapping[str, str], clock: Callable[[], float] = time.time) -> VllmMock:
        """Make one from its environment.

        Raises:
            MockError: A variable cannot be used; the message names it.
        """
        given = Given(env, "variable")
        names = []
        for name in ("RUNNING", "WAITING"):
            long, short = f"INITIAL_REQUESTS_{name}", f"INITIAL_{name}"
            if long in given and short in given:
                raise MockError(f"expected only one of {long} and {short}", where=f"variable {short}")
            names.append(short if short in given else long)
        load = Load(**read_load(given, ("INITIAL_GPU_CACHE", names[0], names[1])))
        return cls(load, read_style(given), clock)

    def answer(self, path: str, query: Mapping[str, str], now: float) -> Answer:
        """Answer with the values as they were set."""
        del query, now
        answer = self._answers.get(path)
        if answer is None:
            values = self._load.numbers
            if path == "/json":
                answer = Answer(200, JSON, write_json(GAUGES, values).encode())
            else:
                answer = Answer.metrics(write_metrics(GAUGES, self._style, values))
            self._answers[path] = answer
        return answer

    def seen(self, now: float) -> tuple[float, ...]:
        """Return cache, running and waiting."""
        del now
        return self._load.numbers

    def values(self) -> dict[str, float]:
        """Return the values under their names in the mock's style."""
        return {gauge.full_name(self._style): v for gauge, v in zip(GAUGES, self._load.numbers, strict=True)}

    def _prepare_values(self, given: Given) -> Callable[[], None]:
        changed = read_load(given, ("gpu_cache", "requests_running", "requests_waiting"))

        def commit() -> None:
            self._load = replace(self._load, **changed)
            self._answers = {}

        return commit
