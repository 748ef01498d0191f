"""Runs measured by gates."""

from __future__ import annotations

import dataclasses
import fnmatch
from typing import TYPE_CHECKING

from proving_ground.contracts.gates import AbsoluteGate, BandGate, RelativeGate
from proving_ground.errors import ConfigurationError
from proving_ground.history.baselines import Baseline, baseline_of, candidates
from proving_ground.history.comparison import Sample, compare, holm
from proving_ground.history.power import Sensitivity
from proving_ground.history.verdicts import Judgement, verdict_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from proving_ground.contracts.gates import Band, Gate
    from proving_ground.history.comparison import Comparison
    from proving_ground.history.records import Series
    from proving_ground.history.store import Store
    from proving_ground.history.stored import StoredRun
    from proving_ground.history.summary import Statistic
    from proving_ground.history.verdicts import Outcome, Verdict

ANY_HARDWARE = "*"

_LEAST_P = 1e-6
"""So far out no model of noise holds; a smaller number would only look exact."""


@dataclasses.dataclass(frozen=True)
class _Compared:
    """One metric under one relative gate, before all of the run are adjusted together."""

    gate: RelativeGate
    series: Series
    baseline: Baseline
    comparison: Comparison


def judge(
    store: Store,
    runs: Sequence[StoredRun],
    gates: Sequence[Gate],
    *,
    note: bool = True,
    only: Callable[[Series], bool] = lambda _series: True,
) -> Verdict:
    """Return what gates come to on runs, which are judged together where they can be compared.

    Args:
        store: The history that they are in.
        runs: At least one.
        gates: The gates; a gate whose pattern fits no series of the whole history is a mistake.
        note: Whether the verdict is written to the runs; later baselines are chosen by it.
        only: Which metrics are judged; of all others nothing is asked.

    Raises:
        ConfigurationError: A gate's pattern fits nothing that was ever measured.
    """
    _check_patterns(store, gates)
    groups: dict[tuple[str, str, str], list[StoredRun]] = {}
    for run in sorted(runs, key=lambda run: (run.time, run.row), reverse=True):
        groups.setdefault((run.system, run.fingerprint_key, run.configuration_hash), []).append(run)
    judgements: list[Judgement] = []
    compared: list[_Compared] = []
    for group in groups.values():
        for run in (run for run in group if not run.valid):
            cause = f"run {run.run_id} is invalid: {run.problem or 'no reason was given'}"
            judgements.append(Judgement(None, "valid", "invalid run", cause))
        valid = [run for run in group if run.valid]
        if valid:
            for gate in gates:
                _judge_group(store, valid, gate, only, judgements, compared)
    judgements += _adjusted(compared)
    judgements += _unmatched(gates, judgements)
    verdict = verdict_of(judgements)
    if note:
        store.note_verdict(runs, verdict.outcome)
    return verdict


def compare_runs(
    store: Store, before: Sequence[StoredRun], after: Sequence[StoredRun], statistic: Statistic
) -> Verdict:
    """Return how some runs compare with others that were named, whether or not they are comparable."""
    gate = RelativeGate(kind="relative", metric="*/*/*", baseline="given", statistic=statistic)
    baseline = Baseline(tuple(before), "the runs given")
    found = store.statistics([*before, *after], statistic)
    judgements = _differences(before[0], after[0])
    both, samples = [], []
    for series, numbers in sorted(found.items()):
        left = [numbers.get(run.row) for run in before]
        right = [numbers.get(run.row) for run in after]
        if any(v is not None for v in left) and any(v is not None for v in right):
            both.append(series)
            samples.append(Sample(series.direction, left, right))
    compared = []
    for series, sample, comparison in zip(both, samples, compare(samples), strict=True):
        if comparison is not None:
            compared.append(_Compared(gate, series, baseline, comparison))
            continue
        old, new = (next(v for v in side if v is not None) for side in (sample.baseline, sample.candidate))
        change = f", {(new - old) / abs(old):+.1%}" if old else ""
        told = f"{_number(old)} -> {_number(new)} {series.unit}{change}; one run a side is no test"
        judgements.append(Judgement(series, _told(baseline), "insufficient history", told, value=new, reference=old))
    return verdict_of([*judgements, *_adjusted(compared)])


