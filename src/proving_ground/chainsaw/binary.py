"""Running tests with the chainsaw binary instead, where it is installed.

What is lost: fail-fast during the readiness wait, diagnostics of a failed object, faults, the wait limit, verified
clean-up, and a verdict before the clean-up. One process runs a whole suite, so its tests report together at its end.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import re
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
_VERDICT = re.compile(r"^\s*--- FAIL: chainsaw/(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class BinaryResult:
    """What chainsaw says about one test."""

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


def failed_names(output: str) -> frozenset[str]:
    """Return the tests that failed by chainsaw's own last lines.

    Its JSON report names the operations that failed, and nothing else: a test whose namespace could not be made or
    removed looks as if it had passed there.
    """
    return frozenset(_VERDICT.findall(output))


def _seconds(test: Mapping[str, Any]) -> float:
    try:
        start, end = (dt.datetime.fromisoformat(str(test[key])) for key in ("startTime", "endTime"))
    except (KeyError, ValueError):
        return 0.0
    return (end - start).total_seconds()


def _result(test: Mapping[str, Any]) -> BinaryResult:
    failures = []
    for number, step in enumerate(test.get("steps") or [], start=1):
        for operation in step.get("operations") or []:
            failure = (operation.get("failure") or {}).get("error")
            if failure:
                name = f'step "{step["name"]}"' if step.get("name") else f"step {number}"
                failures.append(f"{operation.get('type', 'operation')} failed, {name}: {failure}")
    return BinaryResult(
        skipped=bool(test.get("skipped")),
        seconds=_seconds(test),
        namespace=str(test.get("namespace") or ""),
        failures=tuple(failures),
    )


@dataclass(frozen=True)
class _Ended:
    """How one process of the binary ended."""

    results: Mapping[tuple[str, str], BinaryResult]
    output: str
    code: int


class BinaryRuns:
    """One process of the binary for each suite folder of a session, shared by the tests in it."""

    def __init__(self) -> None:
        self._runs: dict[Path, asyncio.Task[_Ended]] = {}

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
        ended = await asyncio.shield(task)
        shown = "\n".join(ended.output.splitlines()[-_SHOWN_LINES:])
        found = ended.results.get((_folder(str(test.directory)), test.name))
        if found is None:
            raise InfrastructureError(f"chainsaw says nothing about the test {test.name}; it wrote:\n{shown}")
        report.metric("seconds_by_chainsaw", found.seconds)
        if found.namespace:
            report.property("namespace", found.namespace)
        if found.failures or test.name in failed_names(ended.output):
            report.attach("output of chainsaw", shown)
            raise TestFailedError(
                list(found.failures) or ["chainsaw says that the test failed, and names no operation"]
            )
        if ended.code and not failed_names(ended.output):
            raise InfrastructureError(f"chainsaw ended with {ended.code} and says of no test that it failed:\n{shown}")


async def _run(
    binary: str, folders: Sequence[Path], suite: Path, kubeconfig: Path, parallel: int, values: Mapping[str, Any]
) -> _Ended:
    with tempfile.TemporaryDirectory(prefix="proving-ground-chainsaw-") as scratch:
        command = [binary, "test", *map(str, folders), "--parallel", str(parallel or 4), "--no-color"]
        command += ["--report-format", "JSON", "--report-path", scratch, "--report-name", _REPORT]
        configuration = find_configuration(suite, suite.parent)
        if configuration is not None:
            command += ["--config", str(configuration)]
        if values:
            command += ["--values", _write_values(Path(scratch), values)]
        output, code = await _output(command, suite, kubeconfig)
        written = Path(scratch, f"{_REPORT}.json")
        if not await asyncio.to_thread(written.is_file):
            raise InfrastructureError(f"chainsaw wrote no report; it said:\n{output}", where=str(suite))
        text = await asyncio.to_thread(written.read_text, encoding="utf-8")
        return _Ended(parse_report(text), output, code)


def _write_values(scratch: Path, values: Mapping[str, Any]) -> str:
    """Write the values, which may be secret, for the binary to read."""
    given = scratch / "values.yaml"
    given.touch(mode=0o600)
    given.write_text(yaml.safe_dump(dict(values)), encoding="utf-8")
    return str(given)


async def _output(command: Sequence[str], directory: Path, kubeconfig: Path) -> tuple[str, int]:
    """Run chainsaw and return what it wrote and its exit status; interrupted, it gets to clean up itself."""
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
    return written.decode(errors="replace"), process.returncode or 0
