"""Takes a run from its options to its exit code."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import shutil
import time
import traceback
from typing import TYPE_CHECKING

import pydantic

from proving_ground import __version__
from proving_ground.contracts.platform import Platform
from proving_ground.contracts.results import PhaseResult, Results, Summary
from proving_ground.errors import ConfigurationError, ExitCode, InfrastructureError, ProvingGroundError
from proving_ground.files import write_atomically
from proving_ground.models.values import check as check_values
from proving_ground.ownership.clean import clean, remove_run, write_context
from proving_ground.ownership.state import RunState, cache_home, new_owner
from proving_ground.pipeline.masking import mask_directory, secrets_of
from proving_ground.pipeline.opening import describe, open_places
from proving_ground.pipeline.phases import PhaseContext, PhaseOutcome, is_inventory, run_phase
from proving_ground.pipeline.pre_commit import run_pre_commit
from proving_ground.pipeline.probing import ClusterWatch
from proving_ground.pipeline.progress import Progress, duration
from proving_ground.pipeline.project import Project
from proving_ground.pipeline.stopping import Stopping
from proving_ground.pipeline.timeline import Timeline
from proving_ground.pipeline.verdict import Cause, decide
from proving_ground.pipeline.verify import SuiteProcess, Verifier, check_names, select_suites
from proving_ground.report.load import load_test_of
from proving_ground.report.merge import Merged, SuiteLog, merge
from proving_ground.report.write import write_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proving_ground.contracts.results import FaultResult, Verdict
    from proving_ground.contracts.stages import Stage
    from proving_ground.pipeline.options import RunOptions

# A run that was kept, or whose machine lost power, may be removed after this.
LIFETIME = dt.timedelta(hours=24)

_PHASES = ("validate", "create", "provision", "deploy")
_STOPPED = {"interrupted": ExitCode.INTERRUPTED, "timed_out": ExitCode.INFRASTRUCTURE}


def execute(options: RunOptions) -> int:
    """Run a stage and return its exit code.

    Raises:
        ConfigurationError: Something asked for does not exist; nothing was made.
        InfrastructureError: There is no place for artifacts or state; nothing was made.
    """
    project = Project.find()
    stage = project.stage(options.stage)
    if stage.runner == "pre-commit":
        return run_pre_commit(project.root)
    return StageRun(project, stage, options).execute()


class StageRun:
    """One run of a stage, with everything that its phases share.

    Args:
        project: Where playbooks and suites are.
        stage: The stage.
        options: What was asked.

    Raises:
        ConfigurationError: The inventory does not exist.
    """

    def __init__(self, project: Project, stage: Stage, options: RunOptions) -> None:
        self.project = project
        self.stage = stage
        self.options = options
        self.inventory = None if options.platform else project.inventory(options.inventory or stage.inventory or "")
        self.artifacts = options.artifacts / options.run_id
        self.state = RunState.of(options.run_id)
        self.progress = Progress()
        self.started = dt.datetime.now(dt.UTC)
        self.stopping = Stopping(options.budget or stage.budget_seconds)
        self.phases: list[PhaseResult] = []
        self.suites: list[SuiteProcess] = []
        self.left_out: dict[str, str] = {}
        self.notes: dict[str, str] = {}
        self.cause: Cause | None = None
        self.after: Cause | None = None
        self.secrets: list[str] = []

    @property
    def _broken(self) -> bool:
        bad = sum(suite.counts.get(outcome, 0) for suite in self.suites for outcome in ("failed", "error"))
        return self.cause is not None or bad > 0

    @property
    def inventory_name(self) -> str:
        """Name of the inventory, for reports."""
        return self.inventory.name if self.inventory else "given platform"

    def execute(self) -> int:
        """Do all phases; whatever happens, report and destroy.

        Raises:
            ConfigurationError: Something asked for does not exist; nothing was made.
            InfrastructureError: There is no place for artifacts or state; nothing was made.
        """
        check_names(self.project.suites(), self.options.only)
        if self.options.values:
            check_values([self.options.values], ())
        with self.stopping.signals():
            self._open()
            with self._blaming():
                self._remove_leftovers()
                self._until_verified()
            with self.stopping.shielded():
                merged = Merged([], [], Summary(), [])
                with self._blaming():
                    self._collect()
                with self._blaming():
                    merged = self._merge()
                self._report(merged)
                self._destroy()
                # Once more, with how destroy went.
                results = self._report(merged)
        self._conclude(results.verdict)
        return results.verdict.exit_code

    @contextlib.contextmanager
    def _blaming(self) -> Iterator[None]:
        """Turn what the block raises into the cause: whatever happens, the run goes on to destroy."""
        try:
            yield
        except ProvingGroundError as error:
            self.blame(Cause(error.exit_code, str(error)))
        except Exception as error:  # noqa: BLE001 - a bug of ours still destroys, and says where it was
            self.blame(Cause(ExitCode.INFRASTRUCTURE, f"internal error: {error!r}", "diagnostics/internal.log"))
            with contextlib.suppress(OSError):
                (self.artifacts / "diagnostics/internal.log").write_text(traceback.format_exc(), encoding="utf-8")

    def _open(self) -> None:
        """Make the two directories, and say what runs."""
        self.owner = new_owner(
            self.options.run_id,
            stage=self.options.stage,
            inventory=self.inventory_name,
            artifacts=self.artifacts,
            lifetime=LIFETIME,
        )
        run = describe(
            self.options,
            self.stage,
            self.inventory_name,
            started=self.started,
            expires=self.owner.expires,
            root=self.project.root,
        )
        open_places(self.artifacts, self.state, self.owner, run)
        self.timeline = Timeline(self.artifacts / "timeline.jsonl", self.started)
        self.progress.line(
            f"proving-ground {__version__}  {self.options.stage} on {self.inventory_name}  run {self.options.run_id}"
        )

    def _remove_leftovers(self) -> None:
        removed = clean()
        for line in removed.removed:
            self.progress.line(f"  removed what run {line} had left")
        for line in removed.problems:
            self.progress.line(f"  a leftover could not be removed: {line}")

    def _until_verified(self) -> None:
        if self.options.platform is None:
            for name in _PHASES:
                if not self._playbook(name):
                    return
            platform_file = self.state.platform_file
        else:
            platform_file = self.options.platform
        platform = self._platform(platform_file)
        self.notes = {name: system.note for name, system in platform.systems.items() if system.note}
        write_atomically(self.artifacts / "platform.json", platform.model_dump_json(indent=2))
        self.judge(platform, platform_file)

    def _context(self) -> PhaseContext:
        generated = self.state.directory / "inventory"
        given = self.inventory.path if self.inventory else generated
        inventories = (given, generated) if is_inventory(generated) and given != generated else (given,)
        variables = (self.options.extra_vars or {}) | {
            "proving_ground_run_id": self.options.run_id,
            "proving_ground_stage": self.options.stage,
            "proving_ground_inventory": self.inventory_name,
            "proving_ground_state_dir": str(self.state.directory),
            "proving_ground_artifacts_dir": str(self.artifacts),
            "proving_ground_cache_dir": str(cache_home()),
            "proving_ground_platform_file": str(self.state.platform_file),
            "proving_ground_progress_file": str(self.state.progress_file),
            "proving_ground_values_file": str(self.options.values or ""),
            "proving_ground_started": self.started.isoformat(),
            "proving_ground_expires": self.owner.expires.isoformat(),
        }
        return PhaseContext(
            root=self.project.root,
            state=self.state.directory,
            run_id=self.options.run_id,
            inventories=inventories,
            variables=variables,
        )

    def _playbook(self, name: str) -> bool:
        """Run one phase; return whether the run goes on."""
        context = self._context()
        write_context(self.state, context)
        begun = dt.datetime.now(dt.UTC)
        self.timeline.add("phase", name, "started")
        with self.progress.phase(name, self.state.progress_file):
            outcome = run_phase(
                name,
                context,
                stopping=self.stopping,
                progress=self.progress,
                log=self.state.directory / "logs" / f"{name}.log",
            )
        self.phase_ended(outcome, begun)
        if outcome.status == "passed":
            return True
        code = _STOPPED.get(outcome.status, ExitCode.INFRASTRUCTURE)
        if name == "validate" and outcome.status == "failed" and "unreachable" not in outcome.cause:
            code = ExitCode.CONFIGURATION
        line = f"the time budget ran out in {name}" if outcome.status == "timed_out" else f"{name}: {outcome.cause}"
        line = f"interrupted in {name}" if outcome.status == "interrupted" else line
        self.blame(Cause(code, line, f"phases/{name}.log"))
        return False

    def phase_ended(self, outcome: PhaseOutcome, begun: dt.datetime) -> None:
        """Record a phase, and tell it."""
        self.phases.append(
            PhaseResult(
                name=outcome.name,
                status=outcome.status,
                started=begun,
                duration=round(outcome.duration, 3),
                error=outcome.cause or None,
            )
        )
        self.timeline.add("phase", outcome.name, "ended", outcome=outcome.status, detail=outcome.cause)
        self.progress.ended(outcome.name, outcome.status, outcome.duration, outcome.cause)

    def _platform(self, path: Path) -> Platform:
        try:
            return Platform.model_validate_json(path.read_bytes())
        except OSError as error:
            raise InfrastructureError(f"no platform was handed over: {error.strerror}", where=str(path)) from error
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            kind = ConfigurationError if self.options.platform else InfrastructureError
            raise kind(f"{field}: {first['msg']}", where=str(path)) from error

    def judge(self, platform: Platform, platform_file: Path) -> None:
        """Run the suites that the stage selects."""
        selection = select_suites(self.project.suites(), self.stage, self.options.only, platform)
        self.left_out = selection.left_out
        begun, begin = dt.datetime.now(dt.UTC), time.monotonic()
        self.timeline.add("phase", "verify", "started")
        with (
            ClusterWatch(platform) as clusters,
            self.progress.phase("verify", self.state.progress_file),
        ):
            verifier = Verifier(
                root=self.project.root,
                state=self.state.directory,
                artifacts=self.artifacts,
                platform_file=platform_file,
                most=platform.parallel,
                options=self.options,
                stage=self.stage,
                progress=self.progress,
                timeline=self.timeline,
                stopping=self.stopping,
                clusters=clusters,
            )
            self.suites = verifier.run(selection.selected)
            reason = self.stopping.reason
            lost = clusters.lost or (clusters.now() if self._broken and reason is None else None)
        status: PhaseOutcome = PhaseOutcome("verify", "passed", time.monotonic() - begin)
        if lost is not None:
            status = PhaseOutcome("verify", "failed", status.duration, lost.line)
            self.blame(Cause(ExitCode.INFRASTRUCTURE, lost.line, "diagnostics", lost.since))
        elif reason == "interrupted":
            status = PhaseOutcome("verify", "interrupted", status.duration, "interrupted in verify")
            self.blame(Cause(ExitCode.INTERRUPTED, status.cause))
        elif reason == "budget":
            status = PhaseOutcome("verify", "timed_out", status.duration, "the time budget ran out in verify")
            self.blame(Cause(ExitCode.INFRASTRUCTURE, status.cause))
        else:
            self._check_that_suites_ended()
        self.phase_ended(status, begun)

    def _check_that_suites_ended(self) -> None:
        for suite in self.suites:
            finished = suite.finished
            name = suite.suite.definition.name
            if finished is not None and finished.problem and finished.configuration:
                self.blame(
                    Cause(ExitCode.CONFIGURATION, f"suite {name}: {finished.problem}", f"diagnostics/{name}.log")
                )

    def blame(self, cause: Cause) -> None:
        """Keep the first cause."""
        if self.cause is None:
            self.cause = cause
            self.timeline.add("cause", self.options.stage, "noted", detail=cause.line)

    def _collect(self) -> None:
        """Gather logs; in full where something went wrong."""
        if self.options.platform is None and any(phase.name == "create" for phase in self.phases):
            context = self._context()
            context.variables["proving_ground_broken"] = self._broken
            begun = dt.datetime.now(dt.UTC)
            with self.progress.phase("collect", self.state.progress_file):
                outcome = run_phase("collect", context, log=self.state.directory / "logs/collect.log")
            self.phase_ended(outcome, begun)
        with contextlib.suppress(OSError):
            shutil.copytree(self.state.directory / "logs", self.artifacts / "phases", dirs_exist_ok=True)
        for suite in self.suites:
            with contextlib.suppress(OSError):
                shutil.copyfile(suite.log, self.artifacts / "diagnostics" / f"{suite.suite.definition.name}.log")
        values = [self.options.values] if self.options.values else []
        self.secrets = secrets_of(self.state.directory, values)

    def _merge(self) -> Merged:
        """Read the event logs, while they are still there."""
        logs = [
            SuiteLog(
                name=suite.suite.definition.name,
                description=suite.suite.definition.description,
                events=suite.events,
                tail=_tail(suite.log),
            )
            for suite in self.suites
        ]
        merged = merge(logs)
        return self._without_unmatched(merged) if self.options.expression else merged

    def _without_unmatched(self, merged: Merged) -> Merged:
        """Leave out the suites in which no check has a wanted name, as long as one suite has."""
        unmatched = {suite.name for suite in merged.suites if not suite.summary.total and not suite.problem}
        reason = f"no check matches -k {self.options.expression!r}"
        if merged.suites and len(unmatched) == len(merged.suites):
            self.blame(Cause(ExitCode.CONFIGURATION, reason, "report.html"))
            return merged
        self.left_out |= dict.fromkeys(sorted(unmatched), reason)
        return dataclasses.replace(merged, suites=[suite for suite in merged.suites if suite.name not in unmatched])

    def _report(self, merged: Merged) -> Results:
        verdict = self.verdict(merged)
        ended = dt.datetime.now(dt.UTC)
        results = Results(
            run_id=self.options.run_id,
            stage=self.options.stage,
            inventory=self.inventory_name,
            started=self.started,
            ended=ended,
            verdict=verdict,
            summary=merged.summary.model_copy(
                update={"duration_seconds": round((ended - self.started).total_seconds(), 3)}
            ),
            tests=merged.tests,
            load_test=load_test_of(merged.tests),
            suites=merged.suites,
            not_selected=merged.not_selected,
            suites_left_out=self.left_out,
            notes=self.notes,
            phases=self.phases,
            faults=self.faults(),
        )
        with self._blaming():
            write_all(self.artifacts, results)
            mask_directory(self.artifacts, self.secrets)
        # A report that could not be written is a cause, too.
        return results.model_copy(update={"verdict": self.verdict(merged)})

    def faults(self) -> list[FaultResult]:
        """Return what faults did; a stage has none."""
        return []

    def verdict(self, merged: Merged) -> Verdict:
        """Return the verdict on what happened."""
        return decide(self.cause, merged.tests, merged.suites, self.after)

    def _destroy(self) -> None:
        if self.options.keep and self.options.platform is None:
            self.state.write_owner(dataclasses.replace(self.owner, kept=True))
            self.progress.line(
                f"  kept: {self.state.platform_file}; remove: proving-ground clean {self.options.run_id}"
            )
            return
        begun, begin = dt.datetime.now(dt.UTC), time.monotonic()
        with self.progress.phase("destroy", self.state.progress_file):
            problems = remove_run(self.state, progress=self.progress)
        outcome = PhaseOutcome(
            "destroy", "failed" if problems else "passed", time.monotonic() - begin, "; ".join(problems)
        )
        self.phase_ended(outcome, begun)
        if problems:
            self.after = Cause(ExitCode.INFRASTRUCTURE, f"destroy: {problems[0]}", "phases")

    def _conclude(self, verdict: Verdict) -> None:
        summary = f"{verdict.outcome}: {verdict.cause}"
        took = duration((dt.datetime.now(dt.UTC) - self.started).total_seconds())
        self.progress.line(f"{summary}  [{took}]")
        look_at = self.artifacts / (verdict.look_at or "report.html")
        self.progress.line(f"see {look_at}")


def _tail(path: Path, size: int = 4000) -> str:
    try:
        return path.read_bytes()[-size:].decode("utf-8", "replace")
    except OSError:
        return ""
