"""Files that are checks without being Python; each engine brings its own collector."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def collect(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Return the collector for a Chainsaw test or a table of models."""
    package = "models" if file_path.name.endswith(".csv") else "chainsaw"
    module = importlib.import_module(f"proving_ground.{package}.items")
    collector: pytest.Collector | None = module.collect_file(file_path, parent)
    return collector
