"""`proving-ground schemas`: the JSON schemas of every file that is read or written."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from proving_ground.contracts.published import write_schemas
from proving_ground.errors import ExitCode

if TYPE_CHECKING:
    from proving_ground.cli import Parser


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser("schemas", help="write the JSON schemas of the file formats", description=__doc__)
    parser.add_argument("directory", type=Path, nargs="?", default=Path("docs/reference/schemas"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the schemas."""
    write_schemas(arguments.directory)
    return ExitCode.PASSED
