"""Where the history is: a file by default, a PostgreSQL database by URL."""

from __future__ import annotations

import os
from pathlib import Path

from proving_ground.errors import ConfigurationError

VARIABLE = "PROVING_GROUND_HISTORY"
FILE = "history.sqlite"


def default_file() -> Path:
    """Return the default file, below the directory of user data (XDG base directory specification)."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    return Path(base) / "proving-ground" / FILE


def location_of(given: str | None = None) -> str:
    """Return where the history is: as given, else as the environment says, else the default file.

    Returns:
        A URL for SQLAlchemy, ``sqlite:///FILE`` or ``postgresql+psycopg://...``.

    Raises:
        ConfigurationError: It is a URL of something else.
    """
    where = "--history" if given else VARIABLE
    text = given or os.environ.get(VARIABLE) or str(default_file())
    scheme, separator, rest = text.partition("://")
    if not separator:
        return f"sqlite:///{Path(text).expanduser().absolute()}"
    if scheme in ("postgresql", "postgres", "postgresql+psycopg"):
        return f"postgresql+psycopg://{rest}"
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return text
    raise ConfigurationError(
        f"a history is a file or postgresql://..., found {scheme}://", where=where, hint="see the reference of history"
    )
