"""Locks of the cache."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from proving_ground.errors import InfrastructureError
from proving_ground.servers.locks import held

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_process_waits_for_the_first_and_says_for_whom(tmp_path: Path) -> None:
    lock, said, order = tmp_path / "a/model.lock", [], []
    inside, asked = threading.Event(), threading.Event()

    def first() -> None:
        with held(lock, say=said.append):
            inside.set()
            asked.wait(10)
            order.append("first")

    def told(line: str) -> None:
        said.append(line)
        asked.set()

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(10)
    with held(lock, say=told):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
    assert said == [f"waiting for process {os.getpid()}, which works on model"]


def test_waiting_ends_with_the_process_that_is_waited_for(tmp_path: Path) -> None:
    lock = tmp_path / "model.lock"
    with (
        held(lock, say=str),
        pytest.raises(InfrastructureError, match=rf"another process \({os.getpid()}\) still works"),
        held(lock, say=str, seconds=0),
    ):
        pass


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InfrastructureError, match=r"the cache cannot be written.*PROVING_GROUND_CACHE"),
        held(tmp_path / "file/model.lock", say=str),
    ):
        pass
