"""The private state directory of a run: where it is, who owns it, until when."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.files import write_atomically
from proving_ground.ownership.processes import ProcessId, current

RUN_ID = re.compile(r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")


def state_home() -> Path:
    """Return the directory of all runs' private state (XDG base directory specification)."""
    base = os.environ.get("PROVING_GROUND_STATE") or os.path.join(
        os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state", "proving-ground"
    )
    return Path(base) / "runs"


def cache_home() -> Path:
    """Return the per-user cache directory (XDG base directory specification)."""
    configured = os.environ.get("PROVING_GROUND_CACHE")
    if configured:
        return Path(configured)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "proving-ground"


def check_run_id(run_id: str) -> str:
    """Return the run id if it can name directories, labels and processes.

    Raises:
        ConfigurationError: It cannot.
    """
    if not RUN_ID.match(run_id):
        raise ConfigurationError(
            f"run id {run_id!r} is not usable",
            hint="use 1 to 40 lower-case letters, digits and inner dashes",
        )
    return run_id


@dataclass(frozen=True)
class Owner:
    """Who owns a run: owner.json in its state directory.

    Attributes:
        run_id: The run.
        process: The pipeline's process.
        expires: When everything of the run may be removed even though it was kept.
        kept: Whether the run asked to be left in place.
        stage: Stage, for people.
        inventory: Name of the inventory, for people.
        artifacts: Absolute path of the artifacts directory.
    """

    run_id: str
    process: ProcessId
    expires: dt.datetime
    kept: bool
    stage: str
    inventory: str
    artifacts: str

    @property
    def leftover(self) -> bool:
        """Whether what the run owns should be removed: expired, or its process died without keeping it."""
        if self.process.alive:
            return False
        return not self.kept or self.expires < dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class RunState:
    """The private state directory of one run."""

    run_id: str
    directory: Path

    @classmethod
    def of(cls, run_id: str) -> RunState:
        """Return the state of a run, whether or not it exists."""
        return cls(run_id=run_id, directory=state_home() / check_run_id(run_id))

    @property
    def changed(self) -> float:
        """When the directory was changed last, in seconds since the epoch; 0 where it is gone by now."""
        try:
            return self.directory.stat().st_mtime
        except OSError:
            return 0.0

    @property
    def platform_file(self) -> Path:
        """platform.json as the playbooks write it."""
        return self.directory / "platform.json"

    @property
    def progress_file(self) -> Path:
        """Lines that playbooks append for people to see."""
        return self.directory / "progress.log"

    @property
    def mask_file(self) -> Path:
        """Values, one a line, that must never reach the artifacts directory."""
        return self.directory / "mask.txt"

    @property
    def context_file(self) -> Path:
        """What destroy needs to run again from another process."""
        return self.directory / "context.json"

    def claim(self, owner: Owner) -> None:
        """Create the directory and write owner.json.

        Raises:
            ConfigurationError: Another run has that id.
            InfrastructureError: The directory cannot be written.
        """
        try:
            self.directory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.directory.mkdir(mode=0o700)
        except OSError as error:
            if self.directory.exists():
                raise ConfigurationError(
                    f"run {self.run_id} exists already",
                    where=str(self.directory),
                    hint=f"choose another --run-id, or remove it: proving-ground clean {self.run_id}",
                ) from None
            raise InfrastructureError(
                f"the state directory cannot be made: {error.strerror}",
                where=str(self.directory),
                hint="set PROVING_GROUND_STATE to a directory that can be written",
            ) from error
        try:
            self.write_owner(owner)
            self.mask_file.touch(mode=0o600)
        except (OSError, InfrastructureError) as error:
            self.remove()
            raise InfrastructureError(
                "the state directory cannot be written",
                where=str(self.directory),
                hint="free space there, or set PROVING_GROUND_STATE to another directory",
            ) from error

    def write_owner(self, owner: Owner) -> None:
        """Write owner.json."""
        content = asdict(owner) | {"expires": owner.expires.isoformat()}
        write_atomically(self.directory / "owner.json", json.dumps(content, indent=1), mode=0o600)

    def owner(self) -> Owner | None:
        """Return the owner; None where owner.json is absent or was never finished."""
        try:
            content = json.loads((self.directory / "owner.json").read_text())
            return Owner(
                **content
                | {
                    "process": ProcessId(**content["process"]),
                    "expires": dt.datetime.fromisoformat(content["expires"]),
                }
            )
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def remove(self) -> None:
        """Remove the directory with all that is in it."""
        shutil.rmtree(self.directory, ignore_errors=True)
        if self.directory.exists():
            raise InfrastructureError("the state directory could not be removed", where=str(self.directory))


def new_owner(run_id: str, *, stage: str, inventory: str, artifacts: Path, lifetime: dt.timedelta) -> Owner:
    """Return an owner for a run of this process."""
    return Owner(
        run_id=run_id,
        process=current(),
        expires=dt.datetime.now(dt.UTC) + lifetime,
        kept=False,
        stage=stage,
        inventory=inventory,
        artifacts=str(artifacts),
    )


def all_runs() -> list[RunState]:
    """Return every run that has a state directory, oldest first."""
    home = state_home()
    if not home.is_dir():
        return []
    runs = (RunState(run_id=entry.name, directory=entry) for entry in home.iterdir() if RUN_ID.match(entry.name))
    return sorted((run for run in runs if run.directory.is_dir()), key=lambda run: run.changed)
