r"""Go's regular expressions (https://pkg.go.dev/regexp/syntax) in Python's.

Both agree on most of what people write, and differ where it is hard to see: ``$`` is the end of the text and
not of its last line, ``\d`` and ``\w`` are ASCII, ``[[:alpha:]]`` is a class, a flag may stand anywhere, and
there is neither looking around nor a reference to a group. What Go refuses is refused.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_SHORT = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}
_POSIX = re.compile(r"\[:(\^?)([a-z]+):\]")
_GROUP = re.compile(r"\(\?(?:P?<(?P<name>[A-Za-z_]\w*)>|(?P<flags>[imsU]*(?:-[imsU]+)?)(?P<end>[:)]))", re.ASCII)
_REPEAT = re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\})\??", re.ASCII)
_HEX = re.compile(r"x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]+)\})")
_KEPT = frozenset("afnrtv")  # escapes that mean the same
_QUOTE = "\\Q"


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return a pattern that matches what Go's would.

    Raises:
        ValueError: It is none, or uses what Go has not, or what is not translated.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of sets in sets, which are escaped
            return re.compile(_Translation(pattern).text())
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from None


class _Translation:
    """One pattern on its way from Go to Python."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._position = 0
        self._out: list[str] = []
        self._lines = [False]  # for each open group: does $ mean the end of a line
        self._flags: list[list[str]] = [[]]  # for each open group: flags that hold until it ends

    def text(self) -> str:
        """Return the pattern for Python."""
        while self._position < len(self._pattern):
            self._out.append(self._next())
        if len(self._flags) > 1:
            raise ValueError("missing )")
        return "".join(self._out) + ")" * len(self._flags[0])

    def _next(self) -> str:
        character = self._pattern[self._position]
        opening = {"\\": self._escape, "[": self._class, "(": self._group}.get(character)
        if opening is not None:
            return opening()
        if match := _REPEAT.match(self._pattern, self._position):
            return self._repeat(match)
        self._position += 1
        if character == ")":
            return self._close()
        opened = self._flags[-1]
        return {
            "|": ")" * len(opened) + "|" + "".join(opened),
            "$": "$" if self._lines[-1] else r"\Z",
            "^": "^" if self._lines[-1] else r"\A",
            "{": "\\{",
        }.get(character, character)

    def _close(self) -> str:
        if len(self._flags) == 1:
            raise ValueError("unexpected )")
        self._lines.pop()
        return ")" * (len(self._flags.pop()) + 1)

    def _repeat(self, match: re.Match[str]) -> str:
        self._position = match.end()
        if _REPEAT.match(self._pattern, self._position):
            raise ValueError(f"invalid nested repetition operator: {match.group()}{self._pattern[self._position]}")
        return match.group()

    def _group(self) -> str:
        if not self._pattern.startswith("(?", self._position):
            self._position += 1
            self._open()
            return "("
        match = _GROUP.match(self._pattern, self._position)
        if match is None:
            raise ValueError(f"invalid or unsupported Perl syntax: {self._pattern[self._position :][:4]}")
        self._position = match.end()
        if match.group("name"):
            self._open()
            return f"(?P<{match.group('name')}>"
        return self._flagged(match.group("flags"), alone=match.group("end") == ")")

    def _open(self) -> None:
        self._lines.append(self._lines[-1])
        self._flags.append([])

    def _flagged(self, flags: str, *, alone: bool) -> str:
        if "U" in flags:
            raise ValueError("the flag U is not supported")
        lines = self._lines[-1]
        on, _, off = flags.partition("-")
        lines = (lines or "m" in on) and "m" not in off
        opened = f"(?{flags}:"
        if alone:
            self._flags[-1].append(opened)
        else:
            self._open()
        self._lines[-1] = lines
        return opened

    def _escape(self) -> str:
        pattern, at = self._pattern, self._position
        if pattern.startswith(_QUOTE, at):
            end = pattern.find("\\E", at)
            quoted = pattern[at + 2 : end if end >= 0 else len(pattern)]
            self._position = end + 2 if end >= 0 else len(pattern)
            return re.escape(quoted)
        letter = pattern[at + 1 : at + 2]
        self._position += 2
        if letter.lower() in _SHORT:
            return f"[{'^' if letter.isupper() else ''}{_SHORT[letter.lower()]}]"
        if letter in "pP" and letter:
            return self._letters(negated=letter == "P")
        simple = {"z": r"\Z", "A": r"\A", "b": r"(?a:\b)", "B": r"(?a:\B)"}.get(letter)
        return simple if simple is not None else self._character(letter)

    def _letters(self, *, negated: bool) -> str:
        for name in ("L", "{L}"):
            if self._pattern.startswith(name, self._position):
                self._position += len(name)
                return r"(?:[\W\d_])" if negated else r"(?:[^\W\d_])"
        raise ValueError("of the Unicode classes only \\pL is supported")

    def _character(self, letter: str) -> str:
        r"""Return what an escape of one character is, in a class and outside; the position is behind ``\letter``."""
        if letter == "x" and (match := _HEX.match(self._pattern, self._position - 1)):
            self._position = match.end()
            return re.escape(chr(int(match.group(1) or match.group(2), 16)))
        if letter in _KEPT and letter:
            return "\\" + letter
        if letter and not letter.isalnum() and letter.isascii():
            return "\\" + letter
        raise ValueError(f"invalid escape sequence: \\{letter}" if letter else "trailing backslash at end")

    def _class(self) -> str:
        pattern = self._pattern
        out = ["["]
        self._position += 1
        if pattern.startswith("^", self._position):
            out.append("^")
            self._position += 1
        first = True
        while True:
            character = pattern[self._position : self._position + 1]
            if not character:
                raise ValueError("missing closing ]")
            if character == "]" and not first:
                self._position += 1
                return "".join(out) + "]"
            out.append(self._member(character))
            first = False

    def _member(self, character: str) -> str:
        if match := _POSIX.match(self._pattern, self._position):
            negated, name = match.groups()
            if name not in _CLASSES or negated:
                raise ValueError(f"invalid character class range: {match.group()}")
            self._position = match.end()
            return _CLASSES[name]
        if character != "\\":
            self._position += 1
            return "\\" + character if character in "[]&|~" else character
        letter = self._pattern[self._position + 1 : self._position + 2]
        self._position += 2
        if letter in _SHORT:
            return _SHORT[letter]
        if letter.lower() in _SHORT and letter:
            return "\\" + letter
        return self._character(letter)
