"""Exit codes of a run, and the errors that lead to them."""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """What the process of a run, and of every verb, ends with."""

    PASSED = 0
    FAILED = 1
    INFRASTRUCTURE = 2
    CONFIGURATION = 3
    INTERRUPTED = 130

    @classmethod
    def of_pytest(cls, status: int) -> ExitCode:
        """Return what an exit status of pytest means; nothing collected is a wrong choice of tests.

        Source: https://docs.pytest.org/en/stable/reference/exit-codes.html.
        """
        known = (cls.PASSED, cls.FAILED, cls.INTERRUPTED, cls.INFRASTRUCTURE, cls.CONFIGURATION, cls.CONFIGURATION)
        return known[status] if 0 <= status < len(known) else cls.INFRASTRUCTURE


class ProvingGroundError(Exception):
    """An error that is told to a person in one line: what, where, what to do.

    Args:
        what: What was expected and what was found, one sentence without its full stop.
        where: File and line, host, or object that it is about; empty where ``what`` names it.
        hint: What to do about it; empty where that is plain.
    """

    exit_code: ExitCode = ExitCode.INFRASTRUCTURE

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        """Return the one line; control characters of hostile input are shown escaped."""
        line = f"{self.where}: {self.what}" if self.where else self.what
        if self.hint:
            line = f"{line} ({self.hint})"
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


class ConfigurationError(ProvingGroundError):
    """Something that a person wrote is wrong: an option, an inventory, a CSV, a stage."""

    exit_code = ExitCode.CONFIGURATION


class InfrastructureError(ProvingGroundError):
    """Something could not be created, provisioned, reached or judged."""

    exit_code = ExitCode.INFRASTRUCTURE
