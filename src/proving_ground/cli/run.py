"""`proving-ground run`: one execution of a stage on an inventory, from nothing to a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from proving_ground.pipeline.options import RunOptions
from proving_ground.pipeline.orchestrator import execute

if TYPE_CHECKING:
    import argparse

    from proving_ground.cli import Parser


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser("run", help="run a stage: provision, deploy, verify, report", description=__doc__)
    parser.add_argument("stage", help="a stage of stages.yml, for example nightly")
    add_options(parser)
    parser.set_defaults(run=run)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `nox -s STAGE --` hands on."""
    parser.add_argument("--inventory", metavar="NAME|PATH", help="a folder below inventories/, or a path")
    parser.add_argument("--keep", action="store_true", help="leave the platform in place; remove it with clean")
    parser.add_argument("--only", action="append", default=[], metavar="SUITE", help="only this suite (repeatable)")
    parser.add_argument(
        "-k", dest="expression", default="", metavar="EXPRESSION", help="only matching checks (pytest -k)"
    )
    parser.add_argument("--run-id", metavar="ID", help="name of the run (default: made from the time)")
    parser.add_argument("--platform", type=Path, metavar="FILE", help="verify the platform of this platform.json only")
    parser.add_argument(
        "-e",
        "--extra-vars",
        action="append",
        default=[],
        metavar="K=V|@FILE",
        help="variables for the playbooks",
    )
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"), metavar="DIR", help="where results go")
    parser.add_argument("--budget", metavar="DURATION", help="instead of the stage's time budget, for example 30m")
    parser.add_argument("--parallel", type=int, metavar="N", help="checks of a suite under way at once")
    parser.add_argument("--fault", metavar="NAME", help="let stand-ins and mocks misbehave: the run should fail")
    parser.add_argument("--wait-limit", type=float, metavar="SECONDS", help="cut every wait of a check to this")
    parser.add_argument("--engine", choices=("builtin", "chainsaw"), default="builtin", help="what runs Chainsaw tests")
    parser.add_argument("--values", type=Path, metavar="FILE", help="values.yaml for Chainsaw tests (secrets)")


def run(arguments: argparse.Namespace) -> int:
    """Run the stage and return its exit code."""
    return execute(RunOptions.from_arguments(arguments))
