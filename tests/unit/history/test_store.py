"""What does not depend on the database; the rest is tested on both in tests/integration/history."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.history import connecting
from proving_ground.history.location import default_file, location_of
from proving_ground.history.schema import LATEST
from proving_ground.history.store import Store
from tests.unit.history.made import record

if TYPE_CHECKING:
    from pathlib import Path


def test_the_default_file_is_below_the_users_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PROVING_GROUND_HISTORY", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert location_of() == f"sqlite:///{tmp_path}/proving-ground/history.sqlite"
    assert default_file() == tmp_path / "proving-ground/history.sqlite"


def test_the_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROVING_GROUND_HISTORY", "postgresql://u:p@db/x")
    assert location_of() == "postgresql+psycopg://u:p@db/x"
    assert location_of(str(tmp_path / "h")) == f"sqlite:///{tmp_path}/h"
    assert location_of("sqlite:////srv/h") == "sqlite:////srv/h"


@pytest.mark.parametrize("url", ["mysql://x/y", "http://x", "sqlite://", "sqlite://h"])
def test_another_kind_of_database_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="a file or postgresql"):
        location_of(url)


def test_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "_CONNECT_SECONDS", 1)
    with pytest.raises(InfrastructureError) as caught:
        Store.open("postgresql://me:s3cret@127.0.0.1:1/x")
    assert "s3cret" not in str(caught.value)
    assert "postgresql://me:***@127.0.0.1:1/x" in str(caught.value)


def test_folders_are_made_where_the_file_is_to_be(tmp_path: Path) -> None:
    with Store.open(str(tmp_path / "a/b/history.sqlite")) as store:
        store.add(record(1))
    assert (tmp_path / "a/b/history.sqlite").is_file()


def check_refused_and_untouched(path: Path, match: str) -> None:
    before = path.read_bytes(), path.stat().st_mtime_ns
    with pytest.raises(ConfigurationError, match=match):
        Store.open(str(path))
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert [other.name for other in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to be read as one\n" * 30, b"x", b"SQLite format 3\0"]
)
def test_a_file_that_is_no_database_is_refused_and_untouched(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "h.sqlite").write_bytes(content)
    check_refused_and_untouched(tmp_path / "h.sqlite", "cannot be used as history|something else")


def test_a_truncated_history_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite"
    with Store.open(str(path)) as store:
        store.add(record(n) for n in range(50))
    whole = path.read_bytes()
    assert len(whole) > 8192
    path.write_bytes(whole[:5000])
    check_refused_and_untouched(path, "cannot be used as history")


def test_a_database_of_something_else_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE holidays (day TEXT)")
    connection.close()
    check_refused_and_untouched(path, "something else")


def test_a_history_of_a_later_program_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite"
    with Store.open(str(path)) as store:
        store.add(record(1))
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO history_schema VALUES (?)", (LATEST + 1,))
    connection.commit()
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    check_refused_and_untouched(path, f"schema version {LATEST + 1}")


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        Store.open(str(tmp_path))


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be made"):
        Store.open(str(tmp_path / "file" / "history.sqlite"))


def test_an_empty_file_becomes_a_history(tmp_path: Path) -> None:
    (tmp_path / "h").touch()
    with Store.open(str(tmp_path / "h")) as store:
        assert store.count() == 0


def test_a_file_uses_a_write_ahead_log(tmp_path: Path) -> None:
    with Store.open(str(tmp_path / "h")) as store:
        store.add(record(1))
        connection = sqlite3.connect(tmp_path / "h")
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()
