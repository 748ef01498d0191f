"""A page for each suite: what each check proves, and which faults it notices."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from proving_ground.pages.markdown import NOTE, moved, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from proving_ground.pipeline.project import FoundSuite

_STAGES = ("pre_merge", "nightly", "weekly", "pre_release")


def suites_index(suites: Sequence[FoundSuite]) -> str:
    """Return the page that lists all suites."""
    rows = [
        (
            f"[{suite.definition.name}](suites/{suite.definition.name}.md)",
            suite.definition.description,
            ", ".join(suite.definition.systems) or "none",
            ", ".join(suite.definition.capabilities) or "none",
        )
        for suite in suites
    ]
    return f"{NOTE}\n# Suites\n\n{table(('Suite', 'Judges', 'Systems', 'Capabilities'), rows)}"


def suite_page(suite: FoundSuite, folder: Path) -> str:
    """Return the page of a suite for a folder; generated checks are described in ``docs.md`` beside suite.yml."""
    definition = suite.definition
    parts = [NOTE, f"\n# Suite `{definition.name}`\n\n{definition.description.rstrip('.').strip()}.\n"]
    extra = suite.directory / "docs.md"
    if extra.is_file():
        text = extra.read_text(encoding="utf-8").strip()
        parts.append(f"\n{moved(text, suite.directory, folder)}\n")
    checks = sorted(_checks(suite.directory, definition.name))
    if checks:
        parts.append("\n## Checks\n\n" + table(("Check", "Earliest stage", "Proves"), checks))
    if definition.faults:
        rows = [
            (f"`{name}`", fault.description, ", ".join(f"`{check}`" for check in fault.must_fail))
            for name, fault in definition.faults.items()
        ]
        parts.append("\n## Faults\n\n" + table(("Fault", "What misbehaves", "Checks that must fail"), rows))
    return "".join(parts)


def _checks(directory: Path, suite: str) -> Iterator[tuple[str, str, str]]:
    for file in sorted(directory.rglob("test_*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        shared = [mark for node in tree.body if isinstance(node, ast.Assign) for mark in _module_marks(node)]
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield _row(node, suite, shared)


def _module_marks(node: ast.Assign) -> list[ast.expr]:
    """Return the marks of an assignment to ``pytestmark``."""
    if "pytestmark" not in {target.id for target in node.targets if isinstance(target, ast.Name)}:
        return []
    return node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]


def _row(node: ast.FunctionDef | ast.AsyncFunctionDef, suite: str, shared: Sequence[ast.expr]) -> tuple[str, str, str]:
    name = node.name.removeprefix("test_").replace("_", "-")
    stage = ""
    for decorator in (*shared, *node.decorator_list):
        call = decorator if isinstance(decorator, ast.Call) else None
        mark = ast.unparse(call.func if call else decorator).rpartition(".")[2]
        if mark in _STAGES:
            stage = mark
        if mark == "check" and call and call.args and isinstance(call.args[0], ast.Constant):
            name = str(call.args[0].value)
    proves = (ast.get_docstring(node) or "").split("\n\n")[0]
    return f"`{suite}/{name}`", stage, proves
