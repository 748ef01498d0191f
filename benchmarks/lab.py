"""How long the environment `lab` takes, phase by phase, beside its goals and beside what Ansible itself costs.

Needs root. Binaries and images are in their caches (run the stage once before). A second provision of the same platform
shows what a run with nothing to change takes. Plays of tasks that do nothing, on the same hosts, show what of that is
Ansible's own: with and without pipelining, with one fork and five, with all facts, few and none.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proving_ground.ownership.clean import read_context
from proving_ground.ownership.state import RunState
from proving_ground.pipeline.phases import environment, run_phase

if TYPE_CHECKING:
    from proving_ground.pipeline.phases import PhaseContext

ROOT = Path(__file__).parents[1]
RUN_ID = "benchmark-lab"
TASKS = 20
GOALS = {"create": 10.0, "provision": 120.0, "second provision": 60.0, "nightly": 600.0}
_PROGRAM = [sys.executable, "-m", "proving_ground"]


def run_nightly(folder: Path) -> dict[str, Any]:
    """Run the stage nightly on the lab, keep its platform, and return its results.json.

    Raises:
        SystemExit: It did not pass, so that its time says nothing.
    """
    run = [*_PROGRAM, "run", "nightly", "--inventory", "lab", "--keep", "--run-id", RUN_ID, "--artifacts", str(folder)]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"nightly on lab ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr}")
    return json.loads((folder / RUN_ID / "results.json").read_text())  # type: ignore[no-any-return]


def context_of(run_id: str) -> PhaseContext:
    """Return what the playbooks of a kept run get.

    Raises:
        SystemExit: There is no such run.
    """
    context = read_context(RunState.of(run_id))
    if context is None:
        sys.exit(f"run {run_id} is not there")
    return context


def provision_again(context: PhaseContext) -> tuple[float, int, int]:
    """Provision what is provisioned; return the seconds, the tasks that ran, and the tasks that changed something.

    Raises:
        SystemExit: It failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "provision.log"
        outcome = run_phase("provision", context, log=log)
        text = log.read_text()
    if outcome.status != "passed":
        sys.exit(f"the second provision {outcome.status}: {outcome.cause}")
    ran = len(re.findall(r"^TASK ", text, re.MULTILINE))
    return outcome.duration, ran, len(re.findall(r"^changed: ", text, re.MULTILINE))


def idle_seconds(context: PhaseContext, *, pipelining: bool, forks: int, facts: str) -> float:
    """Return the seconds of a play of twenty tasks that do nothing, on the hosts of the lab."""
    gather = {"none": "false", "min": "true", "all": "true"}[facts]
    subset = "" if facts != "min" else "  gather_subset: [min]\n"
    tasks = "    - {name: Do nothing, ansible.builtin.command: {argv: ['true']}, changed_when: false}\n" * TASKS
    play = f"- name: Idle\n  hosts: cluster_nodes\n  gather_facts: {gather}\n{subset}  tasks:\n{tasks}"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "idle.yml"
        file.write_text(play)
        command = ["ansible-playbook", str(file), f"--forks={forks}", f"--extra-vars=ansible_pipelining={pipelining}"]
        command += [f"--inventory={path}" for path in context.inventories]
        for key in ("proving_ground_run_id", "proving_ground_state_dir", "proving_ground_cache_dir"):
            command += ["--extra-vars", json.dumps({key: context.variables[key]})]
        began = time.monotonic()
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | environment(context), capture_output=True, text=True, check=False
        )
        seconds = time.monotonic() - began
    if done.returncode != 0:
        sys.exit(f"a play that does nothing failed:\n{done.stdout[-2000:]}{done.stderr[-1000:]}")
    return seconds


def measure() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of phases and of Ansible's own costs."""
    with tempfile.TemporaryDirectory() as folder:
        results = run_nightly(Path(folder))
    try:
        context = context_of(RUN_ID)
        phases = [(phase["name"], phase["duration"]) for phase in results["phases"]]
        phases.append(("nightly", results["summary"]["duration_seconds"]))
        again, ran, changed = provision_again(context)
        phases.append(("second provision", again))
        idle = []
        for name, options in (
            ("as here: pipelining, 5 forks, no facts", {"pipelining": True, "forks": 5, "facts": "none"}),
            ("few facts (min)", {"pipelining": True, "forks": 5, "facts": "min"}),
            ("all facts", {"pipelining": True, "forks": 5, "facts": "all"}),
            ("without pipelining", {"pipelining": False, "forks": 5, "facts": "none"}),
            ("one fork", {"pipelining": True, "forks": 1, "facts": "none"}),
        ):
            seconds = idle_seconds(context, **options)  # type: ignore[arg-type]
            idle.append({"what": name, "seconds": round(seconds, 2), "per_task": round(seconds / TASKS, 3)})
        idle.append({"what": f"second provision: {ran} tasks, {changed} changed", "seconds": round(again, 2)})
        idle[-1]["per_task"] = round(again / max(ran, 1), 3)
    finally:
        subprocess.run([*_PROGRAM, "clean", RUN_ID], cwd=ROOT, capture_output=True, check=False)
    rows = [{"what": name, "seconds": round(value, 1), "goal_s": GOALS.get(name)} for name, value in phases]
    return rows, idle


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.stderr.write("the lab needs root: nothing was measured\n")
        return 3
    rows, idle = measure()
    print(f"{'lab, 3 hosts':<48}{'goal s':>8}{'s':>8}")
    for row in rows:
        goal = "" if row["goal_s"] is None else f"{row['goal_s']:.0f}"
        print(f"{row['what']:<48}{goal:>8}{row['seconds']:>8.1f}")
    print(f"\n{f'what {TASKS} tasks cost that do nothing':<48}{'s':>8}{'s/task':>8}")
    for row in idle:
        print(f"{row['what']:<48}{row['seconds']:>8.1f}{row['per_task']:>8.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"benchmark": "lab", "rows": rows, "ansible": idle}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
