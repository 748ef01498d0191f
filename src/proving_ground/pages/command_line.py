"""The page of the command line, from the parsers."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from proving_ground.pages.markdown import NOTE, table

if TYPE_CHECKING:
    from collections.abc import Iterator


def command_line() -> str:
    """Return the page of every verb of `proving-ground` with its options."""
    from proving_ground.cli import parser  # noqa: PLC0415 - the command line imports this package

    parts = [NOTE, "\n# Command line\n\nSessions of nox hand what stands after `--` to `proving-ground run STAGE`.\n"]
    for path, verb in _verbs(parser(), ()):
        if not path:
            continue
        parts.append(f"\n## proving-ground {' '.join(path)}\n\n{_sentence(verb.description, verb.prog)}\n\n")
        rows = list(_options(verb))
        parts.append(table(("Option", "Meaning"), rows) if rows else "No options.\n")
    return "".join(parts)


def _verbs(
    parser: argparse.ArgumentParser, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    subparsers = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
    if not subparsers:
        yield path, parser
    for action in subparsers:
        for name, inner in action.choices.items():
            yield from _verbs(inner, (*path, name))


def _options(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    for action in parser._actions:  # noqa: SLF001 - argparse offers no other way to list them
        if isinstance(action, argparse._HelpAction):  # noqa: SLF001
            continue
        metavar = action.metavar or ("" if action.nargs == 0 else action.dest.upper())
        if isinstance(metavar, tuple):
            metavar = " ".join(metavar)
        if action.choices and not action.metavar:
            metavar = "|".join(str(choice) for choice in action.choices)
        names = ", ".join(action.option_strings)
        shown = f"`{names} {metavar}`" if names and metavar else f"`{names or metavar}`"
        text = (action.help or "") % (vars(action) | {"prog": parser.prog})
        yield shown, text


def _sentence(text: str | None, verb: str) -> str:
    """Return a verb's description without its name, which is the heading, as a sentence."""
    words = " ".join((text or "").split()).removeprefix(f"`{verb}`: ")
    words = words[:1].upper() + words[1:]
    return words if words.endswith(".") else f"{words}."
