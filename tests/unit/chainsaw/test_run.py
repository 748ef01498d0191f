"""Running tests without pytest: finding their Configuration, and what is left of a failing engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proving_ground.chainsaw import execution
from proving_ground.chainsaw.run import find_configuration

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_nearest_configuration_holds_wherever_the_run_was_started(tmp_path: Path) -> None:
    test = tmp_path / "suite" / "test"
    test.mkdir(parents=True)
    (tmp_path / ".chainsaw.yaml").touch()

    assert find_configuration(test, tmp_path) == tmp_path / ".chainsaw.yaml"
    (tmp_path / "suite" / ".chainsaw.yaml").touch()
    assert find_configuration(test, tmp_path) == tmp_path / "suite" / ".chainsaw.yaml"


def test_no_folder_above_the_root_is_asked(tmp_path: Path) -> None:
    test = tmp_path / "suite" / "test"
    test.mkdir(parents=True)
    (tmp_path / ".chainsaw.yaml").touch()

    assert find_configuration(test, tmp_path / "suite") is None


def test_a_mistake_of_the_engine_in_one_test_leaves_the_others_and_its_own_clean_up(
    engine: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(execution, "run_process", broken)
    apply = "{apply: {resource: {apiVersion: test.example/v1, kind: Widget, metadata: {name: w}}}}"
    wrong = f"steps: [{{try: [{apply}, {{script: {{content: 'true'}}}}]}}]"

    results = engine.run(wrong, f"steps: [{{try: [{apply}]}}]")

    assert [result.outcome for result in results] == ["error", "passed"]
    assert "the engine failed: ZeroDivisionError()" in results[0].message
    assert "ZeroDivisionError" in caplog.text
    assert engine.api.all("Widget") == []
    assert engine.api.all("Namespace") == []
