"""Ctrl-C, through nox as people start it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Place, Run

ROOT = Path(__file__).parents[3]


@pytest.fixture
def nox(tmp_path: Path) -> list[str]:
    """The command of nox, whose shared environment is the one that runs these tests."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("noxfile.py", "stages.yml", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, checkout)
    code = "import noxfile; print(noxfile.environment_key())"
    key = subprocess.run([sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True, check=True)
    environment = checkout / ".nox" / f"env-{key.stdout.strip()}"
    python = environment / "bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\ncd "{ROOT}" && exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    state = (checkout / "pyproject.toml").read_bytes() + str(checkout).encode()
    (environment / "complete").write_text(hashlib.sha256(state).hexdigest())
    return [sys.executable, "-m", "nox", "--noxfile", str(checkout / "noxfile.py")]


def start(place: Place, nox: list[str], run_id: str, *arguments: str) -> Run:
    return place.start_command(run_id, [*nox, "-s", "nightly", "--", *place.options(run_id, *arguments)])


def test_ctrl_c_in_provision_and_again_in_destroy_leaves_nothing(place: Place, nox: list[str]) -> None:
    run = start(place, nox, "early")
    run.wait_for("supervisord", lambda: list(run.state.glob("sim/supervisord.pid")))
    address = run.address
    run.interrupt()
    run.playbook("destroy")
    run.interrupt()
    assert run.ended() == 130, run.output
    assert "still cleaning up, please wait" in run.output
    assert run.cause == "interrupted in provision"
    assert run.results["phases"][-1]["name"] == "destroy"
    assert run.results["phases"][-1]["status"] == "passed"
    run.assert_nothing_is_left(address)


def test_ctrl_c_in_verify_ends_with_130_and_leaves_nothing(place: Place, nox: list[str]) -> None:
    run = start(place, nox, "late", "--only", "aim", "--fault", "never-ready")
    run.reach("check")
    address = run.address
    run.interrupt()
    assert run.ended() == 130, run.output
    assert run.cause == "interrupted in verify"
    assert run.results["phases"][-1]["status"] == "passed"
    run.assert_nothing_is_left(address)
