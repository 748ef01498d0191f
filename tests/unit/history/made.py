"""Records as tests of the history make them."""

from __future__ import annotations

import datetime as dt
import math
import random
from typing import TYPE_CHECKING

from proving_ground.history import Fingerprint, Measurement, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

HARDWARE = Fingerprint("Some CPU", 16, 128, ("H100", "H100"), 2)
BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def seeded(seed: object) -> random.Random:
    """Chance that is the same each time."""
    return random.Random(str(seed))  # noqa: S311 - no secret


def measurement(metric: str, *values: float, direction: str = "lower", unit: str = "ms") -> Measurement:
    return Measurement("load", "chat", metric, unit, "higher" if direction == "higher" else "lower", values)


def record(number: int, *measurements: Measurement, **changes: object) -> Record:
    content: dict[str, object] = {
        "run_id": f"run-{number}",
        "time": BEGIN + dt.timedelta(hours=number),
        "commit": f"c{number}",
        "system": "inference",
        "system_version": "1.0",
        "fingerprint": HARDWARE,
        "configuration_hash": "cfg",
        "measurements": measurements or (measurement("ttft_ms", 100.0),),
    }
    return Record(**content | changes)  # type: ignore[arg-type]


def noisy(
    numbers: Sequence[int],
    *,
    factor: float = 1.0,
    noise: float = 0.03,
    metrics: int = 40,
    seed: int = 1,
    scale: float = 100,
) -> list[Record]:
    chance = seeded(f"{seed}{numbers}")
    return [
        record(
            number,
            *(
                measurement(f"m{metric}_ms", scale * math.exp(chance.gauss(0, noise)) * factor)
                for metric in range(metrics)
            ),
        )
        for number in numbers
    ]
