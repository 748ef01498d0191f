"""Molecule's scenarios: named by themselves or by roles, and on lab hosts one after the other."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import scenarios
from programs import Programs
from scenarios import Scenario
from tallies import Tally

REMOVED = "destroy default on hosts"
KNOWN = {
    "alone": Scenario(on_hosts=False, roles=["alone"]),
    "many": Scenario(on_hosts=True, roles=["first", "second", "third"]),
    "one": Scenario(on_hosts=True, roles=["one"]),
}


class Molecule(Programs):
    """Takes what molecule is told, in place of it: one word of what it does, and of which scenario."""

    def __init__(self) -> None:
        super().__init__(Path())
        self.done: list[str] = []
        self.codes: dict[str, int] = {}
        self.interrupted_by = ""

    def run(self, *command: str, **_options: object) -> int:  # type: ignore[override]
        on_hosts = "molecule/lab.yml" in command
        what = f"{'test' if 'test' in command else 'destroy'} {command[-1]}{' on hosts' if on_hosts else ''}"
        self.done.append(what)
        self.interrupted = self.interrupted or what == self.interrupted_by
        return self.codes.get(what, 0)


@pytest.fixture
def molecule() -> Molecule:
    return Molecule()


def test_scenarios_are_read_with_where_they_run_and_what_for(tmp_path: Path) -> None:
    texts = {
        "alone": "---\n# On this machine.\n",
        "default": "---\nshared_state: true\n",
        "many": "---\n# covers: first, second,\n# covers: third\nshared_state: true\n",
        "one": "---\nshared_state: true  # on hosts\n",
    }
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "molecule.yml").write_text(text)
    (tmp_path / "inventory").mkdir()
    assert scenarios.read_scenarios(tmp_path) == KNOWN


@pytest.mark.parametrize("word", ["many", "second", "third"])
def test_a_scenario_is_named_by_itself_or_by_a_role_that_it_is_for(word: str) -> None:
    assert scenarios.scenarios_of([word, "many"], KNOWN) == ["many"]


def test_without_a_name_it_is_all() -> None:
    assert scenarios.scenarios_of([], KNOWN) == list(KNOWN)


@pytest.mark.parametrize("word", ["none", "default", ""])
def test_a_scenario_that_does_not_exist_is_named_with_those_that_do(word: str) -> None:
    with pytest.raises(ValueError, match=f"unknown scenario '{word}': expected alone, many, one, or a role"):
        scenarios.scenarios_of(["alone", word], KNOWN)


def test_scenarios_on_hosts_share_them_and_they_are_removed(molecule: Molecule) -> None:
    tally = scenarios.on_hosts(["many", "one"], molecule.run, molecule)
    assert molecule.done == [REMOVED, "test many on hosts", "test one on hosts", REMOVED]
    assert tally == Tally(0, 2, 0)


def test_a_scenario_after_one_that_failed_finds_new_hosts(molecule: Molecule) -> None:
    molecule.codes["test many on hosts"] = 2
    tally = scenarios.on_hosts(["many", "one"], molecule.run, molecule)
    assert molecule.done == [REMOVED, "test many on hosts", REMOVED, "test one on hosts", REMOVED]
    assert tally == Tally(2, 1, 1, names=("many: exit code 2",))


def test_hosts_that_cannot_be_removed_are_a_failure(molecule: Molecule) -> None:
    molecule.codes[REMOVED] = 1
    assert scenarios.on_hosts(["one"], molecule.run, molecule).code == 1


def test_what_an_interrupted_scenario_made_is_removed(molecule: Molecule) -> None:
    molecule.interrupted_by = "test alone"
    scenarios.here("alone", molecule.run, molecule)
    assert molecule.done == ["test alone", "destroy alone"]


def test_the_hosts_of_an_interrupted_scenario_are_removed(molecule: Molecule) -> None:
    molecule.interrupted_by = "test many on hosts"
    scenarios.on_hosts(["many", "one"], molecule.run, molecule)
    assert molecule.done == [REMOVED, "test many on hosts", REMOVED]


@pytest.mark.parametrize(
    ("user", "programs", "makes_namespaces", "expected"),
    [
        (1000, ["unshare", "podman"], True, "root"),
        (0, ["podman"], True, "namespaces"),
        (0, ["unshare", "podman"], False, "namespaces"),
        (0, ["unshare"], True, "podman"),
        (0, ["unshare", "apt-get"], True, ""),
        (0, ["unshare", "podman"], True, ""),
    ],
)
def test_what_a_machine_lacks_for_hosts_is_said(
    monkeypatch: pytest.MonkeyPatch, user: int, programs: list[str], *, makes_namespaces: bool, expected: str
) -> None:
    ran = subprocess.CompletedProcess([], int(not makes_namespaces))
    monkeypatch.setattr(scenarios.os, "geteuid", lambda: user)
    monkeypatch.setattr(scenarios.shutil, "which", lambda name: name if name in programs else None)
    monkeypatch.setattr(scenarios.subprocess, "run", lambda *_, **__: ran)
    assert scenarios.missing_for_lab_hosts() == expected
