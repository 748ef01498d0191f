"""Molecule's scenarios: which there are, and those on lab hosts one after the other on the same hosts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from tallies import Tally

if TYPE_CHECKING:
    from pathlib import Path

    from jobs import Run
    from programs import Programs

MOLECULE = ("molecule", "-c", "molecule/config.yml")
ON_HOSTS = (*MOLECULE, "-c", "molecule/lab.yml")
LAB_HOSTS = "default"
"""The scenario that creates and removes the hosts of others, as molecule would have it named."""


class Scenario(NamedTuple):
    """What a molecule.yml says of its scenario: whether it is on lab hosts, and the roles that it is for."""

    on_hosts: bool
    roles: list[str]


def read_scenarios(folder: Path) -> dict[str, Scenario]:
    """Return molecule's scenarios by name.

    Those on lab hosts have a line ``shared_state: true`` in their molecule.yml; the scenario ``default`` makes these
    hosts, and is none by itself. A scenario is for the role of its name, or those of its lines ``# covers:``.
    """
    found = {}
    for file in sorted(folder.glob("*/molecule.yml")):
        text = file.read_text(encoding="utf-8")
        covers = re.findall(r"^# covers: *(.+?),?\s*$", text, re.MULTILINE)
        roles = [role for line in covers for role in re.split(r",\s*", line)]
        found[file.parent.name] = Scenario(
            bool(re.search(r"^shared_state: *true\b", text, re.MULTILINE)), roles or [file.parent.name]
        )
    found.pop(LAB_HOSTS, None)
    return found


def scenarios_of(wanted: list[str], known: dict[str, Scenario]) -> list[str]:
    """Return the scenarios that roles or scenarios name, each once; all where none is named.

    Raises:
        ValueError: Something is named that is neither.
    """
    found: dict[str, None] = {}
    for word in wanted or known:
        named = [name for name, scenario in known.items() if word == name or word in scenario.roles]
        if not named:
            raise ValueError(
                f"unknown scenario {word!r}: expected {', '.join(known)}, or a role that one of them is for"
            )
        found.update(dict.fromkeys(named))
    return list(found)


def missing_for_lab_hosts() -> str:
    """Say what this machine lacks for lab hosts, or nothing; the role lab_hosts looks closer."""
    if os.geteuid():
        return "root"
    command = ["unshare", "--mount", "--pid", "--fork", "true"]
    if not shutil.which("unshare") or subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode:
        return "namespaces"
    return "" if shutil.which("podman") or shutil.which("apt-get") else "podman"


def here(name: str, run: Run, programs: Programs) -> Tally:
    """Run a scenario that this machine has everything for."""
    code = run(*MOLECULE, "test", "--scenario-name", name, group=True)
    if programs.interrupted:
        run(*MOLECULE, "destroy", "--scenario-name", name, interruptible=False)
    return Tally.of([(name, code)])


def on_hosts(names: list[str], run: Run, programs: Programs) -> Tally:
    """Run scenarios on hosts that the first of them creates; remove the hosts, whatever happens."""
    outcomes: list[tuple[str, int]] = []

    def destroy() -> None:
        code = run(*ON_HOSTS, "destroy", "--scenario-name", LAB_HOSTS, interruptible=False)
        outcomes.extend([("removing the hosts", code)] if code else [])

    # What a call that was killed has left would be taken for hosts as they should be.
    destroy()
    try:
        for name in names:
            if programs.interrupted:
                break
            code = run(*ON_HOSTS, "test", "--destroy", "never", "--scenario-name", name, group=True)
            outcomes.append((name, code))
            if code and name != names[-1] and not programs.interrupted:
                destroy()  # the next is to find hosts as they should be
    finally:
        destroy()
    return Tally.of(outcomes)
