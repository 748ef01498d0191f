"""Finding and reading suite.yml."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pydantic
import yaml

from proving_ground.contracts.suite import Suite
from proving_ground.errors import ConfigurationError
from proving_ground.plugin.options import SUITE_FILE

if TYPE_CHECKING:
    from pathlib import Path


def read_suite(path: Path) -> Suite:
    """Read one suite.yml.

    Raises:
        ConfigurationError: It cannot be read, is not YAML, or does not follow the contract.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot be read: {error}", where=str(path)) from error
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = f"{path}:{line + 1}" if line is not None else str(path)
        raise ConfigurationError(f"is not YAML: {getattr(error, 'problem', error)}", where=where) from error
    try:
        return Suite.model_validate(data)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{field or 'content'}: {first['msg']}", where=str(path)) from error


class SuiteFiles:
    """The suites that files belong to, each read once."""

    def __init__(self) -> None:
        self._by_folder: dict[Path, tuple[Suite, Path] | None] = {}

    def of(self, folder: Path) -> Suite | None:
        """Return the suite that a folder lies in, or None.

        Raises:
            ConfigurationError: Its suite.yml is not usable.
        """
        found = self._find(folder)
        return found[0] if found is not None else None

    def _find(self, folder: Path) -> tuple[Suite, Path] | None:
        if folder in self._by_folder:
            return self._by_folder[folder]
        path = folder / SUITE_FILE
        if path.is_file():
            found: tuple[Suite, Path] | None = (read_suite(path), path)
        elif folder.parent == folder:
            found = None
        else:
            found = self._find(folder.parent)
        self._by_folder[folder] = found
        return found
