"""stages.yml: the stages of the development life cycle, as data that operators edit."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from proving_ground.contracts.base import Contract
from proving_ground.contracts.platform import Name

_DURATION = re.compile(r"^(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?(?:(?P<s>\d+)s)?$")


def parse_budget(text: str) -> float:
    """Return the seconds of a budget such as ``90s``, ``45m`` or ``1h30m``.

    Raises:
        ValueError: The text is not of that form, or is zero.
    """
    match = _DURATION.match(text)
    seconds = sum(int(match[unit] or 0) * size for unit, size in (("h", 3600), ("m", 60), ("s", 1))) if match else 0
    if not seconds:
        raise ValueError(f"expected a duration such as 90s, 45m or 1h30m, found {text!r}")
    return float(seconds)


class Stage(Contract):
    """A point of the development life cycle that gates."""

    description: str
    inventory: Name | None = Field(default="sim", description="Default inventory; null for a stage without a platform.")
    runner: Literal["pipeline", "pre-commit"] = "pipeline"
    suites: list[str] = Field(default=["*"], description="Names of suites, or fnmatch patterns.")
    marks: str = Field(default="", description="Pytest mark expression; empty selects every check.")
    budget: str = Field(default="1h", description="Time for everything but destroy, as 90s, 45m, 1h30m.")
    allowed_skips: list[str] = Field(default=[], description="Reason codes of skips that are not errors here.")
    ci: str = Field(default="", description="What starts this stage in CI, for the table in the docs.")

    @field_validator("budget")
    @classmethod
    def _budget_is_a_duration(cls, value: str) -> str:
        parse_budget(value)
        return value

    @property
    def budget_seconds(self) -> float:
        """The budget in seconds."""
        return parse_budget(self.budget)


class Stages(Contract):
    """The whole of stages.yml."""

    stages: dict[Name, Stage]
