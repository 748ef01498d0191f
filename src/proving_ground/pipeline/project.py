"""Where the project is, and what it offers: stages, inventories, suites."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pydantic
import yaml

from proving_ground.contracts.stages import Stage, Stages
from proving_ground.contracts.suite import Suite
from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proving_ground.contracts.base import Contract

ModelT = TypeVar("ModelT", bound="Contract")

SUITE_FILE = "suite.yml"


def load_yaml(path: Path, model: type[ModelT]) -> ModelT:
    """Read a YAML file into its contract.

    Raises:
        ConfigurationError: It is absent, not YAML, or does not fit; with the line where YAML tells it.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError("is not UTF-8 text", where=str(path)) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigurationError(f"is not YAML: {getattr(error, 'problem', None) or error}", where=where) from error
    try:
        return model.model_validate(content)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigurationError(f"{field}: {first['msg']}", where=str(path)) from error


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint that names the nearest known word, or all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(names) or 'none'}"


@dataclass(frozen=True)
class Inventory:
    """An Ansible inventory that describes one environment.

    Attributes:
        name: Its folder's name.
        path: Absolute path of the folder or file.
    """

    name: str
    path: Path


@dataclass(frozen=True)
class FoundSuite:
    """A suite and the folder that it is in."""

    definition: Suite
    directory: Path


def suite_files(folder: Path) -> list[Path]:
    """Return the suite.yml of each suite below a folder, sorted.

    A folder in it that has a suite.yml is a suite, and is not searched further; one that has none may be a family,
    whose folders are suites.
    """
    found: list[Path] = []
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        own = entry / SUITE_FILE
        found += [own] if own.is_file() else sorted(entry.glob(f"*/{SUITE_FILE}"))
    return found


@dataclass(frozen=True)
class Project:
    """A checkout of this project, or of one laid out like it.

    Attributes:
        root: Absolute path of the folder that holds stages.yml and playbooks/.
    """

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Project:
        """Return the project around a folder (the working directory if absent), else the package's own.

        Raises:
            ConfigurationError: There is none.
        """
        begin = (start or Path.cwd()).resolve()
        candidates = [begin, *begin.parents, Path(__file__).resolve().parents[3]]
        for candidate in candidates:
            if (candidate / "stages.yml").is_file() and (candidate / "playbooks").is_dir():
                return cls(root=candidate)
        raise ConfigurationError(
            "no project found: expected stages.yml beside playbooks/", where=str(begin), hint="run it from a checkout"
        )

    def stages(self) -> dict[str, Stage]:
        """Return the stages by name.

        Raises:
            ConfigurationError: stages.yml is broken.
        """
        return load_yaml(self.root / "stages.yml", Stages).stages

    def stage(self, name: str) -> Stage:
        """Return a stage by name.

        Raises:
            ConfigurationError: stages.yml has none of that name, or is broken.
        """
        stages = self.stages()
        if name not in stages:
            raise ConfigurationError(f"unknown stage {name!r}", where="stages.yml", hint=nearest(name, stages))
        return stages[name]

    def inventory(self, given: str) -> Inventory:
        """Return an inventory by the name of its folder below inventories/, or by path.

        Raises:
            ConfigurationError: It does not exist.
        """
        named = self.root / "inventories" / given
        path = named if "/" not in given and named.exists() else Path(given).expanduser().resolve()
        if not path.exists():
            folder = self.root / "inventories"
            known = [entry.name for entry in folder.iterdir() if entry.is_dir()] if folder.is_dir() else []
            raise ConfigurationError(
                f"inventory {given!r} does not exist", where="--inventory", hint=nearest(given, known) + ", or a path"
            )
        if path.is_dir() and not any(entry.is_file() for entry in path.iterdir()):
            raise ConfigurationError(f"inventory {given!r} has no hosts file", where=str(path))
        return Inventory(name=path.stem if path.is_file() else path.name, path=path)

    def suites(self) -> list[FoundSuite]:
        """Return all suites, by name.

        Raises:
            ConfigurationError: A suite.yml is broken, its name is not its folder's, or two have the same.
        """
        found: dict[str, FoundSuite] = {}
        for file in suite_files(self.root / "tests/suites"):
            definition = load_yaml(file, Suite)
            name = definition.name
            if name != file.parent.name:
                raise ConfigurationError(
                    f"name is {name!r}, expected its folder's, {file.parent.name!r}", where=str(file)
                )
            if name in found:
                raise ConfigurationError(
                    f"name is {name!r}, which {found[name].directory / SUITE_FILE} has too",
                    where=str(file),
                    hint="rename one of the folders, and the name in it",
                )
            found[name] = FoundSuite(definition=definition, directory=file.parent)
        return [found[name] for name in sorted(found)]
