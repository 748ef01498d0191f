"""Isolated Python environments of servers: made when first needed, and once, from a lock of versions and hashes."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proving_ground.errors import InfrastructureError
from proving_ground.servers.locks import held

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PATIENCE_SECONDS = 1500.0
_TELL_SECONDS = 15.0
_MARKER = "complete"


@dataclass(frozen=True)
class Environment:
    """An isolated environment.

    Attributes:
        python: Absolute path of its interpreter.
        made: Whether it was made just now.
    """

    python: Path
    made: bool


def key(lock: bytes) -> str:
    """Return what the environment's name is made of: the lock, and the Python that it is for."""
    identity = f"{sys.version}{platform.machine()}{os.path.realpath(sys.executable)}"
    return hashlib.sha256(lock + identity.encode()).hexdigest()[:12]


def ensure(lock: Path, cache: Path, *, say: Callable[[str], None]) -> Environment:
    """Return the environment of a lock, made unless it is complete; two calls at once make it once.

    Complete is what its marker says. One without a marker was interrupted, and is made anew.

    Args:
        lock: Requirements with versions and hashes; its name without suffix names the environment.
        cache: Directory that keeps environments.
        say: Told what takes long.

    Raises:
        InfrastructureError: It cannot be made; the line has the last thing that its installer said.
    """
    content = lock.read_bytes()
    home = cache / "environments" / f"{lock.stem}-{key(content)}"
    if (home / _MARKER).is_file():
        return Environment(home / "bin/python", made=False)
    with held(home.with_suffix(".lock"), say=say):
        if (home / _MARKER).is_file():
            return Environment(home / "bin/python", made=False)
        began = time.monotonic()
        say(f"making the Python environment of {lock.stem} (once for each version)")
        shutil.rmtree(home, ignore_errors=True)
        log = home.with_suffix(".log")
        try:
            log.write_bytes(b"")
            for command in _commands(home, lock):
                _run(command, log, say)
            (home / _MARKER).touch()
        except OSError as error:
            raise InfrastructureError(
                f"the Python environment of {lock.stem} cannot be made: {error.strerror}",
                where=str(home),
                hint="free space there, or name another directory in PROVING_GROUND_CACHE",
            ) from error
        say(f"the Python environment of {lock.stem} took {time.monotonic() - began:.0f} s")
    return Environment(home / "bin/python", made=True)


def _commands(home: Path, lock: Path) -> list[list[str]]:
    python, base = str(home / "bin/python"), sys.executable
    beside = Path(base).with_name("uv")
    uv = str(beside) if beside.is_file() else shutil.which("uv")
    install = ["--quiet", "--require-hashes", "--requirement", str(lock)]
    if uv:
        return [
            [uv, "venv", "--quiet", "--no-project", "--python", base, str(home)],
            [uv, "pip", "install", "--python", python, *install],
        ]
    # Debian's Python has no ensurepip unless python3-venv is installed; virtualenv needs none.
    maker = "virtualenv" if importlib.util.find_spec("virtualenv") else "venv"
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check"]
    return [[base, "-m", maker, str(home)], [*pip, *install]]


def _run(command: Sequence[str], log: Path, say: Callable[[str], None]) -> None:
    began = time.monotonic()
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            while True:
                gone = time.monotonic() - began
                try:
                    code = process.wait(timeout=min(_TELL_SECONDS, max(0.1, _PATIENCE_SECONDS - gone)))
                    break
                except subprocess.TimeoutExpired:
                    if time.monotonic() - began >= _PATIENCE_SECONDS:
                        raise InfrastructureError(
                            f"{Path(command[0]).name} did not end within {_PATIENCE_SECONDS:.0f} s", where=str(log)
                        ) from None
                    say(f"still installing ({time.monotonic() - began:.0f} s)")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if code:
        lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
        last = next((line for line in reversed(lines) if line), "it said nothing")
        raise InfrastructureError(
            f"{Path(command[0]).name} ended with {code}: {last[:300]}",
            where=str(log),
            hint="the packages of the environment come from a Python package index, which must be reachable once",
        )
