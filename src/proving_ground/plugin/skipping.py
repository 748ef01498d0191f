"""Skips that say why in a way that programs can read."""

from __future__ import annotations

import re
from typing import NoReturn

from _pytest.outcomes import Skipped

ROW_SKIPPED = "row-skipped"
NO_GATES = "no-gates"
NOT_STARTED = "not-started"
ALWAYS_ALLOWED = frozenset({ROW_SKIPPED, NO_GATES})

_CODE = re.compile(r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")


class CodedSkip(Skipped):
    """A skip with its reason code."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


def skip(code: str, text: str) -> NoReturn:
    """Skip the check that calls this.

    Whether the skip is allowed is the stage's to say (``--allow-skip``); one that is not allowed
    ends as an error. ``row-skipped`` and ``no-gates`` are always allowed.

    Args:
        code: Reason code, lower-case words joined by dashes.
        text: The reason for people.

    Raises:
        ValueError: The code is not of that form.
    """
    __tracebackhide__ = True
    if not _CODE.fullmatch(code):
        raise ValueError(f"expected a reason code of lower-case words joined by dashes, found {code!r}")
    raise CodedSkip(code, text)
