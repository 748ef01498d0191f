"""Makes the collection's Python importable as Ansible imports it."""

from __future__ import annotations

import sys
import types
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _package(name: str, *paths: Path) -> None:
    if name not in sys.modules:
        package = types.ModuleType(name)
        package.__path__ = [str(path) for path in paths]
        sys.modules[name] = package


_package("ansible_collections")
_package("ansible_collections.proving")
_package("ansible_collections.proving.ground", ROOT)
