"""What replicas cost, and how many a budget pays for: ``spec.costConfig``.

A replica is one instance of the smallest common type with one GPU. Prices are rounded list prices in US dollars per
hour: what matters here is that they are fixed, not that they are today's.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proving_ground.budaiscaler.fields import Fields

_HOURS = 24
_EPSILON = 1e-9  # a budget that is an exact multiple of the price pays for that many
_INT32_MAX = 2**31 - 1


@dataclasses.dataclass(frozen=True, slots=True)
class Price:
    """US dollars per hour of one instance."""

    instance: str
    on_demand: float
    spot: float


PRICES = {
    "aws": Price("g5.xlarge", 1.02, 0.31),  # the prices that the upstream controller calculates with
    # On demand in us-central1 and East US; spot prices move, and are taken as 40 % of that.
    "gcp": Price("g2-standard-4", 0.71, 0.28),
    "azure": Price("Standard_NC4as_T4_v3", 0.53, 0.21),
}
PROVIDERS = tuple(PRICES)


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """Budgets in US dollars."""

    enabled: bool = False
    provider: str = "aws"
    per_hour: float | None = None
    per_day: float | None = None
    prefer_spot: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class CostReport:
    """What the replicas that are there cost."""

    hourly: float
    """US dollars."""
    daily: float
    """US dollars, when nothing changes for a day."""
    utilization: int
    """Percent of the budget; zero without a budget."""
    on_demand: int
    """Instances."""
    spot: int
    """Instances."""


def read_cost(fields: Fields) -> Cost:
    """Read ``spec.costConfig``.

    Raises:
        SpecError: A field cannot be followed.
    """
    return Cost(
        enabled=fields.flag("enabled", default=False),
        provider=fields.choice("cloudProvider", PROVIDERS, "aws"),
        per_hour=fields.quantity("budgetPerHour"),
        per_day=fields.quantity("budgetPerDay"),
        prefer_spot=fields.flag("preferSpotInstances", default=False),
    )


def hourly_price(cost: Cost) -> float:
    """Return what one replica costs in an hour."""
    price = PRICES[cost.provider]
    return price.spot if cost.prefer_spot else price.on_demand


def hourly_budget(cost: Cost) -> float | None:
    """Return the budget of an hour, the smaller one when there is one of a day too; None without any."""
    budgets = [cost.per_hour, None if cost.per_day is None else cost.per_day / _HOURS]
    return min((budget for budget in budgets if budget is not None), default=None)


def cost_ceiling(cost: Cost) -> int | None:
    """Return how many replicas the budget pays for; None when it limits nothing."""
    budget = hourly_budget(cost) if cost.enabled else None
    return None if budget is None else math.floor(min(budget / hourly_price(cost) + _EPSILON, _INT32_MAX))


def cost_report(cost: Cost, replicas: int) -> CostReport | None:
    """Return what replicas cost; None when the scaler does not ask."""
    if not cost.enabled:
        return None
    hourly = replicas * hourly_price(cost)
    budget = hourly_budget(cost)
    return CostReport(
        hourly=hourly,
        daily=hourly * _HOURS,
        utilization=0 if budget is None else round(min(100 * hourly / budget, _INT32_MAX)),
        on_demand=0 if cost.prefer_spot else replicas,
        spot=replicas if cost.prefer_spot else 0,
    )
