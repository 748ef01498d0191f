"""Running tests without pytest: a small scheduler over :class:`TestRun`."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from proving_ground.chainsaw.configurations import load_configuration
from proving_ground.chainsaw.execution import TestRun
from proving_ground.chainsaw.reporting import Recording, Surroundings
from proving_ground.chainsaw.shared import Shared
from proving_ground.errors import ProvingGroundError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Sequence
    from pathlib import Path

    from proving_ground.chainsaw.model import Configuration, Test
    from proving_ground.kube import Cluster

LOG = logging.getLogger(__name__)
CONFIGURATION_FILE = ".chainsaw.yaml"


@dataclass
class Result:
    """How one test ended.

    Attributes:
        test: The test.
        outcome: ``passed``, ``failed``, ``error`` (the cluster's fault, or a wrong file) or ``skipped``.
        message: Why, where it did not pass.
        verdict_at: Clock (``time.monotonic``) when the verdict was known; 0 if it never was.
        ended_at: Clock when its clean-up was verified.
        report: What it told.
    """

    test: Test
    outcome: str = "passed"
    message: str = ""
    verdict_at: float = 0.0
    ended_at: float = 0.0
    report: Recording = field(default_factory=Recording)


def find_configuration(directory: Path, root: Path | None = None) -> Path | None:
    """Return the Configuration file beside a test or in a folder above it, the nearest one.

    Args:
        directory: The test's folder.
        root: The last folder that is looked into; the working directory's repository has no say.
    """
    for folder in (directory, *directory.parents):
        candidate = folder / CONFIGURATION_FILE
        if candidate.is_file():
            return candidate
        if folder == root:
            break
    return None


def load_nearest_configuration(test: Test, root: Path | None = None) -> Configuration | None:
    """Return the Configuration that holds for a test, or None."""
    found = find_configuration(test.directory, root)
    return load_configuration(found) if found else None


async def run_tests(
    tests: Sequence[Test],
    cluster: Cluster | None,
    *,
    parallel: int = 4,
    surroundings: Surroundings | None = None,
    configuration: Configuration | None = None,
    root: Path | None = None,
) -> list[Result]:
    """Run tests: those that must be alone first, one after the other, then the others beside each other.

    A test's slot is free as soon as its verdict is known; its clean-up goes on beside the next tests, and its
    result is complete only when everything that it made is gone.

    Args:
        tests: The tests, in their order.
        cluster: Where; None: without a cluster.
        parallel: Tests under way at once, clean-ups not counted.
        surroundings: What holds for the whole run.
        configuration: Holds for all tests; if not given, each test's nearest file does.
        root: Folder above which no Configuration file is looked for.

    Returns:
        The results in the order of the tests.
    """
    shared = Shared()
    known = replace(surroundings or Surroundings(), shared=shared)
    slots = asyncio.Semaphore(parallel)
    results = [Result(test) for test in tests]

    async def one(index: int, result: Result) -> None:
        chosen = configuration or load_nearest_configuration(result.test, root)
        async with slots:
            if _fail_fast(result.test, chosen) and failed(results):
                result.outcome, result.message = "skipped", "another test failed before it began"
                return
            run = TestRun(result.test, chosen, cluster, known, result.report, index=index)
            await _noted(result, run.judge())
            result.verdict_at = time.monotonic()
        await _noted(result, run.clean_up())
        result.ended_at = time.monotonic()

    numbered = list(enumerate(results, start=1))
    try:
        for index, result in numbered:
            if result.test.skip:
                result.outcome = "skipped"
            elif not _concurrent(result.test):
                await one(index, result)
        async with asyncio.TaskGroup() as group:
            for index, result in numbered:
                if not result.test.skip and _concurrent(result.test):
                    group.create_task(one(index, result))
    finally:
        await shared.close()
    return results


async def _noted(result: Result, part: Awaitable[None]) -> None:
    """Await one part of a test and note how it ended; the first failure decides, later ones are added."""
    try:
        await part
    except AssertionError as error:
        _note(result, "failed", str(error))
    except ProvingGroundError as error:
        _note(result, "error", str(error))
    except Exception as error:  # a mistake of the engine is this test's result, not the others' end
        LOG.exception("test %s", result.test.title)
        _note(result, "error", f"the engine failed: {error!r}")


def _note(result: Result, outcome: str, message: str) -> None:
    result.outcome = outcome if result.outcome == "passed" else result.outcome
    result.message = "\n\n".join(filter(None, (result.message, message)))


def _fail_fast(test: Test, configuration: Configuration | None) -> bool:
    configured = configuration.fail_fast if configuration else None
    return bool(configured if test.fail_fast is None else test.fail_fast)


def _concurrent(test: Test) -> bool:
    return test.concurrent is not False


def failed(results: Iterable[Result]) -> list[Result]:
    """Return the results that did not pass."""
    return [result for result in results if result.outcome not in {"passed", "skipped"}]
