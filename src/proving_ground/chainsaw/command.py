"""Running Chainsaw tests as `proving-ground chainsaw test` does: as pytest items, in a pytest of our own."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

import pytest
from _pytest.runner import collect_one_node

from proving_ground import environ
from proving_ground.chainsaw import report_files
from proving_ground.chainsaw.binary import find_binary
from proving_ground.chainsaw.choices import Choices, Session
from proving_ground.chainsaw.discovery import find_test_files
from proving_ground.chainsaw.items import ChainsawFile, ChainsawItem
from proving_ground.chainsaw.report_files import TestReport
from proving_ground.chainsaw.screen import Screen
from proving_ground.errors import ConfigurationError, ExitCode, ProvingGroundError
from proving_ground.plugin.guest import CHOICES, guest_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from proving_ground.chainsaw.screen import Ended


#: Keeps options and plugins of other pytests of this environment out.
_OWN_PYTEST = {"PYTEST_ADDOPTS": None, "PYTEST_PLUGINS": None, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of the command.

    Attributes:
        roots: Folders that are searched.
        choices: What is asked for.
        junit: JUnit report in pytest's form; None: none.
        colour: Whether the screen has colours.
        quiet: Whether it shows failures and the summary only.
        engine: ``builtin``, or ``chainsaw`` for the binary.
        screen: Where is written.
    """

    roots: tuple[Path, ...]
    choices: Choices
    junit: Path | None = None
    colour: bool = False
    quiet: bool = False
    engine: str = "builtin"
    screen: TextIO = field(default_factory=lambda: sys.stdout)


def run(call: Call) -> int:
    """Run the tests, and return the exit code.

    Raises:
        ConfigurationError: An option, a folder or the Configuration cannot be used.
        InfrastructureError: There is no kubeconfig, or a report cannot be written.
    """
    session = Session(call.choices)
    files = find_test_files(call.roots, session.discovery.test_file)
    if not files:
        roots = ", ".join(map(str, call.roots))
        raise ConfigurationError(
            f"no test file {session.discovery.test_file!r} below {roots}", hint="--test-file gives another name"
        )
    if call.engine == "chainsaw":
        find_binary()
    if not call.choices.no_cluster:
        call.choices.find_kubeconfig()
    screen = Screen(call.screen, colour=call.colour, quiet=call.quiet)
    collection = Collection(files, call.choices)
    arguments = ["-p", "no:terminal", "-p", "no:cacheprovider", "-p", "proving_ground.plugin", "--noconftest"]
    arguments += ["-c", os.devnull, "--rootdir", str(call.choices.directory), f"--chainsaw-engine={call.engine}"]
    if call.choices.pause:
        arguments.append("--capture=no")
    if call.junit is not None:
        arguments.append(f"--junitxml={call.junit}")
    with environ.changed(_OWN_PYTEST):
        code = pytest.main(arguments, plugins=[screen, collection])
    screen.problems += collection.problems
    if code == pytest.ExitCode.USAGE_ERROR and not screen.problems:
        return ExitCode.CONFIGURATION  # pytest told why
    screen.summary(collection.cancelled, session.why_nothing())
    discovery = session.discovery
    if discovery.report_format and screen.ended:
        path = report_files.file_of(
            call.choices.directory, discovery.report_path, discovery.report_name, discovery.report_format
        )
        report_files.write(path, discovery.report_format, discovery.report_name, collection.reports(screen.ended))
    return screen.exit_code()


class Collection:
    """A pytest plugin that collects given files, and nothing else.

    Args:
        files: The test files.
        choices: What is asked for.
    """

    def __init__(self, files: Sequence[Path], choices: Choices) -> None:
        self._files = files
        self._choices = choices
        self._items: dict[str, ChainsawItem] = {}
        self._config: pytest.Config | None = None

    def pytest_configure(self, config: pytest.Config) -> None:
        """Hand over the choices."""
        self._config = config
        config.stash[CHOICES] = self._choices

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> bool:
        """Collect.

        Raises:
            pytest.UsageError: What is asked for cannot be done.
        """
        try:
            guest_of(session.config)
        except ProvingGroundError as error:
            raise pytest.UsageError(str(error)) from error
        session.items = items = []
        for path in self._files:
            collector: ChainsawFile = ChainsawFile.from_parent(session, path=path.absolute())
            report = collect_one_node(collector)
            collector.ihook.pytest_collectreport(report=report)
            if report.passed:
                items += [item for item in report.result if isinstance(item, pytest.Item)]
        session.config.hook.pytest_collection_modifyitems(session=session, config=session.config, items=items)
        session.testscollected = len(items)
        self._items = {item.nodeid: item for item in items if isinstance(item, ChainsawItem)}
        session.config.hook.pytest_collection_finish(session=session)
        return True

    @property
    def cancelled(self) -> list[str]:
        """Tests that were cancelled before their verdict."""
        guest = guest_of(self._config) if self._config is not None else None
        return guest.cancelled if guest is not None else []

    @property
    def problems(self) -> list[str]:
        """What went wrong beside the tests."""
        guest = guest_of(self._config) if self._config is not None else None
        return [guest.recorder.problem] if guest is not None and guest.recorder.problem else []

    def reports(self, ended: Sequence[Ended]) -> list[TestReport]:
        """Return how the tests ended, for the report files."""
        found = []
        for each in ended:
            item = self._items[each.nodeid]
            run = item.check_run
            found.append(
                TestReport(
                    name=item.name,
                    folder=os.path.relpath(item.test.directory, self._choices.directory),
                    started=each.started,
                    seconds=each.seconds,
                    concurrent=item.concurrent,
                    namespace=run.properties.get("namespace", "") if run is not None else "",
                    skipped=each.outcome == "skipped",
                    message=each.message if each.outcome in {"failed", "error"} else "",
                    operations=tuple(run.operations) if run is not None else (),
                )
            )
        return found
