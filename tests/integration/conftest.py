"""A simulated platform for the tests that need a real API server: one for the whole session, kept by a real run.

The collection's Python is importable as Ansible imports it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from proving_ground.contracts.platform import Platform
from proving_ground.pipeline.options import new_run_id

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
WEEKLY = "PROVING_GROUND_TEST_WEEKLY"


def pytest_configure(config: pytest.Config) -> None:
    """End at SIGTERM as at Ctrl-C, so that fixtures remove their platforms.

    A shell's background job ignores Ctrl-C, and so would the programs that tests interrupt.
    """
    config.addinivalue_line("markers", f"weekly: what takes long and seldom breaks by itself; {WEEKLY} selects it")
    for number, inherited in ((signal.SIGTERM, signal.SIG_DFL), (signal.SIGINT, signal.SIG_IGN)):
        if signal.getsignal(number) == inherited:
            signal.signal(number, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is tested weekly, unless it is asked for."""
    if os.environ.get(WEEKLY):
        return
    for item in items:
        if item.get_closest_marker("weekly"):
            item.add_marker(pytest.mark.skip(reason=f"takes long: set {WEEKLY}"))


def _package(name: str, *paths: Path) -> None:
    if name not in sys.modules:
        package = types.ModuleType(name)
        package.__path__ = [str(path) for path in paths]
        sys.modules[name] = package


_package("ansible_collections")
_package("ansible_collections.proving")
_package("ansible_collections.proving.ground", ROOT)


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
def aim_inventory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inventory sim with the system `aim` only: what nobody asks for takes time, too."""
    inventory = tmp_path_factory.mktemp("inventory") / "sim"
    shutil.copytree(ROOT / "inventories/sim", inventory)
    hosts = yaml.safe_load((inventory / "hosts.yml").read_text())
    for group in ("budaiscalers", "dynamos", "inference_servers"):
        del hosts["all"]["children"][group]
    (inventory / "hosts.yml").write_text(yaml.safe_dump(hosts))
    return inventory


@pytest.fixture(scope="session")
def sim_platform_file(tmp_path_factory: pytest.TempPathFactory, aim_inventory: Path) -> Iterator[Path]:
    """platform.json of a run on sim with fleet and AIM stand-in; PROVING_GROUND_TEST_PLATFORM names one to reuse."""
    given = os.environ.get("PROVING_GROUND_TEST_PLATFORM")
    if given:
        yield Path(given).resolve()
        return
    run_id = f"tests-{new_run_id()}"
    artifacts = tmp_path_factory.mktemp("artifacts")
    words = ("run", "pre_merge", "--inventory", str(aim_inventory), "--only", "platform", "--keep")
    try:
        made = proving_ground(*words, "--run-id", run_id, "--artifacts", str(artifacts))
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
