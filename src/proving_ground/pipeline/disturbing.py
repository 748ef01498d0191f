"""Disturbs the platform of a run, one disturbance at a time: the program behind `proving_ground.disturbance`.

It is a process of its own, because ansible-runner forks, and a process that runs checks may have threads.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fcntl
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proving_ground.errors import ProvingGroundError
from proving_ground.files import write_atomically
from proving_ground.ownership.clean import read_context
from proving_ground.ownership.state import RunState
from proving_ground.pipeline.phases import run_phase
from proving_ground.pipeline.stopping import Stopping

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from proving_ground.pipeline.phases import PhaseContext

PLAYBOOK = "disturb"
VARIABLE = "proving_ground_disturbance"

LIMIT = 180.0
"""Seconds after which a disturbance that is not done, its waiting for others included, is given up."""

_POLL = 0.05


@dataclasses.dataclass(frozen=True)
class Disturbed:
    """How a disturbance ended.

    Attributes:
        cause: Why it did not succeed, one line; empty: it did.
        shared: Whether it was another request's, the same in every word, that began after this one was made.
    """

    cause: str = ""
    shared: bool = False


def disturb_run(asked: dict[str, str], places: Sequence[RunState], *, since: int, stopping: Stopping) -> Disturbed:
    """Run the playbook `disturb` on a run's platform, after those that are under way.

    Args:
        asked: The action and its variables.
        places: State directories that may be those of the run that made the platform; the first that is, counts.
        since: When it was asked for: nanoseconds of the monotonic clock, which all processes share.
        stopping: Asked several times a second whether to stop.
    """
    found = [(state, context) for state in places if (context := read_context(state)) is not None]
    if not found:
        return Disturbed("the run that made the platform is not known here, so that nothing can be disturbed")
    state, context = found[0]
    with _alone(state.directory / "disturb.lock", stopping) as allowed:
        if not allowed:
            return Disturbed(_gave_up(stopping))
        done = state.directory / f"disturbed-{hashlib.sha256(_text(asked).encode()).hexdigest()[:20]}"
        if _began(done) >= since:
            return Disturbed(shared=True)
        return _run(asked, state, context, done, stopping)


def _run(asked: dict[str, str], state: RunState, context: PhaseContext, done: Path, stopping: Stopping) -> Disturbed:
    began = time.monotonic_ns()
    number = len(list((state.directory / "logs").glob(f"{PLAYBOOK}-*.log"))) + 1
    outcome = run_phase(
        PLAYBOOK,
        dataclasses.replace(context, variables=context.variables | {VARIABLE: asked}),
        stopping=stopping,
        log=state.directory / "logs" / f"{PLAYBOOK}-{number:03}.log",
    )
    if outcome.status == "passed":
        write_atomically(done, str(began), mode=0o600)
        return Disturbed()
    return Disturbed(_gave_up(stopping) if outcome.status in {"interrupted", "timed_out"} else outcome.cause)


def _gave_up(stopping: Stopping) -> str:
    return "interrupted" if stopping.interrupted else f"not done after {LIMIT:g} s"


@contextlib.contextmanager
def _alone(path: Path, stopping: Stopping) -> Iterator[bool]:
    """Hold a lock for the time of the block; yield whether it was had before the time to stop."""
    with path.open("a") as stream:
        while stopping.reason is None:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_POLL)
                continue
            yield True
            return
        yield False


def _text(asked: dict[str, str]) -> str:
    return json.dumps(asked, sort_keys=True)


def _began(path: Path) -> int:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return -1


def main(arguments: Sequence[str] | None = None) -> int:
    """Read a request as JSON from standard input, do it, and write how it ended as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-id", required=True)
    parser.add_argument("--state-dir", type=Path, required=True)
    options = parser.parse_args(arguments)
    since = time.monotonic_ns()
    asked: dict[str, Any] = json.load(sys.stdin)
    stopping = Stopping(LIMIT)
    with stopping.signals():
        try:
            # A kept platform may be judged by a later run, which has a state directory of its own.
            places = [RunState(options.run_id, options.state_dir), RunState.of(options.run_id)]
            ended = disturb_run(asked, places, since=since, stopping=stopping)
        except (ProvingGroundError, OSError) as error:
            ended = Disturbed(str(error))
    sys.stdout.write(json.dumps(dataclasses.asdict(ended)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
