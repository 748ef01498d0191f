"""What nox makes of a session: exit codes, refusals, interruptions. The environment's Python is pretended."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]

# Pretends to be the environment's Python: notes its arguments; with the file "hold" it runs until it is told to end,
# cleans up, and ends as interrupted; otherwise it ends with the code in the file "code".
PYTHON = r"""#!/bin/sh
cd @CHECKOUT@
end() { sleep 0.3; echo cleaned >>calls; exit 130; }
trap end INT TERM
echo "$@" >>calls
while [ -e hold ]; do sleep 0.02; done
exit "$(cat code)"
"""


class Checkout:
    """A checkout whose Python environment is complete, so that nothing is fetched."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("noxfile.py", "stages.yml", "requirements.lock", "pyproject.toml"):
            shutil.copy(ROOT / name, directory)
        key = subprocess.run(
            [sys.executable, "-c", "import noxfile; print(noxfile.environment_key())"],
            cwd=directory,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        self.environment = directory / ".nox" / f"env-{key}"
        python = self.environment / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(PYTHON.replace("@CHECKOUT@", str(directory)))
        python.chmod(0o755)
        state = (directory / "pyproject.toml").read_bytes() + str(directory).encode()
        (self.environment / "complete").write_text(hashlib.sha256(state).hexdigest())
        self.end_with(0)

    def end_with(self, code: int) -> None:
        (self.directory / "code").write_text(str(code))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "nox", *arguments],
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        return process.wait(30), process.communicate()[0]

    def calls(self) -> list[str]:
        file = self.directory / "calls"
        return file.read_text().splitlines() if file.exists() else []


def eventually(what: Callable[[], object], seen: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something is true; a wait that ends in vain tells what was last seen."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"last seen: {seen()}"
        time.sleep(0.01)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.mark.parametrize("code", [0, 1, 2, 3, 130])
def test_the_exit_code_of_a_stage_is_that_of_its_run(checkout: Checkout, code: int) -> None:
    checkout.end_with(code)
    assert checkout.run("-s", "nightly", "--", "--inventory", "x")[0] == code
    assert checkout.calls() == ["-m proving_ground run nightly --inventory x"]


@pytest.mark.parametrize(
    "arguments",
    [["-s", "nightly", "weekly"], ["-s", "nightly", "-s", "weekly"], ["-k", "nightly or weekly"]],
)
def test_two_stages_in_one_call_are_refused_before_anything_runs(checkout: Checkout, arguments: list[str]) -> None:
    code, out = checkout.run(*arguments)
    assert code == 3
    assert "one stage in each call, found " in out
    assert checkout.calls() == []


@pytest.mark.parametrize("everybody", [True, False], ids=["terminal", "nox-only"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_stage_cleans_up_before_nox_ends(
    checkout: Checkout, number: signal.Signals, *, everybody: bool
) -> None:
    (checkout.directory / "hold").touch()
    process = checkout.start("-s", "nightly")
    eventually(checkout.calls, process.poll)
    (os.killpg if everybody else os.kill)(process.pid, number)
    out = process.communicate(timeout=30)[0]
    assert checkout.calls()[1:] == ["cleaned"], out
    assert process.returncode == 130


def test_a_session_that_does_not_exist_ends_with_3(checkout: Checkout) -> None:
    assert checkout.run("-s", "hourly")[0] == 3


def test_the_list_has_every_stage_with_its_description(checkout: Checkout) -> None:
    code, out = checkout.run("-l")
    assert code == 0
    assert "- nightly -> Stage: every model and every system, against the head of main." in out


def test_the_usage_of_a_stage_names_its_options_and_exit_codes(checkout: Checkout) -> None:
    code, out = checkout.run("--usage", "nightly")
    assert code == 0
    assert "--inventory NAME|PATH" in out
    assert "3 configuration" in out


def test_a_stage_is_added_by_adding_data(checkout: Checkout) -> None:
    stages = checkout.directory / "stages.yml"
    stages.write_text(stages.read_text() + "  hourly:\n    description: every hour\n    marks: pre_merge\n")
    assert checkout.run("-s", "hourly")[0] == 0
    assert checkout.calls() == ["-m proving_ground run hourly"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["tests"], "tests/session"),
        (["tests", "--", "unit", "--jobs", "3", "--", "-k", "cache"], "tests/session unit --jobs 3 -- -k cache"),
        (["lint"], "tests/session lint"),
        (["lint", "--", "ruff", "mypy"], "tests/session lint:ruff lint:mypy"),
        (["molecule", "--", "dynamo"], "tests/session molecule:dynamo"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_what_tests_the_project_is_handed_on_with_its_exit_code(
    checkout: Checkout, arguments: list[str], expected: str
) -> None:
    checkout.end_with(3)
    assert checkout.run("-s", *arguments)[0] == 3
    assert checkout.calls() == [expected]
