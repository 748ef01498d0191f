"""stages.yml: the stages of the development life cycle, as data that operators edit."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from proving_ground.contracts.base import Contract
from proving_ground.contracts.gates import Gate
from proving_ground.contracts.platform import Name
from proving_ground.durations import parse_wait


class Stage(Contract):
    """A point of the development life cycle that gates."""

    description: str
    inventory: Name | None = Field(default="sim", description="Default inventory; null for a stage without a platform.")
    runner: Literal["pipeline", "pre-commit"] = "pipeline"
    suites: list[str] = Field(default=["*"], description="Names of suites, or fnmatch patterns.")
    marks: str = Field(default="", description="Pytest mark expression; empty selects every check.")
    budget: str = Field(default="1h", description="Time for everything but destroy, as 90s, 45m, 1h30m.")
    allowed_skips: list[str] = Field(default=[], description="Reason codes of skips that are not errors here.")
    gates: list[Gate] = Field(default=[], description="What measurements of its runs must hold to; see history.")
    ci: str = Field(default="", description="What starts this stage in CI, for the table in the docs.")

    @field_validator("budget")
    @classmethod
    def _budget_is_a_duration(cls, value: str) -> str:
        parse_wait(value)
        return value

    @property
    def budget_seconds(self) -> float:
        """The budget in seconds."""
        return parse_wait(self.budget)


class Stages(Contract):
    """The whole of stages.yml."""

    stages: dict[Name, Stage]
