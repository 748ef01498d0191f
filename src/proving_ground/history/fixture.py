"""What a check uses: it records what it measured, and asks whether that is good enough."""

from __future__ import annotations

import datetime as dt
import fnmatch
import json
import os
from typing import TYPE_CHECKING

from proving_ground.contracts.gates import RelativeGate, read_gates
from proving_ground.errors import InfrastructureError
from proving_ground.history.drawing import plot
from proving_ground.history.fingerprint import of_platform
from proving_ground.history.gating import judge
from proving_ground.history.records import Record, configuration_hash
from proving_ground.history.store import Store
from proving_ground.history.stored import Wanted
from proving_ground.history.trend import trend_of
from proving_ground.history.verdicts import ORDER, worst
from proving_ground.plugin.skipping import NO_GATES, skip

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from proving_ground.contracts.gates import Gate
    from proving_ground.history.records import Measurement, Series
    from proving_ground.history.stored import StoredRun
    from proving_ground.history.verdicts import Verdict
    from proving_ground.plugin.check_run import CheckRun

NO_HISTORY = "no-history"
"""Reason code of a check that measured and recorded, and that has too little history to be judged by."""

LABELS_VARIABLE = "PROVING_GROUND_LABELS"
"""Environment variable: labels of this run with commas between, for example ``main`` or ``main,release``."""


class PerformanceHistory:
    """The history, for one check: the oracle that knows what was measured before.

    While a fault is being proved nothing is written, and only absolute and band gates are asked: what a fault
    measures is no history, and what history says of it depends on the machine that proves.

    Args:
        check: The check at work.
        gates: The gates; those of the stage if absent.
        store: Where the history is, opened when first needed; absent: as the environment says.
        recording: Whether measurements are written; absent: unless a fault is being proved.
    """

    def __init__(
        self,
        check: CheckRun,
        *,
        gates: Sequence[Gate] | None = None,
        store: Store | None = None,
        recording: bool | None = None,
    ) -> None:
        settings = check.settings
        self._check = check
        self._gates = tuple(gates) if gates is not None else read_gates(settings.state_dir)
        self._store = store
        self.recording = not settings.proving if recording is None else recording

    @property
    def gates(self) -> tuple[Gate, ...]:
        """The gates that are asked."""
        return self._gates

    def record(
        self,
        measurements: Iterable[Measurement],
        *,
        configuration: Mapping[str, object],
        system: str = "inference",
        valid: bool = True,
        problem: str = "",
        labels: Sequence[str] = (),
    ) -> Record:
        """Write what the check measured, and return it as the history keeps it.

        Args:
            measurements: The metrics.
            configuration: Everything that decides what they are: model, load, server settings; runs are compared
                where it is equal.
            system: The system under test, as platform.json names it.
            valid: Whether the measurement can be trusted; a client that lagged cannot.
            problem: Why not.
            labels: Beside those of `LABELS_VARIABLE`.

        Raises:
            ValueError: It is valid and there is nothing in it: no gate would ever look at it.
        """
        measured = tuple(measurements)
        if valid and not measured:
            raise ValueError("a valid record needs a measurement")
        platform = self._check.platform
        found = platform.systems.get(system)
        run = _run(self._check.settings.artifacts_dir)
        record = Record(
            # Not that of the platform, which several runs may use one after the other.
            run_id=str(run.get("run_id") or self._check.run_id),
            time=dt.datetime.now(dt.UTC),
            commit=str(run.get("revision") or ""),
            system=system,
            system_version=found.version if found is not None else "",
            fingerprint=of_platform(platform),
            configuration_hash=configuration_hash(configuration),
            measurements=measured,
            valid=valid,
            problem=problem,
            labels=tuple(sorted({*labels, *_labels()})),
        )
        if self.recording:
            self._opened().add(record)
        return record

    def verdict(self, record: Record) -> Verdict:
        """Return what the gates come to on what was recorded, and draw its trends into the report."""
        if not self.recording:
            return self._apart(record)
        store = self._opened()
        runs = [r for r in store.runs(Wanted(run_id=record.run_id, system=record.system)) if _is(r, record)]
        measured = {measurement.series for measurement in record.measurements}
        gates = [g for g in self._gates if _concerns(g, measured)]
        verdict = judge(store, runs, gates, note=False, only=measured.__contains__)
        # Other checks of the run have their say too: the worst of all counts.
        known = [outcome for outcome in ORDER if any(run.verdict == outcome for run in runs)]
        store.note_verdict(runs, worst([*known, verdict.outcome]))
        self._draw(store, runs[0], verdict)
        self._check.property("performance", f"{verdict.outcome}: {verdict.cause}")
        return verdict

    def decide(self, record: Record) -> Verdict:
        """End the check as its verdict says, or return what lets it pass.

        Raises:
            AssertionError: It is a regression.
            InfrastructureError: The measurement cannot be trusted.
            Skipped: No gate is about what was measured (reason code ``no-gates``), or there is too little history
                (`NO_HISTORY`); of the latter, while a fault is being proved, the check passes instead, by its limits.
        """
        __tracebackhide__ = True
        if record.valid and not any(_concerns(g, {m.series for m in record.measurements}) for g in self._gates):
            skip(NO_GATES, "nothing was asked: the stage has no gate for what was measured")
        verdict = self.verdict(record)
        if verdict.outcome == "invalid run":
            raise InfrastructureError(verdict.cause)
        assert verdict.outcome != "regression", verdict.cause  # noqa: S101 - it is a check's
        if verdict.outcome == "insufficient history" and self.recording:
            skip(NO_HISTORY, verdict.cause)
        return verdict

    def _apart(self, record: Record) -> Verdict:
        """Judge a record in a history of its own, which is gone afterwards."""
        with Store.in_memory() as store:
            store.add(record)
            measured = {measurement.series for measurement in record.measurements}
            gates = [g for g in self._gates if not isinstance(g, RelativeGate) and _concerns(g, measured)]
            return judge(store, store.runs(), gates)

    def _draw(self, store: Store, run: StoredRun, verdict: Verdict) -> None:
        drawn = dict.fromkeys(j.series for j in verdict.judgements if j.series is not None)
        for series in list(drawn)[:_MOST_TRENDS]:
            trend = trend_of(store, run, series, self._gates, limit=_TREND_RUNS)
            if len(trend.values) > 1:
                self._check.plots.append(plot(trend))

    def _opened(self) -> Store:
        if self._store is None:
            self._store = Store.open()
        return self._store

    def close(self) -> None:
        """Close the history."""
        if self._store is not None:
            self._store.close()


_MOST_TRENDS = 12
_TREND_RUNS = 60


def _concerns(gate: Gate, measured: Iterable[Series]) -> bool:
    return any(fnmatch.fnmatchcase(series.name, gate.metric) for series in measured)


def _is(run: StoredRun, record: Record) -> bool:
    return run.fingerprint_key == record.fingerprint.key and run.configuration_hash == record.configuration_hash


def _run(artifacts: Path) -> dict[str, object]:
    """Return what run.json tells of the run; nothing where suites run by themselves."""
    try:
        found = json.loads((artifacts / "run.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _labels() -> list[str]:
    """Return what the surroundings say that this run is: CI knows whether it runs main or a release."""
    return [label.strip() for label in os.environ.get(LABELS_VARIABLE, "").split(",") if label.strip()]
