"""Figures of a run, read from the event log that the plugin writes."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def read(file: Path) -> dict[str, Any]:
    """Return outcomes, and seconds to the last verdict and from there to the end of the last clean-up."""
    events = [json.loads(line) for line in file.read_text().splitlines()]
    started = {e["check"]: dt.datetime.fromisoformat(e["time"]) for e in events if e["event"] == "started"}
    ended = {e["check"]: e for e in events if e["event"] == "ended"}
    if not ended:
        raise SystemExit("no test was run")
    first = min(started.values())
    verdicts = [
        (started[c] - first).total_seconds() + e["metrics"].get("seconds_to_verdict", 0) for c, e in ended.items()
    ]
    last = max((dt.datetime.fromisoformat(e["time"]) - first).total_seconds() for e in ended.values())
    cleanups = sorted(e["metrics"].get("cleanup_seconds", 0.0) for e in ended.values())
    outcomes = [e["outcome"] for e in ended.values()]
    return {
        "outcomes": {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))},
        "first_failure": next((e["detail"] for e in ended.values() if e["outcome"] != "passed"), ""),
        "to_last_verdict": max(verdicts),
        "cleanup_after_verdict": last - max(verdicts),
        "median_cleanup": cleanups[len(cleanups) // 2],
        "slowest_cleanup": cleanups[-1],
        "slowest_verdict": max(e["metrics"].get("seconds_to_verdict", 0) for e in ended.values()),
    }
