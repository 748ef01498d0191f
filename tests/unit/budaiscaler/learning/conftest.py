from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from proving_ground.budaiscaler.learning import LearningSettings, Sample


class Load:
    """The samples of an inference server under programmed traffic, with seeded noise."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 -- noise, not a secret

    def normal(self, hour: int, points: int) -> Iterator[Sample]:
        factor = 1.5 if 9 <= hour <= 11 else 1.8 if 14 <= hour <= 17 else 0.3 if hour >= 23 or hour <= 6 else 1.0
        for _ in range(points):
            yield self._sample(
                40 + 20 * factor + self._within(5),
                8 * factor + self._whole(-2, 2),
                2 * factor + self._whole(0, 3),
                80 * factor + self._within(10),
            )

    def kv_pressure(self, points: int) -> Iterator[Sample]:
        for _ in range(points):
            yield self._sample(
                90 + self._within(5), 20 + self._whole(-3, 3), 15 + self._whole(-2, 5), 60 + self._within(10)
            )

    def batch_spike(self, points: int) -> Iterator[Sample]:
        for point in range(points):
            factor = 2.5 if point < points / 2 else 1.5
            yield self._sample(
                60 + 15 * factor + self._within(5),
                15 * factor + self._whole(-2, 3),
                8 * factor + self._whole(-1, 3),
                70 * factor + self._within(10),
            )

    def traffic_drain(self, points: int) -> Iterator[Sample]:
        for point in range(points):
            factor = max(0.2, 1 - point / points)
            yield self._sample(
                50 * factor + self._within(5),
                10 * factor + self._whole(-1, 1),
                2 * factor + self._whole(-1, 1),
                80 * factor + self._within(5),
            )

    def _within(self, size: float) -> float:
        return self._random.uniform(-size, size)

    def _whole(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    @staticmethod
    def _sample(cache: float, running: float, waiting: float, throughput: float) -> Sample:
        return Sample(
            min(100.0, max(0.0, cache)) / 100,
            float(int(max(0.0, running))),
            float(int(max(0.0, waiting))),
            max(0.0, throughput),
        )


@pytest.fixture(params=range(5), ids=lambda seed: f"seed{seed}")
def load(request: pytest.FixtureRequest) -> Load:
    return Load(request.param)


@pytest.fixture
def settings() -> LearningSettings:
    return LearningSettings(
        look_ahead_minutes=5, historical_days=7, target=70.0, scale=100.0, metric="vllm:gpu_cache_usage_perc"
    )
