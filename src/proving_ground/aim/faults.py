"""Named misbehaviour that the stand-in shows when an AIMService or its namespace asks for it."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ANNOTATION = "proving.ground/fault"


class Fault(enum.StrEnum):
    """Faults of the stand-in; names it does not know belong to others (the fleet) and are passed on to pods."""

    NEVER_READY = "never-ready"
    RUNNING_WITHOUT_RUNTIME_READY = "running-without-runtime-ready"
    RUNNING_BEFORE_READY = "running-before-ready"
    FAILED_AFTER_STARTING = "failed-after-starting"
    DEGRADED_LATE = "degraded-late"
    RUNNING_WHILE_CRASHING = "running-while-crashing"
    CRASH_UNNOTICED = "crash-unnoticed"
    SECRET_NOT_DEMANDED = "secret-not-demanded"  # noqa: S105  a fault's name
    TOKEN_NOT_DEMANDED = "token-not-demanded"  # noqa: S105  a fault's name
    UNOPTIMIZED_ALLOWED = "unoptimized-allowed"
    UNKNOWN_IMAGE_ACCEPTED = "unknown-image-accepted"
    GPU_NOT_REQUESTED = "gpu-not-requested"
    SPEC_CHANGE_IGNORED = "spec-change-ignored"
    LEFT_BEHIND = "left-behind"


SECONDS_UNTIL: Mapping[Fault, float] = {Fault.FAILED_AFTER_STARTING: 0.3, Fault.DEGRADED_LATE: 1.5}
"""Seconds after a service was first seen Starting at which a late fault shows."""


def parse(annotations: Mapping[str, str] | None) -> frozenset[str]:
    """Return the names in the fault annotation of an object; separators are commas, blanks do not count."""
    text = (annotations or {}).get(ANNOTATION, "")
    return frozenset(name for part in text.split(",") if (name := part.strip()))


def effective(service: Mapping[str, str] | None, namespace: Mapping[str, str] | None) -> frozenset[str]:
    """Return the faults of a service: its own annotation decides, else its namespace's."""
    if ANNOTATION in (service or {}):
        return parse(service)
    return parse(namespace)
