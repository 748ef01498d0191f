"""Files that are checks without being Python; each engine brings its own collector."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

TEST_FILE = "chainsaw-test"
_GROUP = re.compile(rb"""^["']?apiVersion["']?\s*:\s*["']?chainsaw\.kyverno\.io/""", re.MULTILINE)
_FLOW = re.compile(rb"""^\{[^\n]*chainsaw\.kyverno\.io/""", re.MULTILINE)


def collect_yaml(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Return the collector for a file of Chainsaw tests, or None for every other YAML file."""
    config = parent.config
    given = config.getoption("chainsaw_test_file", None) or TEST_FILE
    if not (parent.session.isinitpath(file_path) or _is_called(file_path, given)):
        return None
    if config.getoption("platform_file", None) is None and not _is_chainsaw(file_path):
        return None
    return _module("chainsaw").collect_file(file_path, parent)


def collect_table(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Return the collector for a table of models."""
    return _module("models").collect_file(file_path, parent)


def _module(package: str) -> CollectingModule:
    module: CollectingModule = importlib.import_module(f"proving_ground.{package}.items")
    return module


def _is_called(path: Path, name: str) -> bool:
    """Return whether this is the test file of its folder: ``.yml`` counts where there is no ``.yaml``."""
    if path.name in {name, f"{name}.yaml"}:
        return True
    return path.name == f"{name}.yml" and not path.with_name(f"{name}.yaml").exists()


def _is_chainsaw(path: Path) -> bool:
    try:
        text = path.read_bytes()
    except OSError:
        return False
    return _GROUP.search(text) is not None or _FLOW.search(text) is not None


if TYPE_CHECKING:
    from typing import Protocol

    class CollectingModule(Protocol):
        """What an engine's module of items offers."""

        def collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
            """Return the collector of a file."""
