"""Chainsaw tests as pytest items: one item for each Test document of a ``chainsaw-test.yaml``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from _pytest.mark.structures import Mark, MarkDecorator

from proving_ground.chainsaw import pausing
from proving_ground.chainsaw.binary import BinaryRuns
from proving_ground.chainsaw.choices import set_value
from proving_ground.chainsaw.conventions import load_folder
from proving_ground.chainsaw.discovery import is_step_file
from proving_ground.chainsaw.execution import TestRun
from proving_ground.chainsaw.failures import place
from proving_ground.chainsaw.loader import check_files, load_tests
from proving_ground.chainsaw.reporting import Surroundings
from proving_ground.chainsaw.resources import load_values
from proving_ground.chainsaw.run import load_nearest_configuration
from proving_ground.errors import ProvingGroundError
from proving_ground.plugin.guest import guest_of
from proving_ground.plugin.items import ConcurrentItem
from proving_ground.plugin.skipping import NOT_STARTED, skip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from _pytest._code.code import ExceptionInfo, TerminalRepr

    from proving_ground.chainsaw.model import Configuration, Test
    from proving_ground.plugin.check_run import CheckRun, Settings
    from proving_ground.plugin.guest import Guest

MARKS_ANNOTATION = "proving.ground/marks"
DEFAULT_MARKS = ("nightly",)
_GUEST_MARKS = ("chainsaw",)
_VALUES: pytest.StashKey[dict[str, Any]] = pytest.StashKey()
_BINARY: pytest.StashKey[BinaryRuns] = pytest.StashKey()
_NUMBER: pytest.StashKey[int] = pytest.StashKey()
_FAILED: pytest.StashKey[bool] = pytest.StashKey()


def collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Return the collector of a Chainsaw test file."""
    collector: ChainsawFile = ChainsawFile.from_parent(parent, path=file_path)
    return collector


class ChainsawFile(pytest.File):
    """A file of Test documents, or the first one of a folder of numbered files."""

    def collect(self) -> Iterator[ChainsawItem]:
        """Yield an item for each test.

        Raises:
            ConfigurationError: The file, or one that it names, holds something that cannot be run.
        """
        guest = guest_of(self.config)
        seen: dict[str, int] = {}
        for test in self._tests(guest):
            check_files(test, remote=guest is not None and guest.chainsaw.choices.remote_files)
            title = guest.chainsaw.name(test) if guest is not None else test.title
            for number in range(guest.chainsaw.discovery.repeat_count if guest is not None else 1):
                seen[title] = seen.get(title, 0) + 1
                name = title if seen[title] == 1 else f"{title}#{seen[title]}"
                yield ChainsawItem.from_parent(self, name=name, test=test, guest=guest, repetition=number + 1)

    def _tests(self, guest: Guest | None) -> tuple[Test, ...]:
        if guest is not None and is_step_file(self.path, guest.chainsaw.discovery.test_file):
            found = load_folder(self.path.parent)
            return (found,) if found is not None else ()
        return load_tests(self.path)

    def repr_failure(  # the base's signature differs between Collector and Node
        self,
        excinfo: ExceptionInfo[BaseException],
        style: Any = None,  # noqa: ARG002
    ) -> str | TerminalRepr:
        """Show errors for people as their line."""
        return str(excinfo.value) if isinstance(excinfo.value, ProvingGroundError) else super().repr_failure(excinfo)


