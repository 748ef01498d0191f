"""suite.yml: what a suite needs, and which faults its checks must notice."""

from __future__ import annotations

from pydantic import Field

from proving_ground.contracts.base import Contract
from proving_ground.contracts.platform import Name


class FaultExpectation(Contract):
    """What one fault must do to the checks of the suite; every check not named must pass."""

    description: str
    shows: list[Name] = Field(
        default=[], description="What stand-ins and mocks are told to show at once; the fault's own name if empty."
    )
    must_fail: list[str] = Field(min_length=1, description="Check ids, or fnmatch patterns of them.")
    may_be_blocked: list[str] = Field(default=[], description="Check ids or patterns whose outcome does not count.")
    marks: str = Field(
        default="",
        description="Mark expression of the checks that are tried under it, in place of the proof's: "
        "what it leaves out costs too much to be tried under each fault.",
    )


class ProveSettings(Contract):
    """How prove runs the suite: smaller and less patient than a stage does."""

    inventory: str = Field(
        default="sim", min_length=1, description="Inventory on which it is proved where none is asked for."
    )
    wait_limit: float = Field(default=10.0, gt=0, description="Seconds; every wait of a check is cut to this.")
    parallel: int = Field(
        default=8, ge=1, description="Checks under way at once: under a fault most of them only wait."
    )
    slots: int = Field(
        default=1, ge=1, description="Slots that a pass takes, of those that the machine has (five for each CPU)."
    )
    marks: str = Field(
        default="", description="Mark expression of the checks that are proved, for example `not weekly`; empty: all."
    )
    allowed_skips: list[str] = Field(
        default=[], description="Reason codes of skips that are no errors; a check that is skipped proves nothing."
    )
    parameters: dict[str, object] = Field(
        default={}, description="Replaces parameters of the suite's system, for example models_csv."
    )


class Suite(Contract):
    """The whole of suite.yml."""

    name: Name
    description: str
    systems: list[Name] = Field(default=[], description="Systems that must be on the platform.")
    capabilities: list[Name] = Field(default=[], description="Capabilities that every check of the suite needs.")
    exclusive: bool = Field(default=False, description="Whether nothing else may run beside it.")
    environment: str | None = Field(default=None, description="Isolated tool environment; absent: the shared one.")
    parallel: int = Field(default=4, ge=1, description="Checks under way at once.")
    faults: dict[Name, FaultExpectation] = {}
    prove: ProveSettings = ProveSettings()

    def told(self, fault: str) -> str:
        """Return what stand-ins and mocks are told for a fault: names with commas; the name of one that is not ours."""
        known = self.faults.get(fault)
        return ",".join(known.shows or [fault]) if known is not None else fault
