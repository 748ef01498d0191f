"""What images can be called, by the grammar of the distribution project's package ``reference``."""

from __future__ import annotations

import re

_PART = r"[a-z0-9]+(?:(?:[.]|_{1,2}|-+)[a-z0-9]+)*"
_NAME = rf"(?:[a-zA-Z0-9.-]+(?::[0-9]+)?/)?{_PART}(?:/{_PART})*"
_TAG = r":[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
TAGGED = re.compile(f"{_NAME}{_TAG}")
"""An image with its tag."""
REFERENCE = re.compile(rf"{_NAME}(?:{_TAG})?(?:@[a-z0-9]+:[0-9a-f]{{32,}})?")
"""An image, with or without its tag and its digest."""
