# Copyright: Proving Ground contributors
# Apache-2.0 (see LICENSE)
"""The command podman, as modules call it: what fails says which command, and why."""

from __future__ import annotations

import json
import subprocess
from typing import Any

SECONDS = 120.0
"""For which a command of podman may run."""


class PodmanError(Exception):
    """Podman refused or failed; the message is its own, after the command."""


class Podman:
    """Runs podman.

    Args:
        runtime: Name or path of the OCI runtime; podman's own default if empty.
    """

    def __init__(self, runtime: str = "") -> None:
        self._command = ["podman", *(["--runtime", runtime] if runtime else [])]

    def run(self, *arguments: str, stdin: bytes | None = None, seconds: float = SECONDS) -> str:
        """Run a command of podman and return what it printed.

        Raises:
            PodmanError: It failed, took too long, or there is no podman.
        """
        result = self.attempt(*arguments, stdin=stdin, seconds=seconds)
        if result.returncode:
            said = result.stderr.decode(errors="replace").strip().splitlines()
            # Warnings stand before what went wrong.
            raise PodmanError(f"podman {' '.join(arguments[:2])}: {said[-1] if said else 'failed without a word'}")
        return result.stdout.decode(errors="replace")

    def attempt(
        self, *arguments: str, stdin: bytes | None = None, seconds: float = SECONDS
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command of podman, whatever it ends with.

        Raises:
            PodmanError: It took too long, or there is no podman.
        """
        command = [*self._command, *arguments]
        try:
            return subprocess.run(command, input=stdin or b"", capture_output=True, check=False, timeout=seconds)
        except FileNotFoundError:
            raise PodmanError("there is no podman on this machine") from None
        except subprocess.TimeoutExpired:
            raise PodmanError(f"podman {' '.join(arguments[:2])} did not end within {seconds:g} s") from None

    def listed(self, kind: str, label: str = "") -> list[dict[str, Any]]:
        """Return containers (``ps --all``) or networks (``network ls``).

        Args:
            kind: ``container`` or ``network``.
            label: ``name=value`` that they carry; empty: all.
        """
        words = ["ps", "--all"] if kind == "container" else ["network", "ls"]
        only = ["--filter", f"label={label}"] if label else []
        text = self.run(*words, *only, "--format", "json").strip()
        found = json.loads(text or "null")
        return found or []
