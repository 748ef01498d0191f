"""Random text that a regular expression describes, such as ``[a-z0-9]{5}``."""

from __future__ import annotations

import re
import secrets
import string
from re import _constants as codes  # type: ignore[attr-defined]  # the standard library's own parse tree
from re import _parser as regex_parser  # type: ignore[attr-defined]
from typing import Any

_MOST_REPEATS = 10  # of an open-ended repetition
_LONGEST = 10_000  # characters
_CATEGORIES = {
    codes.CATEGORY_DIGIT: string.digits,
    codes.CATEGORY_WORD: string.ascii_letters + string.digits + "_",
    codes.CATEGORY_SPACE: " ",
}


def random_text(pattern: str) -> str:
    """Return a random text that the pattern matches.

    Args:
        pattern: A regular expression of literals, classes, groups, alternatives and repetitions.

    Raises:
        ValueError: It is no such expression.
    """
    try:
        tree = regex_parser.parse(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"not a regular expression: {error}") from None
    if tree.getwidth()[0] > _LONGEST:
        raise ValueError(f"describes more than {_LONGEST} characters")
    return _text(tree)


def _text(tree: Any) -> str:
    return "".join(_part(operation, argument) for operation, argument in tree)


def _part(operation: Any, argument: Any) -> str:
    if operation in (codes.MAX_REPEAT, codes.MIN_REPEAT):
        least, most, inner = argument
        most = least + _MOST_REPEATS if most is codes.MAXREPEAT else most
        return "".join(_text(inner) for _ in range(least + secrets.randbelow(most - least + 1)))
    if operation in (codes.SUBPATTERN, codes.BRANCH):
        return _text(argument[-1] if operation is codes.SUBPATTERN else secrets.choice(argument[1]))
    return _character(operation, argument)


def _character(operation: Any, argument: Any) -> str:
    if operation is codes.LITERAL:
        return chr(argument)
    if operation is codes.ANY:
        return secrets.choice(string.ascii_letters + string.digits)
    if operation is codes.IN:
        return secrets.choice(_members(argument))
    if operation is codes.AT:
        return ""
    raise ValueError(f"{str(operation).lower()} is not supported in a pattern")


def _members(argument: Any) -> str:
    members = ""
    negated = False
    for operation, item in argument:
        if operation is codes.NEGATE:
            negated = True
        elif operation is codes.LITERAL:
            members += chr(item)
        elif operation is codes.RANGE:
            members += "".join(map(chr, range(item[0], min(item[1], item[0] + 0xFFF) + 1)))
        elif operation is codes.CATEGORY and item in _CATEGORIES:
            members += _CATEGORIES[item]
        else:
            raise ValueError(f"{str(item).lower()} is not supported in a class")
    if negated:
        members = "".join(sorted(set(string.ascii_letters + string.digits) - set(members)))
    if not members:
        raise ValueError("an empty class")
    return members
