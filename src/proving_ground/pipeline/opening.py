"""The two directories of a run, made before anything else and with what is known from the start."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from proving_ground import __version__
from proving_ground.contracts.run import Run
from proving_ground.errors import ConfigurationError, InfrastructureError, ProvingGroundError
from proving_ground.files import write_atomically

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from proving_ground.contracts.stages import Stage
    from proving_ground.ownership.state import Owner, RunState
    from proving_ground.pipeline.options import RunOptions


def open_places(artifacts: Path, state: RunState, owner: Owner, run: Run) -> None:
    """Make the artifacts directory and the state directory of a run; both or none.

    Raises:
        ConfigurationError: Another run has that id.
        InfrastructureError: One of them cannot be made or written.
    """
    try:
        artifacts.mkdir(parents=True)
    except FileExistsError:
        raise ConfigurationError(
            f"run {state.run_id} exists already", where=str(artifacts), hint="choose another --run-id"
        ) from None
    except OSError as error:
        raise InfrastructureError(
            f"the artifacts directory cannot be made: {error.strerror}",
            where=str(artifacts),
            hint="choose another with --artifacts",
        ) from error
    try:
        state.claim(owner)
    except ProvingGroundError:
        artifacts.rmdir()
        raise
    try:
        _begin(artifacts, run)
    except ProvingGroundError:
        state.remove()
        shutil.rmtree(artifacts, ignore_errors=True)
        raise


def _begin(artifacts: Path, run: Run) -> None:
    try:
        (artifacts / "diagnostics").mkdir()
    except OSError as error:
        raise InfrastructureError(
            f"cannot be written: {error.strerror}",
            where=str(artifacts),
            hint="free space there, or choose another place with --artifacts",
        ) from error
    write_atomically(artifacts / "run.json", run.model_dump_json(indent=2))


def describe(
    options: RunOptions, stage: Stage, inventory: str, *, started: dt.datetime, expires: dt.datetime, root: Path
) -> Run:
    """Return what run.json says: what was asked, without the values of variables."""
    return Run(
        run_id=options.run_id,
        stage=options.stage,
        inventory=inventory,
        started=started,
        expires=expires,
        proving_ground_version=__version__,
        options={
            "keep": options.keep,
            "only": list(options.only),
            "expression": options.expression,
            "extra_vars": sorted(options.extra_vars or {}),
            "parallel": options.parallel,
            "fault": options.fault,
            "wait_limit": options.wait_limit,
            "engine": options.engine,
            "budget_seconds": options.budget or stage.budget_seconds,
        },
        revision=_revision(root),
    )


def _revision(root: Path) -> str:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=root, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
