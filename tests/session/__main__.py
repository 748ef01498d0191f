"""Test the project, side by side: what the sessions tests, lint and molecule run.

    python tests/session [--jobs N] [PART | JOB ...] [-- OPTIONS OF PYTEST]

A part is lint, unit, integration, molecule, pre_merge or lab; a job is one of a part, as integration:aim or
molecule:dynamo. Nothing named is every part. The last line counts what passed and failed.
"""

from __future__ import annotations

import os
import sys
import time

import parts
from jobs import Job, side_by_side
from programs import Programs
from tallies import Tally

CONFIGURATION = 3
INTERRUPTED = 130
MOST_JOBS = 8
"""More at once gain nothing: the longest ones take as long as all others."""


def main(arguments: list[str]) -> int:
    """Run what the arguments name, and return the exit code: of what failed, that of the job that began first."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    try:
        width, words = _width(arguments[:at])
        jobs = parts.chosen(words, arguments[at + 1 :])
    except ValueError as error:
        print(f"tests: {error}", file=sys.stderr)
        return CONFIGURATION
    wanted = [job for job in jobs if job.part != parts.PROGRAMS]
    with Programs(parts.ROOT) as programs:
        # Of one alone everybody wants to see how it goes.
        logs = parts.ROOT / ".nox/tests" if len(wanted) > 1 else None
        if logs:
            say(f"{len(jobs)} jobs, {width} at a time; what each prints is in {logs.relative_to(parts.ROOT)}/")
        tallies = side_by_side(jobs, width, programs, logs=logs, say=say)
    sys.stderr.flush()
    conclude(jobs, tallies)
    if programs.interrupted:
        return INTERRUPTED
    if not any(tally.code or any(tally.counts) for tally in tallies.values()):
        print(f"tests: no test was selected by {' '.join(arguments[at + 1 :])}", file=sys.stderr)
        return CONFIGURATION
    return next((tallies[job.name].code for job in jobs if job.name in tallies and tallies[job.name].code), 0)


def _width(words: list[str]) -> tuple[int, list[str]]:
    """Return how many jobs run at once, and the other words."""
    if "--jobs" not in words:
        return min(MOST_JOBS, len(os.sched_getaffinity(0))), words
    at = words.index("--jobs")
    number = words[at + 1] if at + 1 < len(words) else ""
    if not number.isdigit() or not int(number):
        raise ValueError(f"--jobs: expected a number from 1, found {number!r}")
    return int(number), [*words[:at], *words[at + 2 :]]


def say(line: str) -> None:
    """Print a line with the time."""
    print(f"tests {time.strftime('%H:%M:%S')} > {line}", flush=True)


def conclude(jobs: list[Job], tallies: dict[str, Tally]) -> None:
    """Print what failed, and last the counts, where a reader of long output looks first."""
    for job in jobs:
        tally = tallies.get(job.name, Tally())
        if tally.code:
            print("".join([f"failed: {job.name}\n", *(f"  {name}\n" for name in tally.names)]), end="")
    passed, failed, not_run = (
        sum(counts) for counts in zip(Tally().counts, *(tally.counts for tally in tallies.values()), strict=True)
    )
    print(f"{passed} passed, {failed} failed{f', {not_run} not run' if not_run else ''}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
