"""The marks that checks may carry."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

STAGE_MARKS = ("pre_merge", "nightly", "weekly", "pre_release")
TYPE_MARKS = ("smoke", "integration", "contract", "load", "e2e", "performance", "endurance")
HARDWARE_MARKS = ("gpu_0", "gpu_1", "gpu_8", "multi_node")
NEEDS = "needs_"

_NEEDS_IN_SOURCE = re.compile(rb"\bneeds_[a-z0-9_]+")


def register(config: pytest.Config) -> None:
    """Register every mark whose name is known beforehand."""
    lines = [
        *(f"{name}: earliest stage of the check is {name}" for name in STAGE_MARKS),
        *(f"{name}: the check is of this type" for name in TYPE_MARKS),
        *(f"{name}: hardware that the check needs" for name in HARDWARE_MARKS),
        "feature(name): feature that the check covers",
        "check(name): id of the check within its suite; outlives renames of the function",
        "sequential: the check runs alone, before the concurrent ones",
        "timeout(seconds): the check fails when it is not done by then",
    ]
    for line in lines:
        config.addinivalue_line("markers", line)


def register_needs(config: pytest.Config, source: bytes, known: set[str]) -> None:
    """Register the marks ``needs_<capability>`` that a file uses: any capability may be needed.

    Args:
        config: Where marks are registered.
        source: The text of the file of checks.
        known: Names registered so far; grows.
    """
    for name in sorted({match.decode() for match in _NEEDS_IN_SOURCE.findall(source)} - known):
        known.add(name)
        config.addinivalue_line("markers", f"{name}: the check needs capability {name.removeprefix(NEEDS)}")


def needed(marks: Iterable[str]) -> list[str]:
    """Return the capabilities that marks ask for, in their order."""
    return [name.removeprefix(NEEDS) for name in dict.fromkeys(marks) if name.startswith(NEEDS)]