class ChainsawItem(ConcurrentItem):
    """One test.

    Marks come from the Test's annotation ``proving.ground/marks`` (separated by commas); without one it is
    ``nightly``, in somebody else's project ``chainsaw``. Its labels are keywords for ``-k``.
    """

    def __init__(
        self, *, test: Test, guest: Guest | None = None, repetition: int = 1, marks: Iterable[str] = (), **keywords: Any
    ) -> None:
        super().__init__(**keywords)
        self.test = test
        self.repetition = repetition
        self.check_name = self.name
        self.description = test.description
        self.concurrent = test.concurrent is not False
        self.strict_turns = True
        self._guest = guest
        self._configuration = self._configured()
        self._run: TestRun | None = None
        self.check_run: CheckRun | None = None
        annotated = [mark.strip() for mark in test.annotations.get(MARKS_ANNOTATION, "").split(",")]
        chosen = [*marks] or [mark for mark in annotated if mark]
        if guest is None:
            for mark in chosen or DEFAULT_MARKS:
                self.add_marker(mark)
            return
        for mark in dict.fromkeys([*_GUEST_MARKS, *chosen]):
            if mark in chosen:
                self.config.addinivalue_line("markers", f"{mark}: named by {MARKS_ANNOTATION} of a Chainsaw test")
            # Not through pytest.mark, which has read the project's own list of marks before.
            self.add_marker(MarkDecorator(Mark(mark, (), {}, _ispytest=True), _ispytest=True))
        for key, value in test.labels.items():
            self.extra_keyword_matches |= {key, value, f"{key}={value}"} - {""}

    def _configured(self) -> Configuration | None:
        if self._guest is not None:
            return self._guest.chainsaw.configuration_of(self.test)
        return load_nearest_configuration(self.test, self.config.rootpath)

    async def set_up(self, run: CheckRun) -> None:
        """Skip a test that its file skips, or that is not worth running any more."""
        self._run = None
        self.check_run = run
        if self.test.skip:
            skip("spec-skip", f"spec.skip is true at {self.test.where}")
        configured = self._configuration.fail_fast if self._configuration else None
        fail_fast = configured if self.test.fail_fast is None else self.test.fail_fast
        if fail_fast and (self.session.testsfailed or self.session.stash.get(_FAILED, False)):
            skip(NOT_STARTED, "another test failed, and this one's file asks for failFast")
        if self._guest is not None:
            await self._guest.reach(run)
        run.property("place", place(self.test.where))

    async def execute(self, run: CheckRun) -> None:
        """Run the test to its verdict."""
        __tracebackhide__ = True
        values = self._values(run.settings)
        if run.settings.engine == "chainsaw":
            await self._binary(run, values)
            return
        without = self._guest is not None and self._guest.chainsaw.choices.no_cluster
        cluster = None if without else await run.cluster()
        settings = run.settings
        surroundings = Surroundings(
            run_id=settings.run_id,
            fault=settings.fault or "",
            wait_limit=settings.wait_limit,
            cleanup_limit=settings.cleanup_limit if self._guest is None else self._cleanup_limit(),
            values=values,
            remote_files=self._guest is not None and self._guest.chainsaw.choices.remote_files,
            shared=await run.shared.chainsaw() if run.shared is not None else None,
        )
        self._run = TestRun(self.test, self._configuration, cluster, surroundings, run, index=self._next_number())
        try:
            await self._run.judge()
        except AssertionError as error:
            if not settings.reruns:  # the report, after the clean-up, would come too late for failFast
                self.session.stash[_FAILED] = True
            if self._guest is not None and self._guest.chainsaw.choices.pause:
                await pausing.pause(self.name, str(error))
            raise

    async def tear_down(self, run: CheckRun) -> None:  # noqa: ARG002  # part of the interface
        """Remove what the test made and verify that it is gone."""
        __tracebackhide__ = True
        if self._run is not None:
            await self._run.clean_up()

    def _cleanup_limit(self) -> float | None:
        given: float | None = self.config.getoption("chainsaw_cleanup_limit", None)
        return given

    def _next_number(self) -> int:
        """Return the number of the test in the run: tests count from 1 as they begin."""
        number = self.config.stash.get(_NUMBER, 0) + 1
        self.config.stash[_NUMBER] = number
        return number

    async def _binary(self, run: CheckRun, values: dict[str, Any]) -> None:
        """Have the chainsaw binary run the whole suite folder once, and report this test's part of it."""
        runs = self.config.stash.setdefault(_BINARY, BinaryRuns())
        siblings = [item.test for item in self.session.items if isinstance(item, ChainsawItem)]
        cluster = await run.cluster()
        await runs.result(self.test, siblings, cluster.kubeconfig, run.settings.parallel, values, run)

    def _values(self, settings: Settings) -> dict[str, Any]:
        """Return ``$values``, read once for the session."""
        if self._guest is not None:
            return self._guest.chainsaw.values
        known = self.config.stash.get(_VALUES, None)
        if known is None:
            known = load_values(settings.values_files)
            for key, text in settings.set_values:
                set_value(known, key, text)
            for key, text in settings.set_strings:
                set_value(known, key, text, typed=False)
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
