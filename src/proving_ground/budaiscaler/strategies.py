"""The formulas that turn one metric into replicas: BudScaler and KPA."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from proving_ground.budaiscaler.fields import INT32_MAX
from proving_ground.budaiscaler.limits import round_half_up, round_up
from proving_ground.budaiscaler.spec import KPA

if TYPE_CHECKING:
    from proving_ground.budaiscaler.spec import ScalerSpec

UP_DAMPING, DOWN_DAMPING = 0.8, 0.5
"""How much of the distance to the target BudScaler goes at once."""
MOST_UP, MOST_DOWN = 2.0, 0.5
"""Factors between which BudScaler stays in one decision."""
KPA_UP_RATE, KPA_DOWN_RATE = 2.0, 0.5
"""Factors of one decision of KPA when it is told no others."""

_EPSILON = 1e-9


def ratio_of(value: float, target: float) -> float:
    """Return the ratio of value to target, as a finite number; 1 when the value says nothing."""
    if not math.isfinite(value):
        return 1.0
    return min(max(value, 0.0) / target, float(INT32_MAX))


def direction(ratio: float, up_tolerance: float, down_tolerance: float) -> int:
    """Return 1 when a ratio is above its tolerance, -1 when it is below, and 0 within."""
    if ratio > 1 + up_tolerance + _EPSILON:
        return 1
    return -1 if ratio < 1 - down_tolerance - _EPSILON else 0


def formula(spec: ScalerSpec, replicas: float, ratio: float) -> int:
    """Return the replicas that a ratio of value to target asks for, by the scaler's strategy.

    Args:
        spec: The scaler.
        replicas: How many there are; a fraction when pods that start count in part.
        ratio: Not negative, and outside of the tolerance.
    """
    if ratio <= 0:
        return spec.minimum
    # From nothing, any load asks for a first replica: no ratio of nothing would.
    base = max(replicas, 1.0)
    if spec.strategy == KPA:
        return min(round_up(base * ratio), INT32_MAX)
    if ratio > 1:
        return min(round_up(base * min(1 + UP_DAMPING * (ratio - 1), MOST_UP)), INT32_MAX)
    return max(round_half_up(base * max(1 + DOWN_DAMPING * (ratio - 1), MOST_DOWN)), 1)
