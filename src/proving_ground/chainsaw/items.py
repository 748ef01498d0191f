"""Chainsaw tests as pytest items: one item for each Test document of a ``chainsaw-test.yaml``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from proving_ground.chainsaw.binary import BinaryRuns
from proving_ground.chainsaw.execution import TestRun
from proving_ground.chainsaw.failures import place
from proving_ground.chainsaw.loader import check_files, load_tests
from proving_ground.chainsaw.reporting import Surroundings
from proving_ground.chainsaw.resources import load_values
from proving_ground.chainsaw.run import load_nearest_configuration
from proving_ground.errors import ConfigurationError
from proving_ground.plugin.items import ConcurrentItem
from proving_ground.plugin.skipping import NOT_STARTED, skip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from _pytest._code.code import ExceptionInfo, TerminalRepr

    from proving_ground.chainsaw.model import Test
    from proving_ground.plugin.check_run import CheckRun, Settings

MARKS_ANNOTATION = "proving.ground/marks"
DEFAULT_MARKS = ("nightly",)
_VALUES: pytest.StashKey[dict[str, Any]] = pytest.StashKey()
_BINARY: pytest.StashKey[BinaryRuns] = pytest.StashKey()


def collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Return the collector of a Chainsaw test file."""
    collector: ChainsawFile = ChainsawFile.from_parent(parent, path=file_path)
    return collector


class ChainsawFile(pytest.File):
    """A file of Test documents."""

    def collect(self) -> Iterator[ChainsawItem]:
        """Yield an item for each test.

        Raises:
            ConfigurationError: The file, or one that it names, holds something that cannot be run.
        """
        for test in load_tests(self.path):
            check_files(test)
            yield ChainsawItem.from_parent(self, name=test.name, test=test)


class ChainsawItem(ConcurrentItem):
    """One test.

    Marks come from the Test's annotation ``proving.ground/marks`` (separated by commas), ``nightly`` without one.
    """

    def __init__(self, *, test: Test, marks: Iterable[str] | None = None, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.test = test
        self.check_name = test.name
        self.description = test.description
        self.concurrent = test.concurrent is not False
        self._configuration = load_nearest_configuration(test, self.config.rootpath)
        self._run: TestRun | None = None
        annotated = [mark.strip() for mark in test.annotations.get(MARKS_ANNOTATION, "").split(",")]
        for mark in marks if marks is not None else [mark for mark in annotated if mark] or DEFAULT_MARKS:
            self.add_marker(mark)

    async def set_up(self, run: CheckRun) -> None:
        """Skip a test that its file skips, or that is not worth running any more."""
        self._run = None
        if self.test.skip:
            skip("spec-skip", f"spec.skip is true at {self.test.where}")
        configured = self._configuration.fail_fast if self._configuration else None
        fail_fast = configured if self.test.fail_fast is None else self.test.fail_fast
        if fail_fast and self.session.testsfailed:
            skip(NOT_STARTED, "another test failed, and this one's file asks for failFast")
        run.property("place", place(self.test.where))

    async def execute(self, run: CheckRun) -> None:
        """Run the test to its verdict."""
        __tracebackhide__ = True
        values = self._values(run.settings)
        if run.settings.engine == "chainsaw":
            await self._binary(run, values)
            return
        cluster = await run.cluster()
        settings = run.settings
        surroundings = Surroundings(
            run_id=settings.run_id,
            fault=settings.fault or "",
            wait_limit=settings.wait_limit,
            cleanup_limit=settings.cleanup_limit,
            values=values,
        )
        self._run = TestRun(self.test, self._configuration, cluster, surroundings, run)
        await self._run.judge()

    async def tear_down(self, run: CheckRun) -> None:  # noqa: ARG002  # part of the interface
        """Remove what the test made and verify that it is gone."""
        __tracebackhide__ = True
        if self._run is not None:
            await self._run.clean_up()

    async def _binary(self, run: CheckRun, values: dict[str, Any]) -> None:
        """Have the chainsaw binary run the whole suite folder once, and report this test's part of it."""
        runs = self.config.stash.setdefault(_BINARY, BinaryRuns())
        siblings = [item.test for item in self.session.items if isinstance(item, ChainsawItem)]
        cluster = await run.cluster()
        await runs.result(self.test, siblings, cluster.kubeconfig, run.settings.parallel, values, run)

    def _values(self, settings: Settings) -> dict[str, Any]:
        """Return ``$values``, read once for the session."""
        known = self.config.stash.get(_VALUES, None)
        if known is None:
            known = load_values(settings.values_files)
            for key, text in settings.set_values:
                set_value(known, key, text)
            self.config.stash[_VALUES] = known
        return known

    def repr_failure(  # type: ignore[override]  # pytest's two base classes do not agree either
        self, excinfo: ExceptionInfo[BaseException]
    ) -> str | TerminalRepr:
        """Show a failure of the test as its text: the traceback of the engine says nothing about it."""
        return str(excinfo.value) if isinstance(excinfo.value, AssertionError) else super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return file, line (from 0) and name for pytest's own reports."""
        return self.path, self.test.where.line - 1, self.name


def set_value(values: dict[str, Any], key: str, text: str) -> None:
    """Set one value in place; dots in the key descend, the text is YAML.

    Raises:
        ConfigurationError: The key descends into something that is no map, or the text is not YAML.
    """
    *path, last = key.split(".")
    inner: Any = values
    for part in path:
        inner = inner.setdefault(part, {})
        if not isinstance(inner, dict):
            raise ConfigurationError(f"{part} of {key} is no map", where="--set")
    try:
        inner[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"the value of {key} is not YAML: {text!r}", where="--set") from error
