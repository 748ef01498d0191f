"""What the greeter owes to those who ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from proving_ground.contracts.platform import Endpoint
    from proving_ground.plugin.check_run import CheckRun


@pytest.mark.nightly
async def test_greets_by_name(endpoint: Callable[[str], Endpoint], check: CheckRun) -> None:
    """Who is named is greeted by that name."""
    headers = {"X-Fault": check.settings.fault or ""}
    async with httpx.AsyncClient(trust_env=False, timeout=check.settings.cut(10)) as client:
        answer = await client.get(f"{endpoint('greeter').url}/?name=Ada", headers=headers)
    assert answer.text == "Hello, Ada"
