"""Measure how long the suites of the autoscaler take on a platform that is there, beside their goals and their peer.

Each is run as a user runs it, by `proving-ground autoscaling SUITE quick`, clean-up included. The peer is the set of
shell scripts that the upstream project of the autoscaler has for the same purpose; their times are those that its
documentation gives for a cluster that is there, without clean-up.

    python benchmarks/suites.py --platform FILE [--json FILE]
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
GOALS = {"scaling": (45.0, 180.0), "learning": (30.0, 120.0), "accuracy": (60.0, 480.0)}
"""Suite -> seconds that it may take, seconds that the peer takes."""


def run_suite(suite: str, platform: Path) -> dict[str, Any]:
    """Run a suite, and return what it took."""
    command = [sys.executable, "-m", "proving_ground", "autoscaling", suite, "quick", "--cleanup"]
    command += ["--platform", str(platform), "--namespace", f"benchmark-{suite}"]
    load, began = os.getloadavg()[0], time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - began
    if done.returncode != 0:
        sys.stderr.write(done.stdout[-3000:] + done.stderr[-1000:])
    return {"suite": suite, "seconds": seconds, "exit_code": done.returncode, "load_before": load}


def main() -> int:
    """Run each suite once, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--platform", type=Path, required=True, help="platform.json of a platform with the autoscaler")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    figures = [run_suite(suite, options.platform) for suite in GOALS]
    print(f"{'suite':<12}{'took':>8}{'goal':>8}{'peer':>8}{'load before':>14}")
    for row in figures:
        goal, peer = GOALS[row["suite"]]
        verdict = "" if row["exit_code"] == 0 else f"  ended with {row['exit_code']}"
        print(
            f"{row['suite']:<12}{row['seconds']:>7.1f}s{goal:>7.0f}s{peer:>7.0f}s{row['load_before']:>14.1f}{verdict}"
        )
    if options.json:
        told = {"benchmark": "suites", "time": dt.datetime.now(dt.UTC).isoformat(), "figures": figures}
        options.json.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n")
    return max(row["exit_code"] for row in figures)


if __name__ == "__main__":
    sys.exit(main())
