"""Running suites against one server, without a run: one pytest process after the other."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from proving_ground.contracts.platform import Capabilities, Clock, Cluster, Endpoint, Platform, System
from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.pipeline.options import new_run_id
from proving_ground.report.merge import SuiteLog, merge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from proving_ground.pipeline.project import FoundSuite
    from proving_ground.report.merge import Merged

SYSTEM = "inference"
FAMILY = "inference"
SUITES = ("smoke", "integration", "contract", "load")
STAGES = ("pre_merge", "nightly", "weekly")
_PATIENCE = 60.0
"""Seconds that an interrupted suite has for its clean-up."""
_TAIL = 4000
_USAGE_ERROR = 4
NOTHING_SELECTED = 5
"""What pytest ends with where no check is to run."""


@dataclass(frozen=True)
class Asked:
    """What to run.

    Attributes:
        root: The project.
        suites: Its suites.
        platform: platform.json.
        work: A private folder for files of this call.
        artifacts: Where checks leave files.
        stage: Stage whose checks run, with those of the stages before it; absent: as `marks_of` has it.
        expression: Only checks that match it (pytest's ``-k``); empty: all.
        allowed_skips: Reason codes of skips that are not errors.
        ended: Told of each suite that ended: its name and pytest's status.
    """

    root: Path
    suites: Sequence[FoundSuite]
    platform: Path
    work: Path
    artifacts: Path
    stage: str | None = None
    expression: str = ""
    allowed_skips: Sequence[str] = ()
    ended: Callable[[str, int], None] | None = None


@dataclass
class Came:
    """What came of it.

    Attributes:
        merged: Every check with its outcome.
        interrupted: Whether it ended before its time.
        printed: What pytest ended with and the end of what it printed, of suites that could not be judged.
        configuration: Whether a suite could not be judged for how it was called.
    """

    merged: Merged
    interrupted: bool = False
    printed: dict[str, tuple[int, str]] = field(default_factory=dict)
    configuration: bool = False


def platform_of(
    url: str,
    *,
    parameters: Mapping[str, object],
    auth: str | None = None,
    ca: str | None = None,
    kubeconfig: str | None = None,
) -> Platform:
    """Return a platform that consists of one inference server.

    Args:
        url: Base URL, without ``/v1``.
        parameters: What is known of the system, and what its suites are told.
        auth: Absolute path of a file with a bearer token.
        ca: Absolute path of a file with certificates.
        kubeconfig: Absolute path of that of the cluster that load comes from; absent: it is made here.
    """
    capabilities = ["inference"]
    return Platform(
        run_id=new_run_id(),
        inventory="url",
        clusters={"default": Cluster(kubeconfig=kubeconfig)} if kubeconfig else {},
        endpoints={SYSTEM: Endpoint(url=url, auth=auth, ca=ca)},
        systems={SYSTEM: System(implementation="existing", parameters=dict(parameters))},
        capabilities=Capabilities(promised=capabilities, present=capabilities),
        clock=Clock(started=dt.datetime.now(dt.UTC)),
    )


def chosen(found: Sequence[FoundSuite], name: str) -> list[FoundSuite]:
    """Return the suites that a name stands for, in their order.

    Raises:
        ConfigurationError: The project has not all of them.
    """
    names = SUITES if name == "all" else (name,)
    known = {suite.definition.name: suite for suite in found if suite.directory.parent.name == FAMILY}
    missing = [name for name in names if name not in known]
    if missing:
        raise ConfigurationError(f"there is no suite {missing[0]!r}", where=f"tests/suites/{FAMILY}")
    return [known[name] for name in names]


def marks_of(suite: str, stage: str | None) -> str:
    """Return the mark expression of a suite: by default all that a night has time for, of load one steady load."""
    last = stage or ("pre_merge" if suite == "load" else "nightly")
    return " or ".join(STAGES[: STAGES.index(last) + 1])


def command(asked: Asked, suite: FoundSuite) -> list[str]:
    """Return the pytest command of a suite."""
    words = [
        sys.executable,
        "-m",
        "pytest",
        str(suite.directory),
        f"--rootdir={asked.root}",
        f"--platform={asked.platform}",
        f"--events={_events(asked, suite)}",
        f"--state-dir={asked.work}",
        f"--artifacts-dir={asked.artifacts}",
        f"--parallel={suite.definition.parallel}",
        "-p",
        "no:cacheprovider",
        "-m",
        marks_of(suite.definition.name, asked.stage),
        "-q",
    ]
    words += [f"--allow-skip={code}" for code in asked.allowed_skips]
    return [*words, "-k", asked.expression] if asked.expression else words


def _events(asked: Asked, suite: FoundSuite) -> Path:
    return asked.work / f"{suite.definition.name}.events.jsonl"


def run(asked: Asked) -> Came:
    """Run the suites one after the other.

    Interrupted, the one under way cleans up, and the others do not run.

    Raises:
        InfrastructureError: pytest cannot be started.
    """
    interrupted = configuration = False
    logs, printed = [], {}
    for suite in asked.suites:
        name = suite.definition.name
        log = asked.work / f"{name}.log"
        status, interrupted = _call(command(asked, suite), asked.root, log)
        tail = log.read_text(encoding="utf-8", errors="replace")[-_TAIL:]
        logs.append(SuiteLog(name, suite.definition.description, _events(asked, suite), tail))
        if status not in {0, 1}:
            printed[name] = status, tail
        configuration = configuration or status == _USAGE_ERROR
        if asked.ended is not None:
            asked.ended(name, status)
        if interrupted:
            break
    came = Came(merge(logs), interrupted, printed, configuration)
    return _without_unmatched(came) if asked.expression else came


def _without_unmatched(came: Came) -> Came:
    """Leave out the suites in which no check has a wanted name, as long as one suite has, as a run does."""
    unmatched = {name for name, (status, _) in came.printed.items() if status == NOTHING_SELECTED}
    if len(unmatched) == len(came.merged.suites):
        return came
    kept = [suite for suite in came.merged.suites if suite.name not in unmatched]
    printed = {name: told for name, told in came.printed.items() if name not in unmatched}
    return replace(came, merged=replace(came.merged, suites=kept), printed=printed)


def _call(words: list[str], root: Path, log: Path) -> tuple[int, bool]:
    """Return pytest's status, and whether it was interrupted."""
    with log.open("wb") as stream:
        try:
            process = subprocess.Popen(
                words,
                cwd=root,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
                # Ctrl-C goes to this process, which tells it once.
                start_new_session=True,
            )
        except OSError as error:
            raise InfrastructureError(f"{words[0]} cannot be started: {error.strerror}") from error
        try:
            return process.wait(), False
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            try:
                return process.wait(_PATIENCE), True
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                process.kill()
                return process.wait(), True
