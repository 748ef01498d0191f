"""How often gates of the history are right, on synthetic runs whose truth is known, beside a threshold and Otava.

A run has 40 metrics; ten runs of a baseline, three of a candidate. False alarms are counted of runs (any metric of
40), on runs without change. Regressions make one metric of 40, five of them (one scenario), or all worse by 10 %.
Noise from run to run is multiplicative: independent for each metric, half of it shared by all metrics of a run, or
skewed. The best that any test can do for one metric alone at the same rate of false alarms, were the noise known
beforehand, is told beside it. Change points are looked for in series of 60 nights with one change, or none.

    python benchmarks/history.py [--trials 1000] [--no-otava] [--json FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING, Any

from proving_ground.contracts.gates import RelativeGate, Samples
from proving_ground.history.changepoints import change_points
from proving_ground.history.comparison import Sample, compare, holm
from proving_ground.history.gating import judge
from proving_ground.history.power import Sensitivity
from proving_ground.history.records import Fingerprint, Measurement, Record
from proving_ground.history.store import Store
from proving_ground.ownership.state import cache_home

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

METRICS, BASELINE, CANDIDATE = 40, 10, 3
ALPHA, MINIMAL, CHANGE = 0.01, 0.05, 0.10
NOISES = (0.01, 0.03, 0.05, 0.10)
GOAL_ALARMS, GOAL_FOUND, GOAL_SECONDS = 0.01, 0.95, 1.0
OTAVA = "apache-otava==0.8.0"
NIGHTS, CHANGED_AT, NEAR = 60, 40, 2

Run = list[float]
"""A number for each metric."""

OTAVA_PROGRAM = """
import json, sys
from otava.analysis import compute_change_points
answers = []
for values in json.load(sys.stdin):
    points, _ = compute_change_points(values, window_len=50, max_pvalue=0.001, min_magnitude=0.05)
    answers.append([[int(p.index), float(p.stats.forward_rel_change())] for p in points])
