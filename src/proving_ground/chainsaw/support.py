"""What of Chainsaw is supported, what shows it, and where the engine differs: the one place that says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from proving_ground.contracts.base import Contract
from proving_ground.pipeline.project import load_yaml

FILE = Path(__file__).with_name("support.yml")


class Group(Contract):
    """The fields of one mapping.

    Attributes:
        name: What the tests call it.
        title: What people call it.
        fields: Supported ones, with what shows them; None: what shows that field everywhere.
        refused: Those that are refused, and why.
        examples: Values that fields can have here.
    """

    name: str
    title: str
    fields: dict[str, str | None]
    refused: dict[str, str] = Field(default_factory=dict)
    examples: dict[str, Any] = Field(default_factory=dict)


class Decision(Contract):
    """Where the engine differs from the chainsaw binary, and why."""

    id: str
    what: str
    binary: str
    engine: str
    why: str


class Support(Contract):
    """What ``support.yml`` says.

    Attributes:
        shown: What shows a field where its group says nothing.
        examples: Values that fields can have.
        groups: The fields.
        options: Options of the command line, with what shows them or what they mean.
        ours: Options that chainsaw has not.
        decisions: The differences.
    """

    shown: dict[str, str]
    examples: dict[str, Any]
    groups: tuple[Group, ...]
    options: dict[str, str]
    ours: tuple[str, ...]
    decisions: tuple[Decision, ...]

    def shown_by(self, group: Group, field: str) -> str:
        """Return what shows a supported field: ``area/case``, or a test file below ``tests``."""
        return group.fields[field] or self.shown[field]

    def example(self, group: Group, field: str) -> Any:
        """Return a value that a field can have."""
        return group.examples[field] if field in group.examples else self.examples[field]


def load_support() -> Support:
    """Return what is supported."""
    return load_yaml(FILE, Support)
