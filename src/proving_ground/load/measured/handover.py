"""What was measured, under the names by which reports and the history know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proving_ground.load.measured.slos import LATENCIES, PERCENTILES

if TYPE_CHECKING:
    from proving_ground.history.records import Measurement
    from proving_ground.load.measured.result import LevelResult, Measured

_RATES = {
    "requests_per_second": "requests/s",
    "tokens_per_second": "tokens/s",
    "goodput": "requests/s",
}


def metrics(level: LevelResult) -> dict[str, float]:
    """Return the measured values of a level for a report; the unit belongs to the name."""
    told = {f"{name}_ms": value for name, value in level.latencies_ms.items()}
    told |= {name: round(float(getattr(level, name)), 6) for name in _RATES}
    return told | {"error_rate": round(level.error_rate, 6), "requests": float(level.requests)}


def of_load_test(measured: Measured) -> dict[str, float]:
    """Return the fields of ``load_test`` in results.json."""
    told = measured.load_test().model_dump(exclude_none=True)
    return {name: float(value) for name, value in told.items()}


def measurements(measured: Measured, *, suite: str, scenario: str) -> tuple[Measurement, ...]:
    """Return the last level as what the history keeps; nothing of a load that cannot be trusted.

    Args:
        measured: A load.
        suite: Suite that it was made for.
        scenario: What was done.
    """
    from proving_ground.history.records import Measurement  # noqa: PLC0415 - it brings a database with it

    if measured.client.verdict != "valid" or not measured.levels:
        return ()
    level = measured.last
    names = [f"{name}_p{part}" for name in LATENCIES for part in PERCENTILES]
    made = [
        Measurement(suite, scenario, f"{name}_ms", "ms", "lower", (level.latencies_ms[name],))
        for name in names
        if name in level.latencies_ms
    ]
    made += [
        Measurement(suite, scenario, name, unit, "higher", (float(getattr(level, name)),))
        for name, unit in _RATES.items()
    ]
    made.append(Measurement(suite, scenario, "error_rate", "share", "lower", (level.error_rate,)))
    return tuple(made)
