"""Opening the database of the history: what can be wrong with it is told in one line, and it is left as it was."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.history.location import location_of
from proving_ground.history.schema import LATEST, migrate, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUSY_SECONDS = 30.0
_CONNECT_SECONDS = 10

_HEADER = b"SQLite format 3\0"
"""Beginning of a file of SQLite (https://www.sqlite.org/fileformat.html)."""

# Result codes of SQLite that say that it waited in vain (https://www.sqlite.org/rescode.html).
_BUSY = (5, 6)


def connect(given: str | None = None, *, make: bool = True) -> sa.Engine:
    """Return an engine of the history, migrated where that is needed.

    Args:
        given: File or URL; absent: as the environment says, else the default file.
        make: Whether a file is made where there is none.

    Raises:
        ConfigurationError: It cannot be read or written, is no history, or one of a later program, or is not there.
        InfrastructureError: The database server cannot be reached.
    """
    url = sa.make_url(location_of(given))
    where = shown(url)
    engine = _sqlite(url, where, make=make) if url.get_backend_name() == "sqlite" else _postgresql(url)
    try:
        with told(where):
            with engine.connect() as connection:
                version = version_of(connection, where)
            if version < LATEST:
                with engine.execution_options(writing=True).begin() as connection:
                    migrate(connection, where)
    except BaseException:
        engine.dispose()
        raise
    return engine


def connect_in_memory() -> sa.Engine:
    """Return an engine of an empty history that only this process sees."""
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
    with engine.begin() as connection:
        migrate(connection, "memory")
    return engine


def shown(url: sa.URL) -> str:
    """Return a location for messages: the file, or the URL without its password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.set(drivername="postgresql").render_as_string(hide_password=True)


def _sqlite(url: sa.URL, where: str, *, make: bool) -> sa.Engine:
    path = Path(where)
    if not make and not path.exists():
        raise ConfigurationError(
            "there is no history yet", where=where, hint="a run of suite `load` makes one, and so does `history import`"
        )
    if path.is_file() and path.stat().st_size:
        _look_without_touching(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigurationError(
            f"cannot be made: {error.strerror}", where=where, hint="choose another --history"
        ) from None
    engine = sa.create_engine(url, connect_args={"timeout": _BUSY_SECONDS})

    @sa.event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: object) -> None:
        # The driver would begin transactions only when it sees a write, too late to keep others out.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA busy_timeout = {round(_BUSY_SECONDS * 1000)}")
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writing") else "BEGIN")

    return engine


def _look_without_touching(path: Path) -> None:
    """Refuse a file that is damaged, of something else or too new, before anything of it can change."""
    try:
        with path.open("rb") as stream:
            start = stream.read(len(_HEADER))
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if start != _HEADER:
        raise ConfigurationError(
            "cannot be used as history: file is not a database", where=str(path), hint="choose another --history"
        )
    # While nobody has it open, reading it needs no files beside it.
    mode = "mode=ro" if Path(f"{path}-wal").exists() else "mode=ro&immutable=1"
    engine = sa.create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=_BUSY_SECONDS),
        poolclass=sa.NullPool,
    )
    with told(str(path)), engine.connect() as connection:
        version_of(connection, str(path))


def _postgresql(url: sa.URL) -> sa.Engine:
    try:
        return sa.create_engine(url, connect_args={"connect_timeout": _CONNECT_SECONDS}, pool_pre_ping=True)
    except ImportError:
        raise ConfigurationError(
            "PostgreSQL needs its driver", where=shown(url), hint="pip install 'proving-ground[postgresql]'"
        ) from None


@contextlib.contextmanager
def told(where: str) -> Iterator[None]:
    """Turn what a database reports into one line for people.

    Raises:
        ConfigurationError: Of a file, and of what a server refuses: no such database, no permission.
        InfrastructureError: A server that does not answer, or a file that others keep locked.
    """
    try:
        yield
    except (sa.exc.DBAPIError, sqlite3.Error) as error:
        original = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        first = (str(original).strip().splitlines() or [type(original).__name__])[0]
        if isinstance(original, sqlite3.Error):
            code = getattr(original, "sqlite_errorcode", 0) or 0
            if code & 0xFF in _BUSY:
                raise InfrastructureError(
                    "is kept locked by another process", where=where, hint="try again when it is done"
                ) from None
            raise ConfigurationError(
                f"cannot be used as history: {first}",
                where=where,
                hint="choose another --history; it was left as it is",
            ) from None
        if isinstance(original, Exception) and getattr(original, "sqlstate", None):
            raise ConfigurationError(f"the database refuses: {first}", where=where) from None
        raise InfrastructureError(
            f"cannot be reached: {first}", where=where, hint="is PostgreSQL running there?"
        ) from None
