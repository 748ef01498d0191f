"""What the autoscaler was started with, and the API that it follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proving_ground.budaiscaler.clock import Clock

GROUP, VERSION, PLURAL = "scaler.bud.studio", "v1alpha1", "budaiscalers"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the controller was started with.

    Attributes:
        clock: Simulated time of scalers that have no clock of their own.
        reconcile_seconds: Real seconds from one pass over a scaler to the next.
        keep_seconds: Real seconds between two times that what was learned is calibrated and kept.
    """

    clock: Clock
    reconcile_seconds: float
    keep_seconds: float
