"""Properties: what must hold whatever the server is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.openai_api.fuzzing import Plan, fuzz

if TYPE_CHECKING:
    from proving_ground.contracts.platform import Platform
    from proving_ground.openai_api.server import Server
    from proving_ground.plugin.check_run import CheckRun

pytestmark = [pytest.mark.weekly, pytest.mark.contract]
CASES, SECONDS, SEED = 100, 600.0, 1
FEW = 20
"""Cases that show a fault."""
REQUEST_SECONDS = 30.0
SHOWN = 5


async def test_no_request_breaks_it(check: CheckRun, server: Server, platform: Platform) -> None:
    """Whatever it is sent, the server answers as the API reference says, never with status 5xx, and goes on."""
    target = server.target
    plan = Plan(
        url=target.url,
        model=await server.model(),
        server=target.server,
        token=target.token,
        ca=platform.endpoints[target.name].ca,
        cases=int(target.number("fuzz_cases", FEW if check.settings.fault else CASES)),
        duration=target.number("fuzz_seconds", SECONDS),
        request_seconds=check.settings.cut(REQUEST_SECONDS),
        seed=int(target.number("fuzz_seed", SEED)),
        bounds=target.parameters.get("fuzz_bounds") is not False,
    )
    result = await fuzz(plan, say=lambda line: check.note("fuzz", "environment", line))
    check.metric("fuzz_requests", result.requests)
    for note in result.notes:
        check.note("fuzz", target.url, note)
    if result.tolerated:
        told = sorted(f"[{rule}] {reason}" for rule, reason in result.tolerated.items())
        check.property("tolerated", "; ".join(told))
    if result.failures:
        check.attach("failures", "\n".join(map(str, result.failures)))
    shown = "\n".join(map(str, result.failures[:SHOWN]))
    assert not result.failures, f"{len(result.failures)} do not hold, the first: {shown}"
