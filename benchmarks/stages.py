"""How long a stage takes on sim, phase by phase, beside its goal.

Each stage is run as a user runs it, with binaries and environment in place (run it once before), and
the seconds are read from results.json. Prints a table, and JSON with --json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
GOALS = {
    "create + provision": 10.0,
    "pre_merge": 60.0,
    "nightly": 120.0,
}


def run_stage(stage: str, artifacts: Path) -> dict[str, Any]:
    """Run a stage; return its results.json.

    Raises:
        SystemExit: The stage did not pass, so its time says nothing.
    """
    before = set(artifacts.iterdir())
    done = subprocess.run(
        [sys.executable, "-m", "proving_ground", "run", stage, "--artifacts", str(artifacts)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"{stage} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr}")
    (made,) = set(artifacts.iterdir()) - before
    return json.loads((made / "results.json").read_text())  # type: ignore[no-any-return]


def measure(rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every round for each goal and each phase."""
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for stage in ("pre_merge", "nightly"):
                results = run_stage(stage, Path(folder))
                phases = {phase["name"]: phase["duration"] for phase in results["phases"]}
                seconds.setdefault(stage, []).append(results["summary"]["duration_seconds"])
                both = phases["create"] + phases["provision"]
                seconds.setdefault("create + provision", []).append(both)
                for name, duration in phases.items():
                    seconds.setdefault(f"{stage}: {name}", []).append(duration)
    return seconds


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    arguments = parser.parse_args()
    measured = measure(arguments.rounds)
    rows = [
        {"what": what, "goal_s": GOALS.get(what), "median_s": statistics.median(values), "max_s": max(values)}
        for what, values in measured.items()
    ]
    print(f"{'what':<32}{'goal s':>8}{'median s':>10}{'max s':>8}")
    for row in rows:
        goal = "" if row["goal_s"] is None else f"{row['goal_s']:.0f}"
        print(f"{row['what']:<32}{goal:>8}{row['median_s']:>10.1f}{row['max_s']:>8.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"benchmark": "stages", "rounds": arguments.rounds, "rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
