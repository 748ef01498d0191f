"""`proving-ground autoscaling`: the scaling, learning and accuracy suites by themselves, on a kept platform."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from proving_ground.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from proving_ground.cli import Parser
    from proving_ground.contracts.platform import Platform
    from proving_ground.kube import Object

SUITES = {
    "scaling": "does it scale as it should, and only then",
    "learning": "does it learn what there is to learn, and remember it",
    "accuracy": "do its predictions come true",
}
DEFAULT_NAMESPACE = "llm-test"
_WIDE = 240
_NAMESPACE = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Add the suites, their verbs and options."""
    parser = subparsers.add_parser(
        "autoscaling", help="run the autoscaling suites, show and remove what they made", description=__doc__
    )
    suites = parser.add_subparsers(dest="suite", metavar="|".join(SUITES), required=True)
    for name, about in SUITES.items():
        suite = suites.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}?")
        _add_verbs(
            suite.add_subparsers(dest="autoscaling_verb", metavar="run|quick|full|status|cleanup", required=True)
        )


def _add_verbs(verbs: argparse._SubParsersAction[Parser]) -> None:
    for verb, about in (
        ("run", "run the checks, by default as quick does"),
        ("quick", "run the checks of the stages up to nightly"),
        ("full", "run the checks of the stages up to weekly"),
    ):
        run = _add_verb(verbs, verb, about)
        run.set_defaults(run=_run, full=verb == "full")
        if verb == "run":
            length = run.add_mutually_exclusive_group()
            length.add_argument("--quick", dest="full", action="store_false", help="checks of stages up to nightly")
            length.add_argument("--full", dest="full", action="store_true", help="checks of stages up to weekly")
        run.add_argument(
            "--cleanup",
            action=argparse.BooleanOptionalAction,
            default=None,
            help="remove what was made (default: CLEANUP in the environment, else not)",
        )
        run.add_argument("-k", dest="expression", default="", metavar="EXPRESSION", help="only matching checks")
        run.add_argument("--artifacts", type=Path, metavar="DIR", help="where checks leave files (default: nowhere)")
    status = _add_verb(verbs, "status", "show the scalers and what they have learned")
    status.add_argument("--output", choices=("table", "json"), default="table", help="form (default: table)")
    status.set_defaults(run=_status)
    _add_verb(verbs, "cleanup", "remove what the suites made in the namespace").set_defaults(run=_cleanup)


def _add_verb(verbs: argparse._SubParsersAction[Parser], name: str, about: str) -> Parser:
    parser = verbs.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
    parser.add_argument(
        "--namespace",
        metavar="NAME",
        help=f"namespace, and beginning of those of checks that need their own (default: NAMESPACE in the environment, "
        f"else {DEFAULT_NAMESPACE})",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--platform", type=Path, metavar="FILE", help="platform.json (default: the newest kept run's)")
    where.add_argument("--run-id", metavar="ID", help="the platform of this kept run")
    return parser


def namespace_of(arguments: argparse.Namespace) -> str:
    """Return the namespace that was asked for.

    Raises:
        ConfigurationError: It cannot be one.
    """
    given = arguments.namespace
    where, name = ("--namespace", given) if given is not None else ("NAMESPACE", os.environ.get("NAMESPACE") or "")
    name = name or ("" if given is not None else DEFAULT_NAMESPACE)
    if not _NAMESPACE.match(name):
        raise ConfigurationError(f"{name!r} cannot be a namespace", where=where, hint="lower-case letters, digits, -")
    return name


def cleanup_of(arguments: argparse.Namespace) -> bool:
    """Return whether what was made is removed at the end.

    Raises:
        ConfigurationError: The environment variable is no truth value.
    """
    if arguments.cleanup is not None:
        return bool(arguments.cleanup)
    text = os.environ.get("CLEANUP", "").strip().lower()
    if text not in _TRUTH:
        raise ConfigurationError(f"expected true or false, found {text!r}", where="CLEANUP")
    return _TRUTH[text]


def _run(arguments: argparse.Namespace) -> int:
    from proving_ground.autoscaling import runs  # noqa: PLC0415 - what showing the help does not need
    from proving_ground.autoscaling.platforms import platform_file, read  # noqa: PLC0415 - as above

    namespace, cleanup = namespace_of(arguments), cleanup_of(arguments)
    path = platform_file(arguments.platform, arguments.run_id)
    platform = read(path)
    asked = runs.SuiteRun(
        suite=arguments.suite,
        platform=path,
        namespace=namespace,
        marks=runs.FULL if arguments.full else runs.QUICK,
        expression=arguments.expression,
        artifacts=arguments.artifacts.resolve() if arguments.artifacts else None,
    )
    try:
        code = runs.run(asked)
        _show(asyncio.run(_scalers(platform, namespace)), "table")
    finally:
        if cleanup:
            _remove(platform, namespace)
    return code


def _status(arguments: argparse.Namespace) -> int:
    _show(asyncio.run(_scalers(_platform(arguments), namespace_of(arguments))), arguments.output)
    return ExitCode.PASSED


def _cleanup(arguments: argparse.Namespace) -> int:
    _remove(_platform(arguments), namespace_of(arguments))
    return ExitCode.PASSED


def _platform(arguments: argparse.Namespace) -> Platform:
    from proving_ground.autoscaling.platforms import platform_file, read  # noqa: PLC0415 - as above

    return read(platform_file(arguments.platform, arguments.run_id))


async def _scalers(platform: Platform, namespace: str) -> list[Object]:
    """Return the scalers of a namespace, and of those of the suites whose names begin with its name."""
    from proving_ground.autoscaling.platforms import connected  # noqa: PLC0415 - as above
    from proving_ground.autoscaling.scalers import KIND, VERSION  # noqa: PLC0415 - as above
    from proving_ground.kube import UnknownKindError  # noqa: PLC0415 - as above

    async with connected(platform) as cluster:
        try:
            found = await cluster.list(VERSION, KIND)
        except UnknownKindError:
            raise ConfigurationError(
                "the cluster serves no BudAIScaler", hint="is the system budaiscaler part of the inventory?"
            ) from None
    places = (namespace, f"{namespace}-")
    return [o for o in found if (n := str(o["metadata"].get("namespace", ""))) == places[0] or n.startswith(places[1])]


def _show(scalers: list[Object], form: str) -> None:
    from proving_ground.autoscaling import tables  # noqa: PLC0415 - as above

    if form == "json":
        sys.stdout.write(tables.as_json(scalers))
        return
    from rich.console import Console  # noqa: PLC0415 - as above

    # Into a file or a pipe nothing is folded.
    tables.show(Console(width=None if sys.stdout.isatty() else _WIDE), scalers)


def _remove(platform: Platform, namespace: str) -> None:
    from proving_ground.autoscaling.cleanup import clean  # noqa: PLC0415 - as above
    from proving_ground.autoscaling.platforms import connected  # noqa: PLC0415 - as above

    async def remove() -> list[str]:
        async with connected(platform) as cluster:
            return await clean(cluster, namespace)

    for line in asyncio.run(remove()) or ["nothing to remove"]:
        sys.stdout.write(f"{line if line.startswith('nothing') else f'removed {line}'}\n")