def _differences(before: StoredRun, after: StoredRun) -> list[Judgement]:
    """Return what keeps two runs from being comparable."""
    told = {
        "system": (before.system, after.system),
        "hardware": (before.fingerprint_key, after.fingerprint_key),
        "configuration": (before.configuration_hash, after.configuration_hash),
    }
    return [
        Judgement(None, "comparable", "insufficient history", f"{what} differs: {old} and {new}")
        for what, (old, new) in told.items()
        if old != new
    ]


def _check_patterns(store: Store, gates: Sequence[Gate]) -> None:
    known = [series.name for series in store.series()]
    for gate in gates:
        if known and not any(fnmatch.fnmatchcase(name, gate.metric) for name in known):
            metrics = ", ".join(sorted({name.rsplit("/", 1)[1] for name in known})[:8])
            raise ConfigurationError(
                f"no metric that was ever measured fits {gate.metric!r}", where="gates", hint=f"metrics are {metrics}"
            )


def _unmatched(gates: Sequence[Gate], judgements: Sequence[Judgement]) -> list[Judgement]:
    """Return a judgement for each gate that had nothing to judge in this run, unless the run itself is invalid."""
    if any(judgement.outcome == "invalid run" for judgement in judgements):
        return []
    names = {judgement.series.name for judgement in judgements if judgement.series is not None}
    return [
        Judgement(None, gate.kind, "insufficient history", f"the run has no metric that fits {gate.metric!r}")
        for gate in gates
        if not any(fnmatch.fnmatchcase(name, gate.metric) for name in names)
    ]


def _judge_group(
    store: Store,
    group: Sequence[StoredRun],
    gate: Gate,
    only: Callable[[Series], bool],
    judgements: list[Judgement],
    compared: list[_Compared],
) -> None:
    def fitting(found: dict[Series, dict[int, float]]) -> list[Series]:
        return sorted(s for s in found if fnmatch.fnmatchcase(s.name, gate.metric) and only(s))

    if not isinstance(gate, RelativeGate):
        found = store.statistics(group, gate.statistic)
        for series in fitting(found):
            worst = (max if series.direction == "lower" else min)(found[series].values())
            judgements.append(
                _judge_limits(gate, series, worst)
                if isinstance(gate, AbsoluteGate)
                else _judge_band(gate, series, worst, group[0])
            )
        return
    judged = candidates(store, group, gate.samples.candidate)
    baseline = baseline_of(store, gate, judged)
    found = store.statistics([*judged, *baseline.runs], gate.statistic)
    latest = {run.row for run in group}
    enough, samples = [], []
    for series in (s for s in fitting(found) if latest & found[s].keys()):
        numbers = found[series]
        sample = Sample(
            series.direction,
            [numbers.get(run.row) for run in reversed(baseline.runs)],
            [numbers.get(run.row) for run in reversed(judged)],
        )
        missing = _missing(gate, sample)
        if missing:
            told = f"{missing}, of the same system, hardware and configuration"
            judgements.append(Judgement(series, _told(baseline), "insufficient history", told))
        else:
            enough.append(series)
            samples.append(sample)
    for series, comparison in zip(enough, compare(samples), strict=True):
        if comparison is not None:
            compared.append(_Compared(gate, series, baseline, comparison))


def _missing(gate: RelativeGate, sample: Sample) -> str:
    have = [sum(value is not None for value in side) for side in (sample.baseline, sample.candidate)]
    if have[0] < gate.samples.baseline:
        return f"{have[0]} of {gate.samples.baseline} runs to compare with"
    if have[1] < gate.samples.candidate:
        return f"{have[1]} of {gate.samples.candidate} runs to judge"
    return ""


def _adjusted(compared: Sequence[_Compared]) -> list[Judgement]:
    """Return the judgements of all comparisons of a run, adjusted for how many they are."""
    worse = holm([one.comparison.p_worse for one in compared])
    better = holm([one.comparison.p_better for one in compared])
    return [_judge_comparison(one, p, q, len(compared)) for one, p, q in zip(compared, worse, better, strict=True)]


