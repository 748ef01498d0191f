"""results.json: every check's outcome and the verdict. Its core is the schema of the hybrid inference strategy.

``summary`` and ``tests`` have the fields that its consumers know (name, status, duration, error,
metrics); everything else stands beside them.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field

from proving_ground.contracts.base import Contract
from proving_ground.contracts.events import Attachment, Outcome, Plot

VerdictOutcome = Literal["passed", "failed", "infrastructure", "configuration", "interrupted"]


class Summary(Contract):
    """Counts of the run; total = passed + failed + errors + skipped."""

    total: int = 0
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    not_selected: int = 0
    duration_seconds: float = 0.0


class Test(Contract):
    """One declared check, ended as exactly one outcome."""

    __test__ = False

    name: str = Field(description="Check id without its suite.")
    status: Outcome
    duration: float = Field(ge=0, description="Seconds.")
    error: str | None = Field(default=None, description="First line of the failure or error.")
    metrics: dict[str, float] = {}
    id: str = Field(description="Check id: <suite>/<name>.")
    suite: str
    nodeid: str = ""
    started: dt.datetime | None = None
    detail: str = Field(default="", description="The whole failure text.")
    reason: str = Field(default="", description="Why it was skipped.")
    reason_code: str = ""
    infrastructure: bool = False
    marks: list[str] = []
    description: str = ""
    parameters: dict[str, object] = {}
    properties: dict[str, str] = {}
    attachments: list[Attachment] = []
    plots: list[Plot] = []
    attempts: int = 1


class Unselected(Contract):
    """A check that exists and was not selected."""

    id: str
    suite: str
    reason: str
    detail: str = ""


class PhaseResult(Contract):
    """One phase of the run."""

    name: str
    status: Literal["passed", "failed", "skipped", "interrupted", "timed_out"]
    started: dt.datetime
    duration: float
    error: str | None = None


class SuiteResult(Contract):
    """One suite of the run."""

    name: str
    description: str = ""
    summary: Summary
    problem: str = Field(default="", description="Why it could not be judged; empty if it could.")


class FaultResult(Contract):
    """What one fault did to the checks of a suite, in a run that proves them."""

    suite: str
    fault: str
    description: str = ""
    killed: list[str] = Field(default=[], description="Ids of the checks that failed under it.")
    blocked: list[str] = Field(default=[], description="Ids of checks that it may keep from being judged, and did.")
    problems: list[str] = Field(default=[], description="Differences from suite.yml; none: as declared.")


class Verdict(Contract):
    """The first cause decides."""

    exit_code: Literal[0, 1, 2, 3, 130]
    outcome: VerdictOutcome
    cause: str = Field(description="One line: what decided.")
    look_at: str = Field(default="", description="Where to look: a path relative to the artifacts directory.")


class LoadTest(Contract):
    """Measurements of a load test, in the seed's field names."""

    requests_per_second: float
    p50_latency_ms: float
    p95_latency_ms: float
    p99_latency_ms: float | None = None
    error_rate: float


class Results(Contract):
    """The whole of results.json."""

    schema_version: Literal[1] = 1
    run_id: str
    stage: str
    inventory: str
    started: dt.datetime
    ended: dt.datetime
    verdict: Verdict
    summary: Summary
    tests: list[Test] = []
    load_test: LoadTest | None = None
    suites: list[SuiteResult] = []
    not_selected: list[Unselected] = []
    suites_left_out: dict[str, str] = Field(default={}, description="Name of a suite that did not run -> why.")
    notes: dict[str, str] = Field(
        default={}, description="Name of a system -> what has to be known of it to read these results."
    )
    phases: list[PhaseResult] = []
    faults: list[FaultResult] = Field(default=[], description="Of a run that proves its suites.")
