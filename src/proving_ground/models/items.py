"""Collecting a models.csv inside a suite: each row becomes a check."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.chainsaw.items import DEFAULT_MARKS, ChainsawFile
from proving_ground.errors import ConfigurationError, ProvingGroundError
from proving_ground.models import values
from proving_ground.models.generation import generate, plan
from proving_ground.models.table import TableError, read
from proving_ground.models.templates import DEFAULT_API_GROUP, TEST_FILE, load_templates
from proving_ground.plugin.items import ConcurrentItem
from proving_ground.plugin.skipping import ROW_SKIPPED, skip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest._code.code import ExceptionInfo, TerminalRepr

    from proving_ground.contracts.platform import Platform, System
    from proving_ground.models.table import Row, Table
    from proving_ground.plugin.check_run import CheckRun
    from proving_ground.plugin.verification import Verification

SYSTEM = "aim"
"""The system whose parameters say which table is used; ``models_csv`` replaces the one in the suite."""

VALUES_FILE = "values.yaml"


def collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector:
    """Return the collector of a table of models, for the hook of the same name."""
    collector: ModelsFile = ModelsFile.from_parent(parent, path=file_path)
    return collector


class ModelsFile(pytest.File):
    """A models.csv: generates its tests below the artifacts directory and collects them from there."""

    def collect(self) -> Iterator[pytest.Item]:
        """Generate the tests, and yield them in the order of the rows.

        Raises:
            ConfigurationError: The table, a template or the values cannot be used.
        """
        verification: Verification | None = self.config.pluginmanager.get_plugin("proving-ground-verification")
        system = verification.platform.systems.get(SYSTEM) if verification else None
        parameters = system.parameters if system else {}
        table = read(self._table_path(parameters.get("models_csv")))
        templates = load_templates(
            self._templates(table, parameters.get("models_templates")),
            api_group=str(parameters.get("api_group", DEFAULT_API_GROUP)),
        )
        if verification:
            self._provide_values(verification, table)
            for warning in table.warnings:
                verification.recorder.note("warning", table.path.name, warning, "")
        made = plan(table, templates, self._output(verification))
        generate(made)
        folders = {folder.row.line: folder.path for folder in made.tests if folder.row}
        for row in table.rows:
            if row.skip:
                yield SkippedRow.from_parent(self, name=row.folder, row=row, table=table)
            else:
                yield from self._tests(row, folders[row.line])

    def repr_failure(  # the base's signature differs between Collector and Node
        self,
        excinfo: ExceptionInfo[BaseException],
        style: Any = None,  # noqa: ARG002
    ) -> str | TerminalRepr:
        """Show errors for people as their lines."""
        if isinstance(excinfo.value, TableError):
            return "\n".join(excinfo.value.lines())
        if isinstance(excinfo.value, ProvingGroundError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def _tests(self, row: Row, folder: Path) -> Iterator[pytest.Item]:
        collector: ChainsawFile = ChainsawFile.from_parent(self, path=folder / TEST_FILE)
        for item in collector.collect():
            item.parameters = _parameters(row)  # type: ignore[misc]  # the class only has the empty default
            item.description = item.description or f"Model {row.image} becomes ready and answers a request"
            yield item

    def _table_path(self, replacement: object) -> Path:
        if replacement is None:
            return self.path
        if not isinstance(replacement, str) or not replacement:
            raise ConfigurationError("models_csv: expected the path of a table", where=f"system {SYSTEM}")
        return self.config.rootpath / Path(replacement).expanduser()

    def _templates(self, table: Table, replacement: object) -> Path | None:
        if replacement is not None:
            return self.config.rootpath / Path(str(replacement)).expanduser()
        beside = table.path.parent / "templates"
        return beside if beside.is_dir() else None

    def _output(self, verification: Verification | None) -> Path:
        if verification:
            return verification.settings.artifacts_dir / "generated" / SYSTEM
        temporary = Path(tempfile.mkdtemp(prefix="proving-ground-models-"))
        self.config.add_cleanup(lambda: shutil.rmtree(temporary, ignore_errors=True))
        return temporary

    def _provide_values(self, verification: Verification, table: Table) -> None:
        """Use the values that were given, those beside the table, or on a stand-in made-up ones."""
        settings = verification.settings
        files = settings.values_files
        beside = table.path.parent / VALUES_FILE
        if not files and beside.exists():
            files = (beside,)
        given = {key for key, _ in settings.set_values}
        if not files and not given and _is_stand_in(verification.platform):
            path = settings.state_dir / VALUES_FILE
            made = values.write_once(path, values.made_up(row.registry for row in table.active))
            for text in values.secret_texts(made):
                verification.recorder.mask(text)
            files = (path,)
        for warning in values.check(files or (beside,), table.rows, given):
            verification.recorder.note("warning", VALUES_FILE, warning, "")
        if files != settings.values_files:
            verification.settings = dataclasses.replace(settings, values_files=files)


class SkippedRow(ConcurrentItem):
    """A row with ``skip=yes``: reported as skipped, with a reason that every stage allows."""

    def __init__(self, *, row: Row, table: Table, **arguments: Any) -> None:  # pytest's own
        super().__init__(**arguments)
        for mark in DEFAULT_MARKS:
            self.add_marker(mark)
        self.row = row
        self.description = f"Model {row.image}"
        self.parameters = _parameters(row)  # type: ignore[misc]  # the class only has the empty default
        own = f"{table.path}:{row.line}: "
        odd = [warning.removeprefix(own) for warning in table.warnings if warning.startswith(own)]
        self.reason = "; ".join([f"skip=yes on line {row.line} of {table.path.name}", *odd])

    async def execute(self, run: CheckRun) -> None:
        """Skip."""
        run.property("image", self.row.image)
        skip(ROW_SKIPPED, self.reason)


def _is_stand_in(platform: Platform) -> bool:
    system: System | None = platform.systems.get(SYSTEM)
    return system is not None and system.implementation == "stand_in"


def _parameters(row: Row) -> dict[str, object]:
    return {
        "image": row.image,
        "unoptimized": row.unoptimized,
        "hfToken": row.hf_token,
        "private": row.private,
        "timeout": row.timeout_text,
        "concurrent": row.concurrent,
    }
