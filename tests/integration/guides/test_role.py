"""The role of the guide keeps the house's rules, is idempotent, and refuses what it cannot do."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from proving_ground.pages.roles import role_readme

from .conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Copy

PLAYBOOK = """
- name: Leave a note
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Leave it
      ansible.builtin.import_role:
        name: proving.ground.run_note
"""


def play(copy: Copy, **variables: str) -> tuple[int, str]:
    """Run the role on this machine; return the exit code, and what Ansible printed."""
    (copy.root / "play.yml").write_text(PLAYBOOK)
    given = {"proving_ground_state_dir": str(copy.state), "proving_ground_run_id": "r1"} | variables
    words = [word for name, value in given.items() for word in ("--extra-vars", f"{name}={value!r}")]
    ran = copy.run("ansible-playbook", "--inventory", "molecule/inventory", *words, "play.yml")
    return ran.returncode, ran.stdout + ran.stderr


@pytest.fixture
def copy(copy_with: Callable[[str], Copy]) -> Copy:
    made = copy_with("role")
    made.state.mkdir()
    return made


def test_a_second_run_changes_nothing(copy: Copy) -> None:
    code, printed = play(copy)
    assert (code, "changed=1" in printed) == (0, True), printed
    assert (copy.state / "note.txt").read_text() == "In use by run r1\n"
    code, printed = play(copy)
    assert (code, "changed=0" in printed) == (0, True), printed


@pytest.mark.parametrize(
    ("variable", "value", "refusal"),
    [
        ("run_note_readers", "nobody", "value of run_note_readers must be one of: owner, everyone, got: nobody"),
        ("run_note_text", "two\nlines", "run_note_text must be one line, found 2"),
    ],
)
def test_a_wrong_variable_is_refused_before_anything_changes(
    copy: Copy, variable: str, value: str, refusal: str
) -> None:
    code, printed = play(copy, **{variable: value})
    assert code != 0
    assert refusal in printed
    assert list(copy.state.glob("note*")) == []


def test_its_molecule_scenario_passes(copy: Copy) -> None:
    scenario = ("molecule", "-c", "molecule/config.yml", "test", "--scenario-name", "run_note")
    ran = copy.run(*scenario)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_it_keeps_the_rules_of_roles(copy: Copy) -> None:
    role = copy.root / "roles" / "run_note"
    (role / "README.md").write_text(role_readme(role))  # as `nox -s docs` does
    rules = copy.root / "tests/unit/project/test_roles.py"
    rules.parent.mkdir(parents=True)
    shutil.copy(ROOT / "tests/unit/project/test_roles.py", rules)
    ran = copy.run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(rules), "-k", "run_note")
    assert ran.returncode == 0, ran.stdout
    assert "passed" in ran.stdout
