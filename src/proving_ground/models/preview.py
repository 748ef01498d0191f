"""What generating a table would make, told to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proving_ground.models.values import needed_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proving_ground.models.generation import Plan
    from proving_ground.models.table import Row, Table


def preview(table: Table) -> list[str]:
    """Return the lines of a table of every row, then what is odd, then what values are needed."""
    rows = [("line", "test", "image", "folder", "object name", "flags", "timeout")]
    rows += [
        (
            str(row.line),
            "skipped" if row.skip else "runs" if row.concurrent else "runs alone",
            row.image,
            row.folder,
            row.object_name,
            _flags(row),
            row.timeout_text,
        )
        for row in table.rows
    ]
    lines = aligned(rows)
    lines += ["", f"{len(table.active)} models, {len(table.skipped)} skipped"]
    lines += [f"warning: {warning}" for warning in table.warnings]
    lines += [
        f"values.yaml needs {key}, first for line {row.line} ({row.name})"
        for key, row in needed_keys(table.rows).items()
    ]
    return lines


def changes(plan: Plan) -> list[str]:
    """Return one line for each folder and file that generating does something to, and a count."""
    lines = [f"{folder.change:9}  {folder.path}" for folder in plan.folders]
    lines += [f"{'written':9}  {plan.output / name}" for name in plan.shared]
    counts = {word: sum(folder.change == word for folder in plan.folders) for word in _CHANGES}
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return [*lines, f"{plan.output}: {told or 'nothing to generate'}"]


def files(plan: Plan) -> list[str]:
    """Return the text of every file that the tests will have, each under its path."""
    lines = []
    for path, text in [(plan.output / name, text) for name, text in plan.shared.items()]:
        lines += [f"--- {path}", text]
    for folder in plan.tests:
        for name, text in folder.files.items():
            lines += [f"--- {folder.path / name}", text]
    return lines


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines with their columns under each other."""
    cells = [["".join(c if c.isprintable() else "?" for c in cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


_CHANGES = ("new", "changed", "unchanged", "removed", "kept")


def _flags(row: Row) -> str:
    flags = {"unoptimized": row.unoptimized, "hfToken": row.hf_token, "private": row.private}
    return " ".join(name for name, given in flags.items() if given) or "-"
