"""models.csv: the models that a regression runs, one a row."""

from __future__ import annotations

import csv
import difflib
import functools
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proving_ground.durations import parse_wait
from proving_ground.errors import ConfigurationError
from proving_ground.models import names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COLUMNS = ("skip", "registry", "name", "version", "unoptimized", "hfToken", "private", "timeout", "concurrent")
REQUIRED = ("registry", "name", "version")
DEFAULTS = {"skip": "no", "unoptimized": "no", "hfToken": "no", "private": "no", "timeout": "10m", "concurrent": "yes"}

SHOWN_PROBLEMS = 20
LARGEST_FILE = 64 * 1024 * 1024
_KEPT_PROBLEMS = 1000
_SHOWN_VALUE = 60


@dataclass(frozen=True, slots=True)
class Row:
    """One model of the table.

    Attributes:
        line: Line of the file on which the row begins, from 1.
        timeout: Seconds that the model may take to become ready.
        timeout_text: The same as it was written, a Go duration.
        image: ``registry/name:version``.
        folder: Name of its test and of the folder that its test is generated into.
        object_name: Name of its AIMService.
    """

    line: int
    skip: bool
    registry: str
    name: str
    version: str
    unoptimized: bool
    hf_token: bool
    private: bool
    timeout: float
    timeout_text: str
    concurrent: bool
    image: str
    folder: str
    object_name: str


@dataclass(frozen=True, slots=True)
class Table:
    """A whole models.csv that can be used, and what is odd about it."""

    path: Path
    rows: tuple[Row, ...]
    warnings: tuple[str, ...]

    @property
    def active(self) -> tuple[Row, ...]:
        """The rows that are not skipped."""
        return tuple(row for row in self.rows if not row.skip)

    @property
    def skipped(self) -> tuple[Row, ...]:
        """The rows that are skipped."""
        return tuple(row for row in self.rows if row.skip)


class TableError(ConfigurationError):
    """A models.csv that cannot be used, with every problem that was found, one line each.

    Attributes:
        problems: Lines such as ``models.csv:7: column timeout: expected ...``; the first 1000.
        count: How many there are.
    """

    def __init__(self, problems: list[ConfigurationError], count: int | None = None) -> None:
        first = problems[0]
        self.count = count or len(problems)
        self.problems = tuple(str(problem) for problem in problems)
        more = f"and {self.count - 1} more" if self.count > 1 else ""
        super().__init__(first.what, where=first.where, hint="; ".join(part for part in (first.hint, more) if part))

    def lines(self, shown: int = SHOWN_PROBLEMS) -> list[str]:
        """Return the first problems, one line each, and how many are not shown."""
        lines = list(self.problems[:shown])
        if self.count > len(lines):
            lines.append(f"and {self.count - len(lines)} more problems")
        return lines


def read(path: Path) -> Table:
    """Return the rows of a models.csv.

    Comma-separated values as RFC 4180 has them, in UTF-8, with or without a byte order mark; lines
    that are blank or begin with ``#`` are left out.

    Raises:
        TableError: The file cannot be read or used; it names the file and, where there is one, the line.
    """
    reading = _Reading(path)
    return reading.table(_text(path))


def _text(path: Path) -> str:
    where = str(path)
    try:
        if path.is_dir():
            raise TableError([ConfigurationError("expected a CSV file, found a directory", where=where)])
        if path.stat().st_size > LARGEST_FILE:
            raise TableError([ConfigurationError("expected a CSV file of at most 64 MiB", where=where)])
        data = path.read_bytes()
    except FileNotFoundError:
        problem = ConfigurationError("no such file", where=where, hint="give the path of a models.csv")
        raise TableError([problem]) from None
    except OSError as error:
        raise TableError([ConfigurationError(f"cannot be read: {error.strerror}", where=where)]) from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        problem = ConfigurationError("expected UTF-8, found UTF-16", where=where, hint="save it as CSV UTF-8")
        raise TableError([problem])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = ConfigurationError("expected UTF-8 text", where=f"{where}:{line}", hint="save it as CSV UTF-8")
        raise TableError([problem]) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise TableError([ConfigurationError("expected a CSV file, found binary data", where=f"{where}:{line}")])
    return text


