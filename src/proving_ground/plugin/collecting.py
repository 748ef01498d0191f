"""How the Python files of suites are collected."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

from proving_ground.errors import ConfigurationError
from proving_ground.plugin import resolution, vocabulary
from proving_ground.plugin.items import AsyncCheck
from proving_ground.plugin.suite_files import SuiteFiles

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path
    from typing import TypeAlias

    from proving_ground.contracts.suite import Suite

    Made: TypeAlias = pytest.Item | pytest.Collector | list[pytest.Item | pytest.Collector] | None

SUITES: pytest.StashKey[SuiteFiles] = pytest.StashKey()


def suite_of(item: pytest.Item | pytest.Collector) -> Suite | None:
    """Return the suite that an item belongs to: the one that its file, or a parent's file, lies in.

    Raises:
        ConfigurationError: Its suite.yml is not usable.
    """
    files = item.config.stash[SUITES]
    for node in item.iter_parents():
        path = getattr(node, "path", None)
        if path is not None and (suite := files.of(path if path.is_dir() else path.parent)) is not None:
            return suite
    return None


class SuiteCollection:
    """Makes checks of asynchronous test functions, and knows the marks that files use.

    Args:
        config: The session's configuration.
        everywhere: Whether also files outside of suites are treated so.
    """

    def __init__(self, config: pytest.Config, *, everywhere: bool) -> None:
        self._config = config
        self._everywhere = everywhere
        self._needs: set[str] = set()
        config.stash[SUITES] = SuiteFiles()

    def _is_ours(self, path: Path) -> bool:
        if self._everywhere:
            return True
        try:
            return self._config.stash[SUITES].of(path.parent) is not None
        except ConfigurationError:
            return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makemodule(self, module_path: Path) -> None:
        """Register the ``needs_*`` marks of a file before it is imported: marks are strict."""
        if self._is_ours(module_path):
            vocabulary.register_needs(self._config, module_path.read_bytes(), self._needs)

    @pytest.hookimpl(wrapper=True)
    def pytest_pycollect_makeitem(self, collector: pytest.Module | pytest.Class) -> Generator[None, Made, Made]:
        """Put an asynchronous check in the place of each collected coroutine function."""
        made = yield
        if not isinstance(made, list) or not self._is_ours(collector.path):
            return made
        return [self._converted(node) for node in made]

    @staticmethod
    def _converted(node: pytest.Item | pytest.Collector) -> pytest.Item | pytest.Collector:
        if (
            isinstance(node, AsyncCheck)
            or not isinstance(node, pytest.Function)
            or not inspect.iscoroutinefunction(inspect.unwrap(node.obj))
        ):
            return node
        check = AsyncCheck.from_function(node)
        if (problem := resolution.refusal(check)) is not None:
            raise ConfigurationError(problem, where=node.nodeid)
        return check
