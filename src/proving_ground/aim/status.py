"""The status of an AIMService: what the engine of each API group writes for a situation."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from proving_ground.aim import eai, silogen
from proving_ground.aim.situations import diagnose

if TYPE_CHECKING:
    from proving_ground.aim.conditions import Condition
    from proving_ground.aim.observation import Observation

Json = Mapping[str, Any]
GROUPS = {silogen.GROUP: silogen, eai.GROUP: eai}
VERSION = "v1alpha1"


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """What is written to the status of a service, without times."""

    status: str
    conditions: tuple[Condition, ...]
    fields: Json
    reason: str
    message: str


def derive_status(group: str, seen: Observation) -> Status:
    """Return the status that follows from an observation; the same observation always gives the same status."""
    dialect = GROUPS[group]
    finding = diagnose(seen)
    word, reason = dialect.OUTCOMES[finding.situation]
    return Status(
        status=word,
        conditions=dialect.conditions(seen, finding),
        fields=dialect.fields(seen, finding),
        reason=reason,
        message=finding.message,
    )


def render(status: Status, *, generation: int, before: Json | None, now: str) -> dict[str, Any] | None:
    """Return the merge patch of ``status`` that turns what is stored into this status; None if nothing changes.

    A condition keeps its lastTransitionTime until its status changes (Kubernetes API conventions).
    """
    old = before or {}
    body: dict[str, Any] = {
        "status": status.status,
        "observedGeneration": generation,
        "conditions": _dated(status.conditions, old.get("conditions") or (), generation=generation, now=now),
        **status.fields,
    }
    if all(old.get(key) == value for key, value in body.items() if value is not None) and not any(
        key in old for key, value in body.items() if value is None
    ):
        return None
    return body


def _dated(conditions: Iterable[Condition], old: Sequence[Json], *, generation: int, now: str) -> list[dict[str, Any]]:
    stored = {str(condition.get("type")): condition for condition in old}
    dated = []
    for condition in conditions:
        previous = stored.get(condition.type, {})
        same = previous.get("status") == condition.status
        dated.append(
            {
                "type": condition.type,
                "status": condition.status,
                "reason": condition.reason,
                "message": condition.message,
                "lastTransitionTime": previous["lastTransitionTime"] if same else now,
                "observedGeneration": generation,
            }
        )
    return dated