class _Lines:
    """The physical lines of a text, counted; comments and blank lines between records are left out."""

    def __init__(self, text: str) -> None:
        self._lines = iter(io.StringIO(text, newline=""))
        self.number = 0
        self.between_records = True
        self.start = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for line in self._lines:
            self.number += 1
            if self.between_records:
                bare = line.strip()
                if not bare or bare.startswith("#"):
                    continue
                self.start = self.number
                self.between_records = False
            return line
        raise StopIteration


class _Reading:
    """One pass over one file: keeps the problems, so that all are told at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._problems: list[ConfigurationError] = []
        self._count = 0
        self._warnings: list[str] = []

    def table(self, text: str) -> Table:
        """Return the table of a text, or raise all its problems."""
        records = self._records(text)
        header = next(records, None)
        if header is None:
            self._refuse(0, "is empty", hint=f"expected the header {','.join(COLUMNS)}")
            self._raise_problems()
        else:
            self._check_header(*header)
        self._raise_problems()
        columns = [value.strip() for value in header[1]] if header else []
        rows = [row for line, values in records if (row := self._row(line, columns, values)) is not None]
        if not rows and not self._count:
            self._refuse(0, "has a header and no rows", hint="add a row for each model")
        self._check_unique(rows)
        self._raise_problems()
        return Table(self._path, tuple(rows), tuple(self._warnings))

    def _where(self, line: int) -> str:
        return f"{self._path}:{line}" if line else str(self._path)

    def _refuse(self, line: int, what: str, *, hint: str = "") -> None:
        self._count += 1
        if len(self._problems) < _KEPT_PROBLEMS:
            self._problems.append(ConfigurationError(what, where=self._where(line), hint=hint))

    def _warn(self, line: int, what: str) -> None:
        self._warnings.append(str(ConfigurationError(what, where=self._where(line))))

    def _raise_problems(self) -> None:
        if self._problems:
            raise TableError(self._problems, self._count)

    def _records(self, text: str) -> Iterator[tuple[int, list[str]]]:
        lines = _Lines(text)
        reader = csv.reader(lines, strict=True, skipinitialspace=True)
        while True:
            lines.between_records = True
            try:
                record = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                # What follows cannot be told apart any more, so that reading ends here.
                hint = "a quote was opened and not closed" if "unexpected end" in str(error) else ""
                self._refuse(lines.start, f"is not valid CSV: {error}", hint=hint)
                return
            yield lines.start, record

    def _check_header(self, line: int, header: list[str]) -> None:
        found = [value.strip() for value in header]
        if len(found) == 1 and found[0].count(";") > 1:
            self._refuse(line, "is separated by semicolons", hint="separate the columns by commas")
            return
        for column in found:
            if column not in COLUMNS:
                lower = {known.lower(): known for known in COLUMNS}
                near = difflib.get_close_matches(column.lower(), lower, n=1)
                hint = f"did you mean {lower[near[0]]}?" if near else f"known are {', '.join(COLUMNS)}"
                self._refuse(line, f"unknown column {_shown(column)}", hint=hint)
        for column in dict.fromkeys(found):
            if column in COLUMNS and found.count(column) > 1:
                self._refuse(line, f"column {column} is there {found.count(column)} times")
        for column in REQUIRED:
            if column not in found:
                self._refuse(line, f"column {column} is missing", hint=f"the header is {','.join(COLUMNS)}")

    def _row(self, line: int, columns: list[str], values: list[str]) -> Row | None:
        """Return the row of one record; none where it is empty or was refused."""
        stripped = [value.strip() for value in values]
        if not any(stripped):
            return None
        if any(stripped[len(columns) :]):
            self._refuse(
                line, f"expected {len(columns)} values, found {len(stripped)}", hint="quote values with commas"
            )
            return None
        before = self._count
        cells = dict(zip(columns, stripped, strict=False))
        if not "".join(stripped).isprintable():
            self._refuse_control_characters(line, cells)
        for column in REQUIRED:
            if not cells.get(column):
                self._refuse(line, f"column {column} is empty", hint="registry, name and version are needed")
        flags = _flags(*(cells.get(column, "") for column in _YES_OR_NO))
        if None in flags:
            self._refuse_flags(line, cells)
        timeout_text = cells.get("timeout") or DEFAULTS["timeout"]
        try:
            timeout = _seconds(timeout_text)
        except ValueError as error:
            self._refuse(line, f"column timeout: {error}")
        if self._count != before:
            return None
        skip, unoptimized, hf_token, private, concurrent = map(bool, flags)
        image = names.image_reference(cells["registry"], cells["name"], cells["version"])
        folder = names.folder_name(image)
        self._check_image(line, cells, image, folder, skip=skip)
        if self._count != before:
            return None
        return Row(
            line=line,
            skip=skip,
            registry=cells["registry"],
            name=cells["name"],
            version=cells["version"],
            unoptimized=unoptimized,
            hf_token=hf_token,
            private=private,
            timeout=timeout,
            timeout_text=timeout_text,
            concurrent=concurrent,
            image=image,
            folder=folder,
            object_name=names.object_name(image),
        )

    def _refuse_control_characters(self, line: int, cells: dict[str, str]) -> None:
        for column, value in cells.items():
            if not value.isprintable():
                self._refuse(line, f"column {column}: line breaks and control characters are refused: {_shown(value)}")

    def _refuse_flags(self, line: int, cells: dict[str, str]) -> None:
        for column in _YES_OR_NO:
            if cells.get(column, "").lower() not in _FLAGS:
                self._refuse(line, f"column {column}: expected yes or no, found {_shown(cells[column])}")

    def _check_image(self, line: int, cells: dict[str, str], image: str, folder: str, *, skip: bool) -> None:
        """Refuse what no registry can hold; in a skipped row it is a warning, since nothing pulls it."""
        found = (
            ("registry", names.registry_problem(cells["registry"])),
            ("name", names.path_problem(cells["name"])),
            ("version", names.version_problem(cells["version"])),
        )
        for column, problem in found:
            if problem:
                what = f"column {column}: {_shown(cells[column])} {problem}"
                if skip:
                    self._warn(line, f"{what}; the row is skipped")
                else:
                    self._refuse(line, what)
        if any(problem for _, problem in found):
            return
        if not names.is_rfc1123(folder):
            self._refuse(line, f"{_shown(image)} makes a folder name of {len(folder)} characters, the limit is 253")
        elif folder != f"aim-{names.sanitise(image)}":
            self._warn(
                line, f"{_shown(image)}: its folder is called {folder}, since RFC 1123 has no _ and no - at the end"
            )

    def _check_unique(self, rows: list[Row]) -> None:
        folders: dict[str, Row] = {}
        objects: dict[str, Row] = {}
        for row in rows:
            other = folders.setdefault(row.folder, row)
            if other is not row:
                same = "is also on" if other.image == row.image else f"has the folder {row.folder} of {other.image} on"
                self._refuse(
                    row.line, f"{_shown(row.image)} {same} line {other.line}", hint="remove one of the two rows"
                )
                continue
            other = objects.setdefault(row.object_name, row)
            if other is not row:
                same = f"has the object name {row.object_name} of {other.image} on line {other.line}"
                self._refuse(row.line, f"{_shown(row.image)} {same}", hint="rename one of the two")


_YES_OR_NO = ("skip", "unoptimized", "hfToken", "private", "concurrent")
_FLAGS = {"yes": True, "no": False, "": None}


@functools.lru_cache(maxsize=1024)
def _flags(*values: str) -> tuple[bool | None, ...]:
    """Return the values of the columns `_YES_OR_NO`, None where one is neither yes nor no."""
    filled = ((value or DEFAULTS[column]).lower() for column, value in zip(_YES_OR_NO, values, strict=True))
    return tuple(_FLAGS.get(value) for value in filled)


@functools.lru_cache(maxsize=1024)
def _seconds(text: str) -> float:
    return parse_wait(text)


def _shown(value: str) -> str:
    return repr(value) if len(value) <= _SHOWN_VALUE else f"{value[:_SHOWN_VALUE]!r}... ({len(value)} characters)"
