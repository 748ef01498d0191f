"""`proving-ground models`: from a table of models to generated tests, and running them."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from proving_ground.errors import ExitCode
from proving_ground.models import preview, values
from proving_ground.models.generation import generate, plan
from proving_ground.models.table import TableError, read
from proving_ground.models.templates import API_GROUPS, DEFAULT_API_GROUP, load_templates

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

    from proving_ground.cli import Parser
    from proving_ground.models.generation import Plan
    from proving_ground.models.table import Table

EXAMPLE = Path("tests/suites/aim/models/models.csv")
GENERATED = Path("artifacts/generated/aim")
"""Where the tests of a table that lies in a suite go, since the suite makes its own from it."""


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser(
        "models", help="preview, generate and run the tests of a models.csv", description=__doc__
    )
    verbs = parser.add_subparsers(dest="models_verb", metavar="preview|generate|test", required=True)

    show = _verb(verbs, "preview", "what would be generated; writes nothing", _preview)
    show.add_argument("--full", action="store_true", help="print the files, too")

    make = _verb(verbs, "generate", "write a folder for each model", _generate)
    make.add_argument("--dry-run", action="store_true", help="show everything, write nothing")

    test = _verb(verbs, "test", "generate and run", _test)
    test.add_argument("--kubeconfig", type=Path, metavar="FILE", help="cluster to run on (default: as kubectl does)")
    test.add_argument("--parallel", type=int, default=4, metavar="N", help="tests under way at once (default: 4)")
    test.add_argument(
        "--engine", choices=("builtin", "chainsaw"), default="builtin", help="what runs them (default: builtin)"
    )
    test.add_argument("--skip-tests", action="store_true", help="generate only")
    for verb in (show, make, test):
        verb.add_argument("--values", type=Path, metavar="FILE", help="values.yaml (default: the one beside the CSV)")


def run(arguments: argparse.Namespace) -> int:
    """Run the verb that was asked for."""
    return int(arguments.run(arguments))


def _verb(
    verbs: argparse._SubParsersAction[Parser], name: str, about: str, function: Callable[[argparse.Namespace], int]
) -> Parser:
    parser = verbs.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
    parser.add_argument(
        "csv", nargs="?", type=Path, default=EXAMPLE, metavar="CSV", help="the table (default: %(default)s)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help=f"where folders go (default: beside the CSV; for one in a suite {GENERATED})",
    )
    parser.add_argument(
        "--templates",
        type=Path,
        metavar="DIR",
        help="a team's own templates (default: templates/ beside the CSV, else the package's)",
    )
    parser.add_argument(
        "--api-group", choices=tuple(API_GROUPS), default=DEFAULT_API_GROUP, help="of AIMService (default: %(default)s)"
    )
    parser.set_defaults(run=function)
    return parser


def _preview(arguments: argparse.Namespace) -> int:
    return _with_table(arguments, lambda table: _show_preview(arguments, table))


def _generate(arguments: argparse.Namespace) -> int:
    return _with_table(arguments, lambda table: _make(arguments, table))


def _test(arguments: argparse.Namespace) -> int:
    return _with_table(arguments, lambda table: _make_and_run(arguments, table))


def _with_table(arguments: argparse.Namespace, action: Callable[[Table], int]) -> int:
    try:
        table = read(arguments.csv)
    except TableError as error:
        for line in error.lines():
            sys.stderr.write(f"proving-ground: {line}\n")
        return ExitCode.CONFIGURATION
    return action(table)


def _show_preview(arguments: argparse.Namespace, table: Table) -> int:
    if arguments.values:
        _warn(values.check([arguments.values], table.rows))
    _print(preview.preview(table))
    made = _plan(arguments, table)
    if arguments.full:
        _print(["", *preview.files(made)])
    return ExitCode.PASSED


def _make(arguments: argparse.Namespace, table: Table) -> int:
    if arguments.values:
        _warn(values.check([arguments.values], table.rows))
    made = _plan(arguments, table)
    _warn(table.warnings)
    _print(preview.changes(made))
    if arguments.dry_run:
        _print(["", *preview.files(made), "nothing was written"])
        return ExitCode.PASSED
    generate(made)
    return ExitCode.PASSED


def _make_and_run(arguments: argparse.Namespace, table: Table) -> int:
    file = arguments.values or table.path.parent / "values.yaml"
    if not arguments.skip_tests:
        _warn(values.check([file], table.rows))
    made = _plan(arguments, table)
    _warn(table.warnings)
    generate(made)
    _print(preview.changes(made)[-1:])
    if arguments.skip_tests:
        return ExitCode.PASSED
    from proving_ground.models.execution import run_tests  # noqa: PLC0415 - 0.3 s that the other verbs do not need

    with tempfile.TemporaryDirectory(prefix="proving-ground-models-") as work:
        return run_tests(
            made,
            work=Path(work),
            engine=arguments.engine,
            parallel=arguments.parallel,
            kubeconfig=arguments.kubeconfig,
            values=file if file.exists() else None,
            configuration=table.path.parent / ".chainsaw.yaml",
        )


def _plan(arguments: argparse.Namespace, table: Table) -> Plan:
    beside = table.path.parent / "templates"
    directory = arguments.templates or (beside if beside.is_dir() else None)
    return plan(table, load_templates(directory, api_group=arguments.api_group), arguments.output or _output(table))


def _output(table: Table) -> Path:
    folder = table.path.resolve().parent
    in_a_suite = any((parent / "suite.yml").is_file() for parent in (folder, *folder.parents))
    return GENERATED if in_a_suite else table.path.parent


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        sys.stderr.write(f"warning: {warning}\n")


def _print(lines: Iterable[str]) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
