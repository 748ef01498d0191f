"""A load for a check: tried again where the client did not keep up, and kept whatever came of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from proving_ground.errors import InfrastructureError
from proving_ground.load.measured import asking
from proving_ground.load.measured.plan import Level, Plan
from proving_ground.load.measured.result import Client, Measured

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLAN = Plan(url="http://127.0.0.1:1", levels=(Level(value=1, seconds=1),))
FIT = Measured(closed=True, levels=[], client=Client())
UNFIT = Measured(closed=True, levels=[], client=Client(verdict="invalid", reason="held up"))


def ask(keep: Path, *found: Measured) -> tuple[Measured, int]:
    """Return what came of it, and how often the load was made."""
    left = list(found)

    async def measure(plan: Plan, *, partial: Callable[[Measured], None]) -> Measured:
        del plan, partial
        return left.pop(0)

    return asyncio.run(asking.trusted(PLAN, keep=keep, send=measure)), len(found) - len(left)


def test_a_load_that_is_valid_is_made_once(tmp_path: Path) -> None:
    assert ask(tmp_path / "a" / "b.json", FIT, FIT) == (FIT, 1)
    assert Measured.model_validate_json((tmp_path / "a" / "b.json").read_bytes()) == FIT


def test_a_client_that_was_held_up_once_is_asked_again(tmp_path: Path) -> None:
    assert ask(tmp_path / "b.json", UNFIT, FIT) == (FIT, 2)


def test_a_load_that_is_not_valid_twice_never_passes(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="did not keep up: held up; again: held up"):
        ask(tmp_path / "b.json", UNFIT, UNFIT)
    assert Measured.model_validate_json((tmp_path / "b.json").read_bytes()) == UNFIT


def test_a_load_that_was_interrupted_does_not_pass(tmp_path: Path) -> None:
    partial = Measured(closed=True, levels=[], client=Client(verdict="interrupted", reason="ended before its time"))
    with pytest.raises(InfrastructureError, match="ended before its time"):
        ask(tmp_path / "b.json", partial, partial)
