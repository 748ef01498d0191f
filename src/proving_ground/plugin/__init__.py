"""The pytest plugin: checks run concurrently against a platform, each ending as exactly one outcome.

Every pytest process of the environment loads this module (entry point ``pytest11``), so that it imports next to
nothing and does nothing before ``--platform`` is given or a file of a suite or a Chainsaw test is met.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.plugin.skipping import skip

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

__all__ = [
    "pytest_addoption",
    "pytest_collect_file",
    "pytest_collection",
    "pytest_configure",
    "pytest_load_initial_conftests",
    "skip",
]

MODELS_FILE = "models.csv"
TEST_STEM = "chainsaw-test"
YAML = (".yaml", ".yml")


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the options of the plugin."""
    from proving_ground.plugin import options  # noqa: PLC0415  # every pytest loads this module

    options.add(parser, pluginmanager.get_plugin("pytestconfig"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(parser: pytest.Parser) -> Generator[None]:
    """Add the short names of options that no plugin and no conftest.py took."""
    yield
    from proving_ground.plugin import options  # noqa: PLC0415  # already imported by then

    options.add_free_names(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Wake up where a platform is given.

    Raises:
        pytest.UsageError: The platform file, the values or another option is not usable.
    """
    if config.getoption("platform_file", None) is None:
        return
    from proving_ground.plugin import activation  # noqa: PLC0415  # not without a platform

    activation.activate(config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Know the files of suites, also where no platform is given (``--collect-only``)."""
    from proving_ground.plugin import options  # noqa: PLC0415  # already imported by then

    if session.config.getoption("platform_file", None) is None and options.meets_suite(session.config):
        from proving_ground.plugin import activation  # noqa: PLC0415  # only where a suite is met

        activation.prepare_collection(session.config)


@pytest.hookimpl(tryfirst=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the declarative tests: Chainsaw tests and tables of models.

    Without a platform a table of models is collected only where it is named on the command line itself, or with
    ``--collect-only``: a foreign project keeps its own use of that file name. A Chainsaw test is one by its content.
    """
    if file_path.suffix in YAML:
        if not (
            file_path.stem == TEST_STEM
            or parent.session.isinitpath(file_path)
            or parent.config.getoption("chainsaw_test_file", None)
        ):
            return None
        from proving_ground.plugin import declarative  # noqa: PLC0415  # only for such a file

        return declarative.collect_yaml(file_path, parent)
    if file_path.name != MODELS_FILE:
        return None
    config = parent.config
    if (
        config.getoption("platform_file", None) is None
        and not config.option.collectonly
        and not parent.session.isinitpath(file_path)
    ):
        return None
    from proving_ground.plugin import declarative  # noqa: PLC0415  # only for such a file

    return declarative.collect_table(file_path, parent)
