from __future__ import annotations

import dataclasses
import datetime as dt
import math

import pytest

from proving_ground.errors import ConfigurationError
from proving_ground.history import Fingerprint, Measurement, configuration_hash
from tests.unit.history.made import HARDWARE, measurement, record


@pytest.mark.parametrize("values", [(), (math.nan,), (1.0, math.inf)])
def test_a_measurement_without_finite_values_is_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(ConfigurationError):
        measurement("ttft_ms", *values)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 201, "\x1b[31m"])
def test_a_name_that_no_report_can_show_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError):
        Measurement("load", "chat", name, "ms", "lower", (1.0,))
    with pytest.raises(ConfigurationError):
        record(1, run_id=name)


def test_a_direction_is_lower_or_higher() -> None:
    with pytest.raises(ConfigurationError, match="lower or higher"):
        Measurement("load", "chat", "x", "ms", "up", (1.0,))  # type: ignore[arg-type]


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="time zone"):
        record(1, time=dt.datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point


def test_a_label_with_a_comma_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        record(1, labels=("main,release",))


def test_the_order_of_settings_does_not_change_their_hash() -> None:
    assert configuration_hash({"a": 1, "b": {"c": 2, "d": 3}}) == configuration_hash({"b": {"d": 3, "c": 2}, "a": 1})
    assert configuration_hash({"a": 1}) != configuration_hash({"a": 2})


def test_other_hardware_has_another_key_and_the_order_of_gpus_does_not_count() -> None:
    assert dataclasses.replace(HARDWARE, hosts=3).key != HARDWARE.key
    assert Fingerprint("c", 1, 2, ("A", "B")).key == Fingerprint("c", 1, 2, ("B", "A")).key


def test_hardware_is_told_with_its_gpus_counted() -> None:
    assert str(HARDWARE) == "2 x (Some CPU, 16 CPUs, 128 GiB, 2 x H100)"
