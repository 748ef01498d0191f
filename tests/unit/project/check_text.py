"""Checks of text files for the pre-commit hooks: ``check_text.py json|toml|text FILE...``."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path

_CONFLICT = re.compile(r"^(<{7} |={7}$|>{7} )", re.MULTILINE)
_TRAILING = re.compile(r"[ \t]+$", re.MULTILINE)


def faults(kind: str, text: str) -> list[str]:
    """Return what is wrong with a file's text; kind is json, toml or text."""
    if kind == "json":
        try:
            json.loads(text)
        except ValueError as error:
            return [f"expected JSON: {error}"]
        return []
    if kind == "toml":
        try:
            tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            return [f"expected TOML: {error}"]
        return []
    found = []
    if text and (not text.endswith("\n") or text.endswith("\n\n")):
        found.append("expected one newline at the end")
    for pattern, what in ((_CONFLICT, "a conflict marker"), (_TRAILING, "a space at the end of the line")):
        found += [f"line {text.count(chr(10), 0, match.start()) + 1}: {what}" for match in pattern.finditer(text)]
    return found


def main(arguments: list[str]) -> int:
    """Print what is wrong with each file, and return 1 if anything is."""
    kind, *names = arguments
    code = 0
    for name in names:
        try:
            found = faults(kind, Path(name).read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            found = [f"expected UTF-8: {error}"]
        for fault in found:
            sys.stdout.write(f"{name}: {fault}\n")
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
