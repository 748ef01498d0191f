"""Writing generated tests below one folder, and nothing else there."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.models.templates import MARKER, SECRET_FILES, check_composed, compose, packaged_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proving_ground.models.table import Row, Table
    from proving_ground.models.templates import Templates

CONFIGURATION_FILE = ".chainsaw.yaml"

Change = Literal["new", "changed", "unchanged", "removed", "kept"]


@dataclass(frozen=True)
class Folder:
    """What becomes of one folder.

    Attributes:
        path: The folder.
        change: ``removed`` is a stale folder of ours, ``kept`` one of which files that are not ours remain.
        files: Name -> text of what it will hold; empty for a removed one.
        row: The model; absent for a removed one.
    """

    path: Path
    change: Change
    files: Mapping[str, str]
    row: Row | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that generating will do below ``output``.

    Attributes:
        shared: Secret files and the like that will be written into ``output`` itself, name -> text.
    """

    output: Path
    folders: tuple[Folder, ...]
    shared: Mapping[str, str]

    @property
    def tests(self) -> tuple[Folder, ...]:
        """The folders that will hold a test."""
        return tuple(folder for folder in self.folders if folder.row)


def plan(table: Table, templates: Templates, output: Path) -> Plan:
    """Return what generating the active rows into a folder would do; writes nothing.

    Raises:
        ConfigurationError: A folder that is needed exists and is not ours, or a template is faulty.
    """
    composed = {row.folder: (row, compose(row, templates)) for row in table.active}
    _check_kinds(composed.values(), templates)
    folders = [_folder(output / name, row, files) for name, (row, files) in composed.items()]
    folders += [_stale(path) for path in _ours(output) if path.name not in composed]
    return Plan(output, tuple(folders), _shared(table, output))


def generate(plan: Plan) -> None:
    """Do what was planned.

    A new folder appears with all its files at once; in an existing one each changed file is replaced
    whole. Files that would not change are not touched.

    Raises:
        ConfigurationError: The output folder cannot be written.
        InfrastructureError: Its disk is full.
    """
    try:
        plan.output.mkdir(parents=True, exist_ok=True)
        for name, text in plan.shared.items():
            _replace(plan.output / name, text)
        for folder in plan.folders:
            _write(folder)
    except OSError as error:
        where = str(error.filename or plan.output)
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        kind = InfrastructureError if full else ConfigurationError
        hint = "free space there, or choose another place" if full else ""
        raise kind(f"cannot be written: {error.strerror}", where=where, hint=hint) from error


def _check_kinds(composed: Iterable[tuple[Row, Mapping[str, str]]], templates: Templates) -> None:
    """Parse what was composed, once for each combination of fragments: the rest of a row cannot break YAML."""
    seen = set()
    for row, files in composed:
        kind = (row.unoptimized, row.hf_token, row.private, row.concurrent)
        if kind not in seen:
            seen.add(kind)
            check_composed(row, files, templates.where)


def _folder(path: Path, row: Row, files: Mapping[str, str]) -> Folder:
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise ConfigurationError("expected no such file or a folder of generated tests", where=str(path))
    if not path.exists():
        return Folder(path, "new", files, row)
    if not _is_ours(path) and any(path.iterdir()):
        raise ConfigurationError(
            f"is needed for {row.image} but was not generated", where=str(path), hint="move it away or use --output"
        )
    same = all(_text(path / name) == text for name, text in files.items())
    return Folder(path, "unchanged" if same else "changed", files, row)


def _ours(output: Path) -> list[Path]:
    return sorted(path for path in output.glob("aim-*") if path.is_dir() and not path.is_symlink() and _is_ours(path))


def _is_ours(path: Path) -> bool:
    return any(_is_marked(file) for file in path.glob("*.yaml"))


def _is_marked(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.readline(200).startswith(MARKER.encode())


def _stale(path: Path) -> Folder:
    foreign = any(not _is_marked(entry) for entry in path.iterdir())
    return Folder(path, "kept" if foreign else "removed", {})


def _text(path: Path) -> str | None:
    if path.is_symlink():
        return None
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return None


def _shared(table: Table, output: Path) -> dict[str, str]:
    """Return the secret files that rows need: those beside the CSV, else ours; a team's own are left alone.

    A configuration of Chainsaw beside the CSV goes along: it is looked for where the tests are.
    """
    needed = {
        CONFIGURATION_FILE: (table.path.parent / CONFIGURATION_FILE).is_file(),
        SECRET_FILES["imagepull"]: any(row.private for row in table.active),
        SECRET_FILES["hftoken"]: any(row.hf_token for row in table.active),
    }
    shared = {}
    for name in (name for name, wanted in needed.items() if wanted):
        beside, target = table.path.parent / name, output / name
        if beside.exists() and target.exists() and beside.samefile(target):
            continue
        if target.exists() and not _is_marked(target):
            continue
        text = _text(beside) or packaged_text(name)
        text = text if text.startswith(MARKER) else f"{MARKER}\n{text}"
        if _text(target) != text:
            shared[name] = text
    return shared


def _write(folder: Folder) -> None:
    if folder.change == "new":
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.path.parent))
        try:
            for name, text in folder.files.items():
                (temporary / name).write_text(text, encoding="utf-8", newline="")
            temporary.chmod(0o755)
            temporary.rename(folder.path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    elif folder.change == "changed":
        for name, text in folder.files.items():
            if _text(folder.path / name) != text:
                _replace(folder.path / name, text)
    elif folder.change in ("removed", "kept"):
        for entry in list(folder.path.iterdir()):
            if _is_marked(entry):
                entry.unlink()
        with contextlib.suppress(OSError):  # not empty: files that are not ours remain
            folder.path.rmdir()


def _replace(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
