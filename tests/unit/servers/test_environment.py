"""Isolated environments, with a program in place of the installers."""

from __future__ import annotations

import stat
import threading
from typing import TYPE_CHECKING

import pytest

from proving_ground.errors import InfrastructureError
from proving_ground.servers import environment
from proving_ground.servers.environment import ensure

if TYPE_CHECKING:
    from pathlib import Path

# `uv venv ... HOME` makes a folder, `uv pip install` a file in it; each call is a line.
INSTALLER = """#!/bin/sh
echo "$1" >> {calls}
for last; do :; done
case $1 in
venv) mkdir -p "$last/bin"; touch "$last/bin/python" ;;
pip) {install} ;;
esac
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    file = tmp_path / "llama.lock"
    file.write_text("package==1 --hash=sha256:0\n")
    return file


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    use(tmp_path, monkeypatch, "sleep 0.1")
    return tmp_path / "calls"


def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: str) -> None:
    uv = tmp_path / "uv"
    uv.write_text(INSTALLER.format(calls=tmp_path / "calls", install=install))
    uv.chmod(uv.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(environment.sys, "executable", str(tmp_path / "python"))


def test_an_environment_is_made_once(lock: Path, calls: Path, tmp_path: Path) -> None:
    said: list[str] = []
    first = ensure(lock, tmp_path / "cache", say=said.append)
    second = ensure(lock, tmp_path / "cache", say=said.append)
    assert (first.made, second.made) == (True, False)
    assert first.python == second.python
    assert calls.read_text().split() == ["venv", "pip"]
    assert said[0] == "making the Python environment of llama (once for each version)"


def test_another_lock_is_another_environment(lock: Path, calls: Path, tmp_path: Path) -> None:
    first = ensure(lock, tmp_path / "cache", say=str)
    lock.write_text("package==2 --hash=sha256:0\n")
    assert ensure(lock, tmp_path / "cache", say=str).python != first.python
    assert calls.read_text().count("pip") == 2


def test_one_that_was_interrupted_is_made_anew(lock: Path, calls: Path, tmp_path: Path) -> None:
    home = ensure(lock, tmp_path / "cache", say=str).python.parents[1]
    (home / "complete").unlink()
    (home / "half").touch()
    assert ensure(lock, tmp_path / "cache", say=str).made
    assert not (home / "half").exists()
    assert calls.read_text().count("pip") == 2


def test_two_calls_at_once_make_it_once(lock: Path, calls: Path, tmp_path: Path) -> None:
    made: list[bool] = []
    threads = [
        threading.Thread(target=lambda: made.append(ensure(lock, tmp_path / "cache", say=str).made)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False, False, True]
    assert calls.read_text().split() == ["venv", "pip"]


def test_what_the_installer_said_last_is_told(lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(tmp_path, monkeypatch, "echo 'no such host'; echo; exit 2")
    with pytest.raises(InfrastructureError, match=r"uv ended with 2: no such host.*package index"):
        ensure(lock, tmp_path / "cache", say=str)
    assert not list((tmp_path / "cache/environments").glob("*/complete"))


def test_without_uv_it_is_made_with_what_python_has(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment.shutil, "which", lambda _name: None)
    monkeypatch.setattr(environment.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda _name: None)
    make, install = environment._commands(tmp_path / "home", lock)
    assert make == [str(tmp_path / "python"), "-m", "venv", str(tmp_path / "home")]
    assert install[:4] == [str(tmp_path / "home/bin/python"), "-m", "pip", "install"]
    assert "--require-hashes" in install
