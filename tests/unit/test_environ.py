"""Environment variables for a while."""

from __future__ import annotations

import os

import pytest

from proving_ground import environ


def test_variables_are_as_before_afterwards_also_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE", "1")
    monkeypatch.setenv("TWO", "2")
    monkeypatch.delenv("THREE", raising=False)

    seen = {}

    def fail() -> None:
        with environ.changed({"ONE": None, "TWO": "22", "THREE": "3"}):
            seen.update({name: os.environ.get(name) for name in ("ONE", "TWO", "THREE")})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert seen == {"ONE": None, "TWO": "22", "THREE": "3"}
    assert {name: os.environ.get(name) for name in ("ONE", "TWO", "THREE")} == {"ONE": "1", "TWO": "2", "THREE": None}
