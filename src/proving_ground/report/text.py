"""Text of checks made fit for reports: whatever a check printed, a report can be written."""

from __future__ import annotations

import re

LONGEST = 100_000
"""Characters of one text in a report; the whole is in results.json."""

# Characters that XML 1.0 has no place for, lone surrogates among them (https://www.w3.org/TR/xml/#charsets).
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


def clean(text: str, limit: int = LONGEST) -> str:
    r"""Return the text without terminal colours, other control characters shown as ``\xNN``, cut in its middle.

    What is left out is the middle, since the beginning says what happened and the end why.
    """
    text = _NOT_XML.sub(lambda m: f"\\x{ord(m[0]):02x}", _ANSI.sub("", text))
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"


def first_line(text: str, limit: int = 300) -> str:
    """Return the first line that is not blank, cut to a length."""
    line = next((line.strip() for line in clean(text, LONGEST).splitlines() if line.strip()), "")
    return line if len(line) <= limit else f"{line[: limit - 3]}..."


def seconds(duration: float) -> str:
    """Return a duration as people read it: ``0.4s``, ``12s``, ``3m05s``, ``1h02m``."""
    if duration < 10:  # noqa: PLR2004 - below that tenths tell
        return f"{duration:.1f}s"
    whole = round(duration)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
