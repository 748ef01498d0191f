"""Finds what earlier runs left, and removes it: the destroy playbook, then processes by tag, then state."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from proving_ground.errors import ConfigurationError, ProvingGroundError
from proving_ground.ownership.processes import end, tagged
from proving_ground.ownership.state import RunState, all_runs
from proving_ground.pipeline.phases import PhaseContext, end_phases, is_inventory, run_phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proving_ground.pipeline.progress import Progress

# Between making its directory and writing owner.json a run has no owner.
_CLAIM_PATIENCE = 60.0


@dataclass
class Removed:
    """What a clean did, in lines for people."""

    removed: list[str] = field(default_factory=list)
    living: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def write_context(state: RunState, context: PhaseContext) -> None:
    """Keep what destroy needs to run again from another process."""
    content = {
        "root": str(context.root),
        "inventories": [str(path) for path in context.inventories],
        "variables": context.variables,
    }
    state.context_file.touch(mode=0o600)
    state.context_file.write_text(json.dumps(content, default=str), encoding="utf-8")


def read_context(state: RunState) -> PhaseContext | None:
    """Return what destroy needs; None where the run died before it had made anything."""
    try:
        content = json.loads(state.context_file.read_text(encoding="utf-8"))
        inventories = tuple(path for path in map(Path, content["inventories"]) if is_inventory(path))
        root = Path(content["root"])
    except (OSError, ValueError, KeyError):
        return None
    if not (root / "playbooks/destroy.yml").is_file() or not inventories:
        return None
    return PhaseContext(
        root=root,
        state=state.directory,
        run_id=state.run_id,
        inventories=inventories,
        variables=content["variables"],
    )


def remove_run(state: RunState, *, progress: Progress | None = None) -> list[str]:
    """Remove everything that a run owns; return what is wrong, nothing if all is gone."""
    problems = []
    context = read_context(state)
    if context is not None:
        outcome = run_phase("destroy", context, progress=progress)
        if outcome.status != "passed":
            problems.append(f"{state.run_id}: destroy: {outcome.cause}")
    left = end(tagged(state.run_id, state.directory))
    problems += [f"{state.run_id}: process {process.pid} could not be ended" for process in left]
    if not problems:
        try:
            state.remove()
        except ProvingGroundError as error:
            problems.append(f"{state.run_id}: {error}")
    return problems


def clean(runs: Sequence[str] = (), *, kept_too: bool = False, dry_run: bool = False) -> Removed:
    """Remove what earlier runs left.

    Args:
        runs: Names of runs to remove whether kept or not; all leftovers if empty.
        kept_too: Remove kept runs that have not expired.
        dry_run: Only tell.

    Returns:
        What was (or would be) removed, what was left alone, and what went wrong.

    Raises:
        ConfigurationError: A named run does not exist.
    """
    result = Removed()
    existing = {state.run_id: state for state in all_runs()}
    for name in runs:
        if name not in existing:
            raise ConfigurationError(f"run {name!r} has left nothing", hint=f"known: {', '.join(existing) or 'none'}")
    for state in existing.values() if not runs else [existing[name] for name in runs]:
        owner = state.owner()
        if owner is None and not state.directory.exists():
            continue  # it ended by itself while others were looked at
        if owner is None and not runs and time.time() - state.changed < _CLAIM_PATIENCE:
            result.living.append(f"{state.run_id}: is being started")
            continue
        if owner is not None and owner.process.alive:
            result.living.append(f"{state.run_id}: still running (process {owner.process.pid})")
            continue
        if owner is not None and not (runs or kept_too or owner.leftover):
            result.living.append(f"{state.run_id}: kept until {owner.expires:%Y-%m-%d %H:%M} UTC")
            continue
        if dry_run:
            count = len(tagged(state.run_id, state.directory))
            result.removed.append(f"{state.run_id}: {count} processes, {state.directory}")
            continue
        end_phases(state.directory)
        problems = remove_run(state)
        result.problems += problems
        if not problems:
            result.removed.append(state.run_id)
    return result
