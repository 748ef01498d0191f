"""The command line `proving-ground`: one verb a module, each ending in an exit code of a run."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Any, NoReturn

from proving_ground import __version__
from proving_ground.errors import ExitCode, ProvingGroundError

VERBS = (
    "run",
    "prove",
    "test",
    "chainsaw",
    "models",
    "autoscaling",
    "load",
    "wait-healthy",
    "fuzz",
    "aiperf",
    "history",
    "results",
    "clean",
    "docs",
)


class Parser(argparse.ArgumentParser):
    """An argument parser whose refusals are one line and exit code 3."""

    def __init__(self, **settings: Any) -> None:
        # An abbreviation that works today is another option's tomorrow.
        super().__init__(**{"allow_abbrev": False} | settings)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the options, and end."""
        self.exit(ExitCode.CONFIGURATION, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser(verb: str | None = None) -> Parser:
    """Return the parser of all verbs, or of one: importing what the others need takes longer than some verbs."""
    root = Parser(prog="proving-ground", description=__doc__)
    root.add_argument("--version", action="version", version=f"proving-ground {__version__}")
    subparsers = root.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=Parser)
    for name in [verb] if verb in VERBS else VERBS:
        importlib.import_module(f"proving_ground.cli.{name.replace('-', '_')}").add_parser(subparsers)
    return root


def main(argv: list[str] | None = None) -> int:
    """Run one verb.

    Args:
        argv: Arguments without the program's name; the process's own if absent.

    Returns:
        The exit code: 0 passed, 1 failed, 2 infrastructure, 3 configuration, 130 interrupted.
    """
    given = sys.argv[1:] if argv is None else argv
    arguments = parser(given[0] if given else None).parse_args(given)
    try:
        return int(arguments.run(arguments))
    except ProvingGroundError as error:
        sys.stderr.write(f"proving-ground: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("proving-ground: interrupted\n")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of a listing went away (`... | head`): that is its right.
        sys.stderr.close()
        return ExitCode.PASSED
