"""Running generated tests on a cluster that is there, without a stage."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from proving_ground.contracts.platform import Capabilities, Clock, Cluster, Platform, System
from proving_ground.errors import ConfigurationError, ExitCode, InfrastructureError

if TYPE_CHECKING:
    from proving_ground.models.generation import Plan


def run_tests(
    plan: Plan,
    *,
    work: Path,
    engine: str,
    parallel: int,
    kubeconfig: Path | None,
    values: Path | None,
    configuration: Path,
) -> int:
    """Run what was generated, its output on this process's own, and return the exit code.

    Args:
        plan: What was generated; stale folders that remain there are not run.
        work: A private folder for files of this call.
        engine: ``builtin``, or ``chainsaw`` for the binary on PATH.
        parallel: Tests under way at once.
        kubeconfig: The cluster; absent: KUBECONFIG, else ~/.kube/config.
        values: values.yaml, where a test needs it.
        configuration: A Chainsaw configuration, used where it exists: Chainsaw itself would look for
            it in the current directory only.

    Raises:
        ConfigurationError: There is nothing to run, no kubeconfig or no binary.
        InfrastructureError: A process cannot be started.
    """
    if not plan.tests:
        raise ConfigurationError("every row is skipped, there is nothing to run", where=str(plan.output))
    kubeconfig = _kubeconfig(kubeconfig)
    tests = [str(folder.path.resolve()) for folder in plan.tests]
    if engine == "chainsaw":
        command = [_chainsaw(), "test", "--parallel", str(parallel)]
        command += ["--config", str(configuration)] if configuration.is_file() else []
        command += ["--values", str(values)] if values else []
        return ExitCode.PASSED if _call([*command, *tests], kubeconfig) == 0 else ExitCode.FAILED
    platform = work / "platform.json"
    platform.write_text(_platform(kubeconfig).model_dump_json(), encoding="utf-8")
    settings = work / "pytest.ini"
    settings.write_text("[pytest]\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-c",
        str(settings),
        "--rootdir",
        str(plan.output),
    ]
    command += ["--platform", str(platform), "--artifacts-dir", str(work), "--parallel", str(parallel)]
    command += ["--values", str(values.resolve())] if values else []
    return ExitCode.of_pytest(_call([*command, *tests], kubeconfig))


def _kubeconfig(path: Path | None) -> Path:
    given = path or Path(os.environ.get("KUBECONFIG") or "~/.kube/config").expanduser()
    if not given.is_file():
        raise ConfigurationError("no such kubeconfig", where=str(given), hint="give --kubeconfig")
    return given.resolve()


def _chainsaw() -> str:
    found = shutil.which("chainsaw")
    if found is None:
        raise ConfigurationError("chainsaw is not on PATH", hint="install it, or leave out --engine chainsaw")
    return found


def _platform(kubeconfig: Path) -> Platform:
    return Platform(
        run_id="models-test",
        inventory="existing",
        clusters={"default": Cluster(kubeconfig=str(kubeconfig))},
        systems={"aim": System(implementation="existing")},
        capabilities=Capabilities(promised=["kubernetes"], present=["kubernetes"]),
        clock=Clock(started=dt.datetime.now(dt.UTC)),
    )


def _call(command: list[str], kubeconfig: Path) -> int:
    try:
        return subprocess.run(command, check=False, env={**os.environ, "KUBECONFIG": str(kubeconfig)}).returncode
    except OSError as error:
        raise InfrastructureError(f"{command[0]} cannot be started: {error.strerror}") from error
