"""A condition of an object's status, without its time."""

from __future__ import annotations

import dataclasses
from typing import Literal

State = Literal["True", "False", "Unknown"]


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """One entry of ``status.conditions`` (Kubernetes API conventions)."""

    type: str
    status: State
    reason: str
    message: str = ""


def state(value: bool) -> State:
    """Return the word that conditions use for a truth value."""
    return "True" if value else "False"
