"""A simulated platform for the tests that need a real API server: one for the whole session, kept by a real run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proving_ground.contracts.platform import Platform
from proving_ground.pipeline.options import new_run_id

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


def proving_ground(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "proving_ground", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )


@pytest.fixture(scope="session", autouse=True)
def _no_history_of_others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Runs of tests are no history of whoever tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROVING_GROUND_HISTORY", str(tmp_path_factory.mktemp("history") / "history.sqlite"))
        yield


@pytest.fixture(scope="session")
def sim_platform_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """platform.json of a run on sim with fleet and AIM stand-in; PROVING_GROUND_TEST_PLATFORM names one to reuse."""
    given = os.environ.get("PROVING_GROUND_TEST_PLATFORM")
    if given:
        yield Path(given).resolve()
        return
    run_id = f"tests-{new_run_id()}"
    artifacts = tmp_path_factory.mktemp("artifacts")
    made = proving_ground(
        "run", "pre_merge", "--only", "platform", "--keep", "--run-id", run_id, "--artifacts", str(artifacts)
    )
    try:
        if made.returncode != 0:
            pytest.fail(f"no simulated platform could be made:\n{made.stdout}{made.stderr}")
        yield artifacts / run_id / "platform.json"
    finally:
        proving_ground("clean", run_id)


@pytest.fixture(scope="session")
def sim_platform(sim_platform_file: Path) -> Platform:
    """What that file says."""
    return Platform.model_validate_json(sim_platform_file.read_bytes())


@pytest.fixture(scope="session")
def sim_cluster(sim_platform: Platform) -> str:
    """Path of the kubeconfig of the simulated cluster."""
    return sim_platform.clusters["default"].kubeconfig
