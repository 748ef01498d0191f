from __future__ import annotations

import pytest

from proving_ground.mocks.traffic import Noise, Pattern, bucket_of, noise_at, seasonal_factor, traffic

QUIET = Noise((0.5,) * 6, 0.0)
LOWEST = Noise((0.0,) * 6)
HIGHEST = Noise((1 - 2**-32,) * 6)


@pytest.mark.parametrize(
    ("hours", "factor"),
    [((9, 10, 11), 1.5), ((14, 15, 16, 17), 1.8), ((23, 0, 3, 6), 0.3), ((7, 8, 12, 13, 18, 22), 1.0)],
)
def test_the_factor_follows_the_hour(hours: tuple[int, ...], factor: float) -> None:
    assert {seasonal_factor(hour) for hour in hours} == {factor}


@pytest.mark.parametrize(
    ("pattern", "hour", "progress", "expected"),
    [
        pytest.param(Pattern.NORMAL, 10, 0.0, (70, 12, 3, 120, 72.5, 70), id="normal in the morning"),
        pytest.param(Pattern.NORMAL, 15, 9.0, (76, 14, 3, 144, 77, 76), id="normal in the afternoon"),
        pytest.param(Pattern.NORMAL, 3, 0.0, (46, 2, 0, 24, 54.5, 46), id="normal at night"),
        pytest.param(Pattern.NORMAL, 20, 0.0, (60, 8, 2, 80, 65, 60), id="normal in the evening"),
        pytest.param(Pattern.KV_PRESSURE, 3, 0.0, (85, 20, 15, 60, 90, 85), id="pressure"),
        pytest.param(Pattern.BATCH_SPIKE, 3, 0.49, (97.5, 37, 20, 175, 97.5, 100), id="the spike"),
        pytest.param(Pattern.BATCH_SPIKE, 3, 0.5, (82.5, 22, 12, 105, 82.5, 80), id="after the spike"),
        pytest.param(Pattern.TRAFFIC_DRAIN, 3, 0.0, (50, 10, 2, 80, 55, 45), id="before the drain"),
        pytest.param(Pattern.TRAFFIC_DRAIN, 3, 0.5, (25, 5, 1, 40, 27.5, 22.5), id="in the drain"),
        pytest.param(Pattern.TRAFFIC_DRAIN, 3, 7.0, (10, 2, 0, 16, 11, 9), id="drained"),
    ],
)
def test_a_pattern_without_noise(pattern: Pattern, hour: int, progress: float, expected: tuple[float, ...]) -> None:
    assert traffic(pattern, hour, progress, QUIET).numbers == pytest.approx(expected)


@pytest.mark.parametrize(
    ("pattern", "lowest", "highest"),
    [
        (Pattern.NORMAL, (65, 10, 3, 110, 67.5, 65), (75, 14, 6, 130, 77.5, 75)),
        (Pattern.KV_PRESSURE, (85, 17, 13, 50, 85, 80), (95, 23, 20, 70, 95, 90)),
        (Pattern.BATCH_SPIKE, (92.5, 35, 19, 165, 92.5, 95), (100, 40, 23, 185, 100, 100)),
        (Pattern.TRAFFIC_DRAIN, (45, 9, 1, 75, 50, 40), (55, 11, 3, 85, 60, 50)),
    ],
)
def test_the_noise_of_a_pattern_has_its_bounds(
    pattern: Pattern, lowest: tuple[float, ...], highest: tuple[float, ...]
) -> None:
    assert traffic(pattern, 10, 0.0, LOWEST).numbers == pytest.approx(lowest)
    assert traffic(pattern, 10, 0.0, HIGHEST).numbers == pytest.approx(highest)


def test_the_amplitude_scales_the_noise() -> None:
    half = Noise(HIGHEST.draws, 0.5)
    assert traffic(Pattern.KV_PRESSURE, 10, 0.0, half).numbers == pytest.approx((90, 21, 17, 65, 92.5, 87.5))


def test_counts_are_whole_and_nothing_is_below_zero() -> None:
    drained = traffic(Pattern.TRAFFIC_DRAIN, 10, 1.0, LOWEST)
    assert (drained.running, drained.waiting) == (1, 0)
    assert min(drained.numbers) >= 0


def test_noise_depends_on_seed_and_time_only() -> None:
    assert noise_at(1, 5, 1.0) == noise_at(1, 5, 1.0)
    assert len({noise_at(seed, bucket, 1.0).draws for seed in range(5) for bucket in range(5)}) == 25


def test_noise_is_even() -> None:
    draws = [draw for bucket in range(2000) for draw in noise_at(0, bucket, 1.0).draws]
    assert all(0 <= draw < 1 for draw in draws)
    assert sum(draws) / len(draws) == pytest.approx(0.5, abs=0.01)


def test_a_bucket_is_50_milliseconds() -> None:
    assert bucket_of(100.0) == bucket_of(100.049) == bucket_of(100.05) - 1
