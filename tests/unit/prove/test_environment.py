from __future__ import annotations

from pathlib import Path

import pytest

from proving_ground.prove.passes import Place, environment

PLACE = Place(run_id="r", root=Path("/r"), platform_file=Path("/p"), state_dir=Path("/s"), values_files=())


def test_passes_share_their_bytecode_where_none_is_to_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    found = environment(PLACE)
    assert "PYTHONDONTWRITEBYTECODE" not in found
    assert found["PYTHONPYCACHEPREFIX"] == "/s/prove/bytecode"


def test_bytecode_stays_where_it_is_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    assert "PYTHONPYCACHEPREFIX" not in environment(PLACE)
