"""Histories in both databases: a file, and a PostgreSQL server of the test's own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

READY_SECONDS = 30.0


def _program(name: str) -> str | None:
    """Return a program of PostgreSQL: on PATH, or where Debian keeps those of each version."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: path.parts[-3])
    return str(found[-1]) if found else shutil.which(name)


def _user() -> str | None:
    """Return the user that the server runs as: PostgreSQL refuses to run as root."""
    if os.geteuid():
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in known), "nobody")


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A server that listens on a socket in a directory of its own only; its URL up to the name of a database."""
    initdb, postgres = _program("initdb"), _program("postgres")
    if initdb is None or postgres is None:
        pytest.skip("PostgreSQL is not installed: no initdb on PATH or below /usr/lib/postgresql")
    user = _user()
    # Its path must be short: that of a socket has at most 107 characters.
    home = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        if user is not None:
            shutil.chown(home, user)
        data = home / "data"
        subprocess.run(
            [initdb, "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"],
            user=user,
            cwd=home,
            env={"PATH": os.environ["PATH"], "HOME": str(home)},
            check=True,
            capture_output=True,
        )
        options = [
            "-c",
            "listen_addresses=",
            "-c",
            "fsync=off",
            "-c",
            "shared_buffers=16MB",
            "-c",
            "max_connections=40",
        ]
        log = home / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [postgres, "-D", data, "-k", home, *options], user=user, cwd=home, stdout=output, stderr=output
            )
        try:
            until = time.monotonic() + READY_SECONDS
            while not (home / ".s.PGSQL.5432").exists() or "ready to accept" not in log.read_text():
                if process.poll() is not None or time.monotonic() > until:
                    pytest.fail(f"PostgreSQL did not start:\n{log.read_text()}")
                time.sleep(0.05)
            yield f"postgresql://tester@/%s?host={home}"
        finally:
            # SIGINT is its fast shutdown: it does not wait for clients.
            process.send_signal(2)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where an empty history may be made."""
    if request.param == "sqlite":
        yield str(tmp_path / "history.sqlite")
        return
    import psycopg  # noqa: PLC0415 - only where there is a server

    template = request.getfixturevalue("server")
    name = f"h{uuid.uuid4().hex[:12]}"
    with contextlib.closing(psycopg.connect(template % "postgres", autocommit=True)) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield template % name
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
