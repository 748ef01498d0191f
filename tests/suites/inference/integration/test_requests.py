"""Many requests: at once, one after the other, over some time, and after bad ones."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

import pytest

from proving_ground.openai_api.client import RequestError
from proving_ground.openai_api.server import COMPLETIONS, text_of

if TYPE_CHECKING:
    from proving_ground.openai_api.server import Server

pytestmark = [pytest.mark.integration]
AT_ONCE, ANSWERED = 10, 0.9
IN_A_ROW = 20
STEADY_SECONDS, PER_SECOND, MOST_ERRORS = 30.0, 2.0, 0.05
UNKNOWN_MODEL = "proving-ground/there-is-no-such-model"


async def _problem(server: Server, number: int) -> str:
    """Send a short request; return what is wrong with its answer, nothing if it is one."""
    try:
        text_of(await server.answer("completion", f"Number {number} is", max_tokens=8))
    except RequestError as error:
        return str(error)
    return ""


@pytest.mark.pre_merge
async def test_requests_at_once_are_answered(server: Server) -> None:
    """Of ten requests at once at least nine are answered (parameter concurrency)."""
    count = int(server.target.number("concurrency", AT_ONCE))
    problems = [problem for problem in await asyncio.gather(*(_problem(server, n) for n in range(count))) if problem]
    assert len(problems) <= count - math.ceil(ANSWERED * count), f"{len(problems)} of {count} failed: {problems[0]}"


@pytest.mark.pre_merge
async def test_requests_in_a_row_are_answered(server: Server) -> None:
    """Each of twenty requests, one after the other, is answered (parameter sequence)."""
    for number in range(int(server.target.number("sequence", IN_A_ROW))):
        problem = await _problem(server, number)
        assert not problem, f"request {number + 1}: {problem}"


@pytest.mark.nightly
async def test_a_steady_trickle_is_answered(server: Server) -> None:
    """Over 30 s at two requests a second less than one in twenty fails (parameters steady_seconds, steady_rate)."""
    rate = server.target.number("steady_rate", PER_SECOND)
    count = int(rate * server.target.number("steady_seconds", STEADY_SECONDS))
    loop = asyncio.get_running_loop()
    begin = loop.time()
    tasks = []
    for number in range(count):
        await asyncio.sleep(begin + number / rate - loop.time())
        tasks.append(asyncio.create_task(_problem(server, number)))
    problems = [problem for problem in await asyncio.gather(*tasks) if problem]
    server.check.metric("error_rate", len(problems) / count)
    assert len(problems) < MOST_ERRORS * count, f"{len(problems)} of {count} failed: {problems[0]}"


@pytest.mark.pre_merge
async def test_bad_requests_do_no_harm_to_good_ones(server: Server) -> None:
    """After each of several bad requests a good one is answered."""
    for bad in (b"{not json", b"{}", b'{"prompt": {"no": "text"}}'):
        await server.client.post(COMPLETIONS, bad)
        problem = await _problem(server, 0)
        assert not problem, f"after {bad.decode()}: {problem}"


@pytest.mark.pre_merge
async def test_an_unknown_model_is_refused(server: Server) -> None:
    """A request for a model that the server does not have is refused as the client's mistake."""
    answer = await server.ask("chat", model=UNKNOWN_MODEL)
    server.require(
        "refuses:unknown-model",
        answer.status in {400, 404},
        f"{answer.what}: expected status 404 or 400, found {answer.status}",
    )


@pytest.mark.pre_merge
async def test_an_unknown_path_is_refused(server: Server) -> None:
    """A path that the API does not have is answered with status 404."""
    answer = await server.client.post("/v1/there/is/no/such/path", {})
    server.require(
        "refuses:unknown-path", answer.status == 404, f"{answer.what}: expected status 404, found {answer.status}"
    )
