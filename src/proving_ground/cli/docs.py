"""`proving-ground docs`: make the generated pages of docs/ and the roles' README files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proving_ground.errors import ExitCode
from proving_ground.pages import stale, write
from proving_ground.pipeline.project import Project

if TYPE_CHECKING:
    import argparse

    from proving_ground.cli import Parser


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser("docs", help="make the generated pages of docs/", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; end with 1 where a page is stale")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the pages, or tell which are stale."""
    project = Project.find()
    changed = stale(project) if arguments.check else write(project)
    for path in changed:
        print(f"{'stale' if arguments.check else 'wrote'} {path.relative_to(project.root)}")  # noqa: T201
    return ExitCode.FAILED if arguments.check and changed else ExitCode.PASSED
