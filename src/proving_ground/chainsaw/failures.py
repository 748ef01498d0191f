"""How a test fails: which operation, where it is written, what was expected and found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proving_ground.chainsaw.documents import Where


class OperationError(Exception):
    """An operation did not do what its test asks for.

    Attributes:
        what: One line.
        detail: Further lines.
    """

    def __init__(self, what: str, detail: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.detail = detail


class FailedFastError(OperationError):
    """An object reached a state that the test names as final: waiting longer makes no sense."""


class TestFailedError(AssertionError):
    """A test failed; the first line names the first cause, the others follow.

    Attributes:
        failures: Each failure as text, in the order in which they happened.
    """

    __test__ = False  # pytest: this is no test class

    def __init__(self, failures: list[str]) -> None:
        super().__init__("\n\n".join(failures))
        self.failures = failures


def place(where: Where | None) -> str:
    """Return file and line, the file relative to the working directory where it lies below it."""
    if where is None:
        return "an unknown place"
    file = Path(where.file)
    try:
        shown = file.resolve().relative_to(Path.cwd())
    except ValueError:
        shown = Path(*file.parts[-2:])
    return f"{shown}:{where.line}"


def describe(step: str, operation: str, where: Where, error: OperationError, seconds: float) -> str:
    """Return the failure of an operation as people read it: one line, then details."""
    first = f"{operation} failed after {seconds:.1f} s at {place(where)}, {step}: {error.what}"
    return f"{first}\n{error.detail.rstrip()}" if error.detail else first
