"""A run that makes a platform in order to prove its suites: every check must be able to fail."""

from __future__ import annotations

import datetime as dt
import os
import time
from typing import TYPE_CHECKING

from proving_ground.contracts.gates import GATES_FILE, RelativeGate, gates_json
from proving_ground.contracts.results import FaultResult
from proving_ground.contracts.stages import Stage
from proving_ground.errors import ExitCode
from proving_ground.files import write_atomically
from proving_ground.pipeline.orchestrator import StageRun
from proving_ground.pipeline.phases import PhaseOutcome
from proving_ground.pipeline.project import Project
from proving_ground.pipeline.verdict import Cause, verdict_of
from proving_ground.prove import telling
from proving_ground.prove.passes import Place
from proving_ground.prove.session import prove, select

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from proving_ground.contracts.gates import Gate
    from proving_ground.contracts.platform import Platform
    from proving_ground.contracts.results import Verdict
    from proving_ground.pipeline.options import RunOptions
    from proving_ground.pipeline.phases import PhaseStatus
    from proving_ground.prove.proof import SuiteProof
    from proving_ground.report.merge import Merged

STAGE = "prove"
PASSES_FOR_EACH_CPU = 5


def limits(stages: Iterable[Stage]) -> list[Gate]:
    """Return the gates of stages that need no history, each once: they must be able to fail, too."""
    found: list[Gate] = []
    for stage in stages:
        found += [gate for gate in stage.gates if not isinstance(gate, RelativeGate) and gate not in found]
    return found


class ProveRun(StageRun):
    """A run whose judgement is that of its suites.

    Args:
        options: What was asked.
        fault: Only this fault.
        jobs: Passes at once; five for each CPU if absent.
    """

    def __init__(self, options: RunOptions, *, fault: str | None, jobs: int | None) -> None:
        project = Project.find()
        gates = limits(project.stages().values())
        stage = Stage(description="every check must be able to fail", budget="30m", gates=gates)
        super().__init__(project, stage, options)
        self._fault = fault
        self._jobs = jobs or PASSES_FOR_EACH_CPU * (os.cpu_count() or 1)
        self._proofs: Sequence[SuiteProof] = ()

    def judge(self, platform: Platform, platform_file: Path) -> None:
        """Run each suite under each of its faults."""
        place = Place(
            run_id=self.options.run_id,
            root=self.project.root,
            platform_file=platform_file,
            state_dir=self.state.directory,
            values_files=(self.options.values,) if self.options.values else (),
        )
        suites = select(self.project.suites(), platform, self.options.only)
        write_atomically(self.state.directory / GATES_FILE, gates_json(self.stage.gates), mode=0o600)
        begun, begin = dt.datetime.now(dt.UTC), time.monotonic()
        try:
            self._proofs, seconds = prove(
                suites, place, jobs=self._jobs, fault=self._fault, should_stop=lambda: self.stopping.reason is not None
            )
        except KeyboardInterrupt:
            interrupted = self.stopping.reason != "budget"
            code = ExitCode.INTERRUPTED if interrupted else ExitCode.INFRASTRUCTURE
            line = "interrupted in prove" if interrupted else "the time budget ran out in prove"
            self.blame(Cause(code, line))
            status: PhaseStatus = "interrupted" if interrupted else "timed_out"
            self.phase_ended(PhaseOutcome("prove", status, time.monotonic() - begin, line), begun)
            return
        telling.write(self._proofs, seconds, self.artifacts)
        self.progress.line(telling.text(self._proofs, seconds))
        self.phase_ended(PhaseOutcome("prove", "passed", seconds), begun)

    def faults(self) -> list[FaultResult]:
        """Return what each fault did to the checks of each suite."""
        described = {found.definition.name: found.definition.faults for found in self.project.suites()}
        return [
            FaultResult(
                suite=proof.suite,
                fault=verdict.fault,
                description=described[proof.suite][verdict.fault].description,
                killed=list(verdict.killed),
                blocked=list(verdict.blocked),
                problems=list(verdict.problems),
            )
            for proof in self._proofs
            for verdict in proof.verdicts
        ]

    def verdict(self, merged: Merged) -> Verdict:
        """Return the verdict: the first problem, or how much was proved."""
        if self.cause is not None or not self._proofs:
            return super().verdict(merged)
        problems = telling.problems(self._proofs)
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            return verdict_of(Cause(telling.exit_code(self._proofs), f"{problems[0]}{more}", "prove.md"))
        if self.after is not None:
            return verdict_of(self.after)
        faults = sum(len(proof.verdicts) for proof in self._proofs)
        checks = sum(proof.checks for proof in self._proofs)
        return verdict_of(
            Cause(ExitCode.PASSED, f"{faults} faults were noticed, by each of {checks} checks", "prove.md")
        )
