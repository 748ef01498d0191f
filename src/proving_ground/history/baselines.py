"""What a candidate is compared with: which earlier runs make up a baseline."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from proving_ground.history.stored import Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proving_ground.contracts.gates import RelativeGate
    from proving_ground.history.store import Store
    from proving_ground.history.stored import StoredRun

LAST_GOOD, MAIN, PREVIOUS_RELEASE = "last_good", "main", "previous_release"
RESERVED = (LAST_GOOD, MAIN, PREVIOUS_RELEASE)
RELEASE_LABEL = "release"

BAD = ("regression", "invalid run")
"""Verdicts of runs that are no baseline: otherwise a regression that stays would become what is normal."""


@dataclasses.dataclass(frozen=True)
class Baseline:
    """The runs of a baseline, the latest first, and what it is in words."""

    runs: tuple[StoredRun, ...]
    told: str


def candidates(store: Store, given: Sequence[StoredRun], count: int) -> list[StoredRun]:
    """Return the runs that are judged together: those given, and of the runs before them as many as are missing."""
    runs = sorted(given, key=lambda run: (run.time, run.row), reverse=True)
    if len(runs) < count:
        earlier = store.runs(Wanted(like=runs[0], valid=True, before=runs[-1].time), limit=count - len(runs))
        runs += earlier
    return runs


def baseline_of(store: Store, gate: RelativeGate, judged: Sequence[StoredRun]) -> Baseline:
    """Return the runs that a gate compares with; all of the same system, hardware and configuration, and valid."""
    latest, before = judged[0], min(run.time for run in judged)
    most = gate.samples.most
    comparable = Wanted(like=latest, valid=True, before=before)
    if gate.baseline == LAST_GOOD:
        runs = store.runs(dataclasses.replace(comparable, verdicts_not=BAD), limit=most)
        return Baseline(tuple(runs), "earlier good runs")
    if gate.baseline == MAIN:
        return Baseline(tuple(store.runs(dataclasses.replace(comparable, label=MAIN), limit=most)), "runs of main")
    if gate.baseline == PREVIOUS_RELEASE:
        released = dataclasses.replace(comparable, label=RELEASE_LABEL, system_version_not=latest.system_version)
        last = store.runs(released, limit=1)
        if not last:
            return Baseline((), "an earlier release")
        version = last[0].system_version
        runs = store.runs(dataclasses.replace(released, system_version=version), limit=most)
        return Baseline(tuple(runs), f"release {version}" if version else "the release before it")
    pinned = store.runs(Wanted(like=latest, valid=True, baseline=gate.baseline), limit=most + len(judged))
    rows = {run.row for run in judged}
    return Baseline(tuple(run for run in pinned if run.row not in rows)[:most], f"baseline {gate.baseline}")
