"""Running tests with the chainsaw binary instead, where it is installed.

What is lost: fail-fast during the readiness wait, diagnostics of a failed object, faults, the wait limit, verified
clean-up, and a verdict before the clean-up. One process runs a whole suite, so its tests report together at its end.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from proving_ground.chainsaw.failures import TestFailedError
from proving_ground.chainsaw.run import find_configuration
from proving_ground.errors import ConfigurationError, InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proving_ground.chainsaw.model import Test
    from proving_ground.chainsaw.reporting import Report

BINARY = "chainsaw"
_REPORT = "report"
_SHOWN_LINES = 60


@dataclass(frozen=True)
class BinaryResult:
    """What chainsaw says about one test."""

    failed: bool
    skipped: bool
    seconds: float
    namespace: str
    failures: tuple[str, ...]


def find_binary() -> str:
    """Return the path of the binary.

    Raises:
        ConfigurationError: It is not installed.
    """
    found = shutil.which(BINARY)
    if found is None:
        raise ConfigurationError(
            "the chainsaw binary is not installed",
            where="--engine chainsaw",
            hint="leave the option out: no binary is needed then",
        )
    return found


def parse_report(text: str) -> dict[tuple[str, str], BinaryResult]:
    """Return the results of chainsaw's JSON report by folder and name of the test.

    Raises:
        InfrastructureError: It is not a report.
    """
    try:
        document = json.loads(text)
        return {(_folder(test["basePath"]), test["name"]): _result(test) for test in document.get("tests") or []}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InfrastructureError(f"chainsaw wrote a report that cannot be read: {error!r}") from error


def _folder(path: str) -> str:
    return str(Path(path).resolve())


def _result(test: Mapping[str, Any]) -> BinaryResult:
    failures = []
    for number, step in enumerate(test.get("steps") or [], start=1):
        for operation in step.get("operations") or []:
            failure = (operation.get("failure") or {}).get("error")
            if failure:
                name = f'step "{step["name"]}"' if step.get("name") else f"step {number}"
                failures.append(f"{operation.get('type', 'operation')} failed, {name}: {failure}")
    return BinaryResult(
        failed=bool(test.get("failed")) or bool(failures),
        skipped=bool(test.get("skipped")),
        seconds=float(test.get("duration") or 0),
        namespace=str(test.get("namespace") or ""),
        failures=tuple(failures),
    )


class BinaryRuns:
    """One process of the binary for each suite folder of a session, shared by the tests in it."""

    def __init__(self) -> None:
        self._runs: dict[Path, asyncio.Task[tuple[dict[tuple[str, str], BinaryResult], str]]] = {}

    async def result(
        self,
        test: Test,
        tests: Sequence[Test],
        kubeconfig: Path,
        parallel: int,
        values: Mapping[str, Any],
        report: Report,
    ) -> None:
        """Wait for the process that runs a test, and report the test's part of it.

        Args:
            test: The test.
            tests: All tests of the session; those in folders beside it run in the same process.
            kubeconfig: The cluster.
            parallel: Tests under way at once.
            values: What ``$values`` is bound to.
            report: Whom to tell.

        Raises:
            TestFailedError: Chainsaw says that the test failed.
            InfrastructureError: Chainsaw broke, or says nothing about the test.
        """
        binary = find_binary()
        suite = test.directory.parent
        task = self._runs.get(suite)
        if task is None:
            folders = sorted({t.directory for t in tests if t.directory.parent == suite} | {test.directory})
            work = _run(binary, folders, suite, kubeconfig, parallel, values)
            task = self._runs[suite] = asyncio.get_running_loop().create_task(work)
        results, output = await asyncio.shield(task)
        found = results.get((_folder(str(test.directory)), test.name))
        if found is None:
            raise InfrastructureError(f"chainsaw says nothing about the test {test.name}; it wrote:\n{output}")
        report.metric("seconds_by_chainsaw", found.seconds)
        if found.namespace:
            report.property("namespace", found.namespace)
        if found.failed:
            report.attach("output of chainsaw", output)
            raise TestFailedError(list(found.failures) or ["chainsaw says that the test failed, and not why"])


async def _run(
    binary: str, folders: Sequence[Path], suite: Path, kubeconfig: Path, parallel: int, values: Mapping[str, Any]
) -> tuple[dict[tuple[str, str], BinaryResult], str]:
    with tempfile.TemporaryDirectory(prefix="proving-ground-chainsaw-") as scratch:
        command = [binary, "test", *map(str, folders), "--parallel", str(parallel or 4), "--no-color"]
        command += ["--report-format", "JSON", "--report-path", scratch, "--report-name", _REPORT]
        configuration = find_configuration(suite, suite.parent)
        if configuration is not None:
            command += ["--config", str(configuration)]
        if values:
            command += ["--values", _write_values(Path(scratch), values)]
        output = await _output(command, suite, kubeconfig)
        written = Path(scratch, f"{_REPORT}.json")
        if not await asyncio.to_thread(written.is_file):
            raise InfrastructureError(f"chainsaw wrote no report; it said:\n{output}", where=str(suite))
        return parse_report(await asyncio.to_thread(written.read_text, encoding="utf-8")), output


def _write_values(scratch: Path, values: Mapping[str, Any]) -> str:
    """Write the values, which may be secret, for the binary to read."""
    given = scratch / "values.yaml"
    given.touch(mode=0o600)
    given.write_text(yaml.safe_dump(dict(values)), encoding="utf-8")
    return str(given)


async def _output(command: Sequence[str], directory: Path, kubeconfig: Path) -> str:
    """Run chainsaw and return the last lines of what it wrote; interrupted, it gets to clean up itself."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=directory,
        env={**os.environ, "KUBECONFIG": str(kubeconfig)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        written, _ = await process.communicate()
    except asyncio.CancelledError:
        os.killpg(process.pid, signal.SIGINT)
        await process.wait()
        raise
    return "\n".join(written.decode(errors="replace").splitlines()[-_SHOWN_LINES:])
