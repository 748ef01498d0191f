"""Named misbehaviour that the stand-in shows when a BudAIScaler or its namespace asks for it."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from proving_ground.annotations import FAULT_ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Mapping


class Fault(enum.StrEnum):
    """Faults of the stand-in; names it does not know belong to others (the fleet, the mocks)."""

    # The recommendation.
    NEVER_SCALES_UP = "never-scales-up"
    NEVER_SCALES_DOWN = "never-scales-down"
    EXCEEDS_MAX = "exceeds-max"
    GOES_BELOW_MIN = "goes-below-min"
    IGNORES_TOLERANCE = "ignores-tolerance"
    IGNORES_STABILIZATION = "ignores-stabilization"
    IGNORES_POLICIES = "ignores-policies"
    IGNORES_STARTING_PODS = "ignores-starting-pods"
    IGNORES_SCHEDULE = "ignores-schedule"
    IGNORES_COST = "ignores-cost"
    IGNORES_GPU = "ignores-gpu"
    IGNORES_PREDICTION = "ignores-prediction"
    NEVER_PANICS = "never-panics"
    # What it reads and writes.
    SCALES_ON_BAD_METRICS = "scales-on-bad-metrics"
    DESIRED_WITHOUT_EFFECT = "desired-without-effect"
    INVENTS_ACTUAL = "invents-actual"
    CONFLICT_UNNOTICED = "conflict-unnoticed"
    ACCEPTS_ANYTHING = "accepts-anything"
    KEEPS_NO_HISTORY = "keeps-no-history"
    # What it learns.
    COLLECTS_NOTHING = "collects-nothing"
    PERSISTS_NOTHING = "persists-nothing"
    FORGETS_AFTER_RESTART = "forgets-after-restart"
    DETECTS_ALWAYS = "detects-always"
    DETECTS_NONE = "detects-none"
    SEASON_BLIND = "season-blind"
    PREDICTIONS_SHIFTED = "predictions-shifted"
    INVENTS_ACCURACY = "invents-accuracy"
    NEVER_CALIBRATES = "never-calibrates"


def parse(annotations: Mapping[str, str] | None) -> frozenset[str]:
    """Return the names in the fault annotation of an object; separators are commas, blanks do not count."""
    text = (annotations or {}).get(FAULT_ANNOTATION, "")
    return frozenset(name for part in text.split(",") if (name := part.strip()))


def effective(scaler: Mapping[str, str] | None, namespace: Mapping[str, str] | None) -> frozenset[str]:
    """Return the faults of a scaler: its own annotation decides, else its namespace's."""
    return parse(scaler if FAULT_ANNOTATION in (scaler or {}) else namespace)