json.dump(answers, sys.stdout)
"""


def skewed(chance: random.Random) -> float:
    """Noise with mean 0, variance 1 and skewness 1.4: bad luck goes farther than good luck."""
    return (chance.gammavariate(2, 1) - 2) / math.sqrt(2)


def runs(chance: random.Random, noise: float, kind: str, worse: int) -> tuple[list[Run], list[Run]]:
    """Return baseline and candidate runs, the first metrics of the candidate worse by `CHANGE`."""
    own: Callable[[], float] = (lambda: skewed(chance)) if kind == "skewed" else (lambda: chance.gauss(0, 1))
    shared = 0.5 if kind == "shared" else 0.0

    def one(factor: float) -> Run:
        day = chance.gauss(0, 1) * math.sqrt(shared)
        return [
            100 * math.exp(noise * (day + math.sqrt(1 - shared) * own())) * (factor if number < worse else 1)
            for number in range(METRICS)
        ]

    return [one(1.0) for _ in range(BASELINE)], [one(1 + CHANGE) for _ in range(CANDIDATE)]


def by_gate(baseline: Sequence[Run], candidate: Sequence[Run]) -> list[bool]:
    """Return which metrics the relative gate calls a regression."""
    columns = zip(zip(*baseline, strict=True), zip(*candidate, strict=True), strict=True)
    found = compare([Sample("lower", before, after) for before, after in columns])
    adjusted = holm([one.p_worse if one else 1.0 for one in found])
    return [one is not None and p <= ALPHA and one.worse >= MINIMAL for one, p in zip(found, adjusted, strict=True)]


def by_threshold(limit: float) -> Callable[[Sequence[Run], Sequence[Run]], list[bool]]:
    """Return a rule that calls a metric a regression where its mean is worse by more than a share."""

    def rule(baseline: Sequence[Run], candidate: Sequence[Run]) -> list[bool]:
        columns = zip(zip(*baseline, strict=True), zip(*candidate, strict=True), strict=True)
        return [fmean(after) / fmean(before) - 1 > limit for before, after in columns]

    return rule


def rates(rule: Callable[[Sequence[Run], Sequence[Run]], list[bool]], noise: float, kind: str, trials: int) -> Any:
    """Return shares: runs with a false alarm; regressions of one, five, all metrics found; of each metric's own."""
    chance = random.Random(f"{noise}{kind}")  # noqa: S311 - the same runs for every rule
    alarms = sum(any(rule(*runs(chance, noise, kind, 0))) for _ in range(trials)) / trials
    found = {}
    for worse in (1, 5, METRICS):
        few = max(200, trials // 4)
        found[worse] = sum(any(rule(*runs(chance, noise, kind, worse))[:worse]) for _ in range(few)) / few
    return {"alarms": alarms, "found": found}


def best_possible(noise: float) -> float:
    """Return how often the best test finds `CHANGE` in one metric of 40 alone, were the noise known beforehand."""
    normal = NormalDist()
    limit = -normal.inv_cdf(1 - (1 - ALPHA) ** (1 / METRICS))
    return normal.cdf(math.log1p(CHANGE) / (noise * math.sqrt(1 / BASELINE + 1 / CANDIDATE)) - limit)


def runs_needed(noise: float) -> tuple[int, int] | None:
    """Return the runs of baseline and candidate with which the gate says that it finds `CHANGE` in one metric."""
    return Sensitivity(noise, 1e6, ALPHA, METRICS).needed(CHANGE, BASELINE, CANDIDATE)


def otava() -> str | None:
    """Return the Python of an environment with Apache Otava, made when first needed; None: it cannot be."""
    home = cache_home() / "environments" / OTAVA.replace("==", "-")
    python = home / "bin" / "python"
    if python.is_file():
        return str(python)
    uv = Path(sys.executable).with_name("uv")
    program = str(uv) if uv.is_file() else shutil.which("uv")
    if program is None:
        return None
    print(f"making an environment with {OTAVA}, once", flush=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    try:
        for command in (
            [program, "venv", "--quiet", "--no-project", "--python", sys.executable, str(home)],
            [program, "pip", "install", "--quiet", "--python", str(python), OTAVA],
        ):
            subprocess.run(command, check=True, capture_output=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(home, ignore_errors=True)
        print(f"no Otava: {error}", flush=True)
        return None
    return str(python)


def asked_of_otava(python: str, series: Sequence[Sequence[float]]) -> list[list[list[float]]]:
    """Return Otava's change points of each series: index and change as a share."""
    done = subprocess.run(
        [python, "-c", OTAVA_PROGRAM], input=json.dumps(series), capture_output=True, text=True, check=True
    )
    answers: list[list[list[float]]] = json.loads(done.stdout)
    return answers


def otava_rates(python: str, noise: float, kind: str, trials: int) -> Any:
    """Return the same shares as `rates`: a change for the worse at the first candidate run is a regression."""
    chance = random.Random(f"{noise}{kind}")  # noqa: S311 - as there

    def share(worse: int) -> float:
        series = []
        for _ in range(trials):
            before, after = runs(chance, noise, kind, worse)
            series += [list(column) for column in zip(*before, *after, strict=True)]
        answers = asked_of_otava(python, series)
        counted = worse or METRICS
        alarmed = 0
        for start in range(0, len(answers), METRICS):
            of_run = answers[start : start + counted]
            # On runs without change any point is one too many.
            alarmed += any(
                change > 0 and (not worse or abs(index - BASELINE) <= 1)
                for points in of_run
                for index, change in points
            )
        return alarmed / trials

    return {"alarms": share(0), "found": {worse: share(worse) for worse in (1, 5, METRICS)}}


def nights(chance: random.Random, noise: float, change: float) -> list[float]:
    """Return a series of nights whose level rises at `CHANGED_AT`."""
    return [
        100 * math.exp(noise * chance.gauss(0, 1)) * (1 + change if night >= CHANGED_AT else 1)
        for night in range(NIGHTS)
    ]


def change_point_rates(
    look: Callable[[Sequence[Sequence[float]]], list[list[int]]], noise: float, trials: int
) -> dict[str, float]:
    """Return shares of series: the change found within `NEAR` nights; a point where there is none."""
    chance = random.Random(f"nights{noise}")  # noqa: S311 - as above
    changed = look([nights(chance, noise, CHANGE) for _ in range(trials)])
    steady = look([nights(chance, noise, 0.0) for _ in range(trials)])
    return {
        "found": sum(any(abs(index - CHANGED_AT) <= NEAR for index in points) for points in changed) / trials,
        "extra": sum(any(abs(index - CHANGED_AT) > NEAR for index in points) for points in changed) / trials,
        "false": sum(bool(points) for points in steady) / trials,
    }


def gate_seconds(count: int) -> dict[str, float]:
    """Return how long a gate over 40 metrics takes with so many runs in the history."""
    chance = random.Random(0)  # noqa: S311 - no secret
    hardware = Fingerprint("synthetic", 8, 64)
    begin = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    def record(number: int) -> Record:
        return Record(
            run_id=f"run-{number}",
            time=begin + dt.timedelta(minutes=number),
            commit="",
            system="inference",
            system_version="1",
            fingerprint=hardware,
            configuration_hash="synthetic",
            measurements=tuple(
                Measurement("load", "chat", f"m{n}_ms", "ms", "lower", (100 * math.exp(chance.gauss(0, 0.03)),))
                for n in range(METRICS)
            ),
        )

    gate = RelativeGate(kind="relative", metric="load/*/*", samples=Samples(baseline=10, candidate=3))
    with tempfile.TemporaryDirectory() as folder, Store.open(str(Path(folder) / "history.sqlite")) as store:
        began = time.perf_counter()
        store.add(record(number) for number in range(count))
        written = time.perf_counter() - began
        began = time.perf_counter()
        judge(store, store.runs(limit=1), [gate])
        return {"runs": count, "write_seconds": written, "gate_seconds": time.perf_counter() - began}


def table(title: str, rows: Sequence[tuple[str, Any]]) -> None:
    print(f"\n{title}\n{'':<34}{'false alarms':>13}{'1 metric':>10}{'5 metrics':>11}{'all 40':>8}")
    for name, row in rows:
        found = row["found"]
        cells = [f"{found[worse]:.1%}" if worse in found else "" for worse in (1, 5, METRICS)]
        print(f"{name:<34}{row['alarms']:>13.2%}{cells[0]:>10}{cells[1]:>11}{cells[2]:>8}")


def main() -> int:
    """Measure and print; ends with 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000, help="runs without change for each rate (default: 1000)")
    parser.add_argument("--no-otava", action="store_true", help="do not compare with Apache Otava")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    python = None if options.no_otava else otava()
    load = os.getloadavg()[0]
    figures: dict[str, Any] = {"benchmark": "history", "time": dt.datetime.now(dt.UTC).isoformat(), "load": load}
    print(f"{BASELINE} baseline runs, {CANDIDATE} candidate runs, {METRICS} metrics, regression of {CHANGE:.0%}")
    print(f"goals at 3 % noise: false alarms at most {GOAL_ALARMS:.0%} of runs, found at least {GOAL_FOUND:.0%}")
    print("found is judged for five metrics of one scenario: in one metric of 40 alone no test can reach that goal")
    gate: dict[str, Any] = {}
    for kind in ("independent", "shared", "skewed"):
        gate[kind] = {noise: rates(by_gate, noise, kind, options.trials) for noise in NOISES}
    for noise in NOISES:
        rows = [(f"gate, {kind} noise", gate[kind][noise]) for kind in gate]
        best = {"alarms": ALPHA, "found": {1: best_possible(noise)}}
        rows.append(("best possible, independent noise", best))
        for limit in (0.05, 0.10):
            figures[f"threshold {limit} {noise}"] = row = rates(by_threshold(limit), noise, "independent", 400)
            rows.append((f"threshold {limit:.0%}, independent", row))
        if python is not None:
            figures[f"otava {noise}"] = row = otava_rates(python, noise, "independent", 100)
            rows.append(("Apache Otava, independent", row))
        needed = runs_needed(noise)
        table(f"noise {noise:.0%}", rows)
        told = f"{needed[1]} candidate runs against {needed[0]}" if needed else "more runs than are sensible"
        print(f"the gate says that finding 10 % in one metric takes {told}")
    lookers: dict[str, Callable[[Sequence[Sequence[float]]], list[list[int]]]] = {
        "change points": lambda series: [[p.index for p in change_points(values)] for values in series]
    }
    if python is not None:
        lookers["Apache Otava"] = lambda series: [[int(p[0]) for p in a] for a in asked_of_otava(str(python), series)]
    print(f"\n{NIGHTS} nights, level +10 % from night {CHANGED_AT}; found within {NEAR} nights, points elsewhere, and")
    print("points in series without change")
    for noise in NOISES:
        for name, look in lookers.items():
            row = change_point_rates(look, noise, 200)
            figures[f"{name} {noise}"] = row
            print(f"{name:<16} noise {noise:>4.0%}: {row['found']:>7.1%}{row['extra']:>7.1%}{row['false']:>7.1%}")
    speed = gate_seconds(10_000)
    print(f"\ngate over {speed['runs']:.0f} runs: {speed['gate_seconds']:.3f} s (goal: below {GOAL_SECONDS:g} s)")
    figures |= {"gate": gate, "speed": speed}
    if options.json:
        with contextlib.suppress(OSError):
            options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
    at_three = [gate[kind][0.03] for kind in gate]
    missed = [f"false alarms {row['alarms']:.2%}" for row in at_three if row["alarms"] > GOAL_ALARMS + slack(options)]
    missed += [f"found {row['found'][5]:.1%}" for row in at_three if row["found"][5] < GOAL_FOUND]
    missed += [f"gate took {speed['gate_seconds']:.2f} s"] if speed["gate_seconds"] >= GOAL_SECONDS else []
    print(f"missed: {', '.join(missed)}" if missed else "all goals are met")
    return 1 if missed else 0


def slack(options: argparse.Namespace) -> float:
    """Return two standard errors of a rate of 1 % in so many trials."""
    return 2 * math.sqrt(GOAL_ALARMS * (1 - GOAL_ALARMS) / options.trials)


if __name__ == "__main__":
    sys.exit(main())
