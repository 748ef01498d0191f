"""The pre_commit stage: the pre-commit framework, over every file."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from proving_ground.errors import ExitCode, InfrastructureError

if TYPE_CHECKING:
    from pathlib import Path


def run_pre_commit(root: Path) -> int:
    """Run all hooks on all files.

    Returns:
        0 if every hook passed, 1 if one failed.

    Raises:
        InfrastructureError: The framework itself could not run, for example outside a git checkout.
    """
    done = subprocess.run([sys.executable, "-m", "pre_commit", "run", "--all-files"], cwd=root, check=False)
    if done.returncode not in {0, 1}:
        raise InfrastructureError(f"pre-commit ended with {done.returncode}", hint="it needs a git checkout")
    return ExitCode.PASSED if done.returncode == 0 else ExitCode.FAILED
