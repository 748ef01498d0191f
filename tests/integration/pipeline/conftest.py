"""A project in small: playbooks that write files instead of making machines, and one suite."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

PLAYBOOK = """
- name: {name}
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Say that this phase ran
      ansible.builtin.lineinfile:
        path: "{journal}"
        line: "{name} {{{{ proving_ground_run_id }}}}"
        create: true
        mode: "0600"
    {extra}
"""

PLATFORM = """
    - name: Hand over the platform
      ansible.builtin.copy:
        dest: "{{ proving_ground_platform_file }}"
        mode: "0600"
        content: |
          {"schema_version": 1, "run_id": "{{ proving_ground_run_id }}", "inventory": "tiny",
           "clock": {"started": "{{ proving_ground_started }}"}}
"""

# Waits until the test has seen that the phase is under way; never ends by itself.
HANG = """
    - name: Wait until the marker is gone
      ansible.builtin.command: "timeout 600 sh -c 'touch {marker}; while test -e {marker}; do sleep 0.1; done'"
      changed_when: false
"""

FAIL = """
    - name: Break the {name}
      ansible.builtin.fail:
        msg: the {name} is broken
"""

SUITE = "name: tiny\ndescription: a suite in small\n"

CHECKS = """
from __future__ import annotations
import pytest

@pytest.mark.pre_merge
async def test_passes():
    assert True

@pytest.mark.nightly
async def test_is_nightly():
    assert True
"""

STAGES = """
stages:
  pre_merge: {description: small, inventory: tiny, marks: pre_merge, budget: 60s}
  nightly: {description: more, inventory: tiny, marks: pre_merge or nightly, budget: 60s}
"""

PHASES = ("validate", "create", "provision", "deploy", "collect", "destroy")


@dataclasses.dataclass
class TinyProject:
    root: Path
    state: Path

    @property
    def journal(self) -> list[str]:
        file = self.root / "journal"
        return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []

    def playbook(self, name: str, extra: str = "") -> None:
        text = PLAYBOOK.format(name=name, journal=self.root / "journal", extra=extra.strip())
        (self.root / f"playbooks/{name}.yml").write_text(text)

    def fail_in(self, name: str) -> None:
        self.playbook(name, FAIL.format(name=name))

    def hang_in(self, name: str) -> Path:
        marker = self.root / "under-way"
        self.playbook(name, HANG.format(marker=marker))
        return marker

    @staticmethod
    def release(marker: Path) -> None:
        """Let a phase that hangs go on."""
        marker.unlink()

    def checks(self, text: str) -> None:
        (self.root / "tests/suites/tiny/test_tiny.py").write_text(text)

    def command(self, *arguments: str, stage: str = "nightly") -> list[str]:
        return [sys.executable, "-m", "proving_ground", "run", stage, "--run-id", "r1", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"PROVING_GROUND_STATE": str(self.state), "COLUMNS": "200"}

    def run(self, *arguments: str, stage: str = "nightly") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments, stage=stage),
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def verify(self, *arguments: str, stage: str = "nightly") -> subprocess.CompletedProcess[str]:
        """Run the suites only, against a platform that is there: for what is the same on any, and much sooner."""
        platform = self.root / "platform.json"
        platform.write_text(
            json.dumps({"run_id": "other", "inventory": "x", "clock": {"started": "2026-01-01T00:00:00+00:00"}})
        )
        return self.run("--platform", str(platform), *arguments, stage=stage)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def results(self, run_id: str = "r1") -> dict[str, Any]:
        return json.loads((self.root / "artifacts" / run_id / "results.json").read_text())  # type: ignore[no-any-return]

    @staticmethod
    def wait_for(path: Path, process: subprocess.Popen[str], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not path.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                process.send_signal(signal.SIGINT)
                pytest.fail(f"{path.name} never came: {process.communicate(timeout=60)[0]}")
            time.sleep(0.02)

    @property
    def left(self) -> list[str]:
        runs = self.state / "runs"
        return [entry.name for entry in runs.iterdir()] if runs.exists() else []


@pytest.fixture
def project(tmp_path: Path) -> TinyProject:
    root = tmp_path / "project"
    for folder in ("playbooks", "inventories/tiny", "tests/suites/tiny"):
        (root / folder).mkdir(parents=True)
    (root / "stages.yml").write_text(STAGES)
    (root / "inventories/tiny/hosts.yml").write_text(
        "all:\n  hosts:\n    localhost:\n      ansible_connection: local\n"
        '      ansible_python_interpreter: "{{ ansible_playbook_python }}"\n'
    )
    (root / "tests/suites/tiny/suite.yml").write_text(SUITE)
    project = TinyProject(root=root, state=tmp_path / "state")
    for name in PHASES:
        project.playbook(name, PLATFORM if name == "create" else "")
    project.checks(CHECKS)
    return project