def _judge_comparison(one: _Compared, p_worse: float, p_better: float, tests: int) -> Judgement:
    gate, found = one.gate, one.comparison
    outcome: Outcome = "pass"
    matters = abs(found.after - found.before) >= gate.minimal_change.get(one.series.unit, 0.0)
    if matters and p_worse <= gate.alpha and found.worse >= gate.minimal_effect:
        outcome = "regression"
    elif matters and p_better <= gate.alpha and -found.worse >= gate.minimal_effect:
        outcome = "improvement"
    needed = None
    told = f"{_number(found.before)} -> {_number(found.after)} {one.series.unit}, {_share(found.worse)}"
    told += f" (p {_chance(min(p_worse, p_better))}, noise {found.noise:.1%})" if found.logarithmic else ""
    if found.logarithmic and outcome == "pass":
        own = sum(found.runs) - 2
        sensitivity = Sensitivity(found.noise, max(0.0, found.degrees - own), gate.alpha, tests)
        if sensitivity.detectable(*found.runs) > gate.find:
            needed = sensitivity.needed(gate.find, *found.runs)
            told += f"; finding {gate.find:.0%} takes " + (
                f"{needed[1]} runs against {needed[0]}, have {found.runs[1]} against {found.runs[0]}"
                if needed
                else "more runs than are sensible at this noise"
            )
    return Judgement(
        one.series,
        _told(one.baseline),
        outcome,
        told,
        value=found.after,
        reference=found.before,
        worse=found.worse,
        p=min(p_worse, p_better),
        needed=needed,
    )


def _judge_limits(gate: AbsoluteGate, series: Series, value: float) -> Judgement:
    told, broken, reference = [], "", None
    if gate.at_most is not None:
        told.append(f"at most {_number(gate.at_most)} {series.unit}")
        if value > gate.at_most:
            broken, reference = told[-1], gate.at_most
    if gate.at_least is not None:
        told.append(f"at least {_number(gate.at_least)} {series.unit}")
        if value < gate.at_least:
            broken, reference = told[-1], gate.at_least
    what = f"{gate.statistic} is {_number(value)} {series.unit}"
    return Judgement(
        series,
        " and ".join(told),
        "regression" if broken else "pass",
        f"{what}, must be {broken}" if broken else what,
        value=value,
        reference=reference,
    )


def _judge_band(gate: BandGate, series: Series, value: float, run: StoredRun) -> Judgement:
    band: Band | None = gate.bands.get(run.fingerprint_key) or gate.bands.get(ANY_HARDWARE)
    if band is None:
        cause = f"no band for hardware {run.fingerprint_key} ({run.fingerprint})"
        return Judgement(series, "band", "insufficient history", cause, value=value)
    told = f"{_number(band.lower)} to {_number(band.upper)} {series.unit}"
    outcome: Outcome = "pass"
    if not band.lower <= value <= band.upper:
        outcome = "regression" if (value > band.upper) == (series.direction == "lower") else "improvement"
    sign = 1 if series.direction == "lower" else -1
    worse = sign * (value - band.reference) / abs(band.reference) if band.reference else None
    cause = f"{gate.statistic} is {_number(value)} {series.unit}, " + ("within" if outcome == "pass" else "outside")
    return Judgement(
        series, f"band {told}", outcome, f"{cause} {told}", value=value, reference=band.reference, worse=worse
    )


def _told(baseline: Baseline) -> str:
    return f"no worse than {baseline.told}"


def _chance(p: float) -> str:
    return f"{p:.2g}" if p >= _LEAST_P else f"< {_LEAST_P:g}"


def _number(value: float) -> str:
    return f"{value:.4g}"


def _share(worse: float) -> str:
    return f"{abs(worse):.1%} {'worse' if worse > 0 else 'better'}" if worse else "the same"


def statistic_of(gates: Sequence[Gate], series: Series) -> Statistic:
    """Return the number that the first gate of a series judges; the median where there is none."""
    return next((g.statistic for g in gates if fnmatch.fnmatchcase(series.name, g.metric)), "median")
