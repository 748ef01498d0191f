"""The suites by themselves on a kept platform: where their objects are, and what a clean-up removes."""

from __future__ import annotations

import dataclasses
import json
import shutil
from typing import TYPE_CHECKING

import pytest

from proving_ground.autoscaling.manifests import FOLDER

from .conftest import ROOT

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Kept

PLACE = "place"
OWN = f"{PLACE}-actual-scale-is-what-runs"
NEIGHBOUR = f"{PLACE}-of-others"
THEIRS = ("ConfigMap", PLACE, "theirs")
CHECKS = "scales_up_over or scales_down_when or actual_scale_is"
EXAMPLE = ROOT / "docs/guides/examples/autoscaling_test"


@dataclasses.dataclass
class Ran:
    """Checks that ran in a namespace of somebody else, and what was there before and after."""

    done: subprocess.CompletedProcess[str]
    before: set[tuple[str, str, str]]
    after: set[tuple[str, str, str]]

    @property
    def made(self) -> set[tuple[str, str, str]]:
        return self.after - self.before


@pytest.fixture(scope="module")
def ran(kept: Kept) -> Iterator[Ran]:
    for name in (PLACE, NEIGHBOUR):
        kept.kubectl("create", "namespace", name)
        kept.kubectl("create", "configmap", "theirs", f"--namespace={name}", "--from-literal=whose=theirs")
        kept.kubectl("wait", f"--namespace={name}", "--for=create", "configmap/kube-root-ca.crt", "--timeout=60s")
    before = kept.objects()
    done = kept.call("autoscaling", "scaling", "run", "-k", CHECKS, "--namespace", PLACE)
    yield Ran(done, before, kept.objects())
    kept.kubectl("delete", "namespace", PLACE, NEIGHBOUR, OWN, "--ignore-not-found", "--wait=false")


def test_checks_that_pass_end_with_zero(ran: Ran) -> None:
    assert ran.done.returncode == 0, ran.done.stdout + ran.done.stderr
    assert "3 passed" in ran.done.stdout


def test_objects_stay_in_the_namespace_that_was_named(ran: Ran) -> None:
    assert {("BudAIScaler", PLACE, "up"), ("Deployment", PLACE, "up"), ("BudAIScaler", OWN, "held")} <= ran.made
    assert {name if kind == "Namespace" else namespace for kind, namespace, name in ran.made} == {PLACE, OWN}
    assert ran.before <= ran.after


def test_status_tells_the_scalers_as_json(kept: Kept, ran: Ran) -> None:
    assert ran.done.returncode == 0
    told = kept.call("autoscaling", "scaling", "status", "--output", "json", "--namespace", PLACE)
    assert (told.returncode, told.stderr) == (0, "")
    scalers = {(each["namespace"], each["name"]): each for each in json.loads(told.stdout)["scalers"]}
    assert set(scalers) == {(PLACE, "up"), (PLACE, "down"), (OWN, "held")}
    up = scalers[PLACE, "up"]
    assert (up["target"], up["ready"], up["min"], up["max"]) == ("Deployment/up", "True", 1, 3)
    assert up["desired"] > 1


def test_status_of_a_namespace_tells_nothing_of_another_one(kept: Kept, ran: Ran) -> None:
    assert ran.done.returncode == 0
    told = kept.call("autoscaling", "scaling", "status", "--output", "json", "--namespace", PLACE[:-1])
    assert json.loads(told.stdout) == {"scalers": []}


def test_cleanup_removes_what_suites_made_and_nothing_else(kept: Kept, ran: Ran) -> None:
    assert ran.done.returncode == 0
    cleaned = kept.call("autoscaling", "scaling", "cleanup", "--namespace", PLACE)
    assert (cleaned.returncode, cleaned.stderr) == (0, "")
    assert f"removed namespace {OWN}" in cleaned.stdout
    assert f"removed BudAIScaler {PLACE}/up" in cleaned.stdout
    kept.kubectl("wait", f"--namespace={PLACE}", "--for=delete", "pods,replicasets", "--all", "--timeout=60s")
    assert kept.objects() == ran.before
    assert THEIRS in ran.before
    assert "nothing to remove" in kept.call("autoscaling", "scaling", "cleanup", "--namespace", PLACE).stdout


def test_the_example_of_the_guide_passes_and_leaves_nothing_where_that_is_asked_for(
    kept: Kept, namespace: str, tmp_path: Path
) -> None:
    copy = tmp_path / "project"
    shutil.copytree(ROOT / FOLDER, copy / FOLDER, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("playbooks", "pyproject.toml", "stages.yml"):
        (copy / name).symlink_to(ROOT / name)
    shutil.copytree(EXAMPLE, copy, dirs_exist_ok=True)
    before = kept.objects()
    words = ("autoscaling", "scaling", "run", "-k", "queue")
    done = kept.call(*words, cwd=copy, NAMESPACE=namespace, CLEANUP="true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_queue.py::test_a_queue_brings_replicas_within_the_maximum PASSED" in done.stdout
    assert f"removed namespace {namespace}" in done.stdout
    assert kept.objects() == before
