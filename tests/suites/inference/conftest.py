"""The inference server as checks see it; shared by the suites of this folder.

Checks that ask for the fixture `server` are there once for each server of the platform: under their own ids for the one
that is system `inference`, and with its name as a further part of the id for each other one, as in
``smoke/the-model-is-listed[dynamo]``.

Real servers cannot be told to misbehave. So under a fault each check talks to a server of its own: the fleet's mock of
an inference server, on loopback, in this process, which shows the fault.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from typing import TYPE_CHECKING

import aiohttp
import pytest

from proving_ground.fleet.alone import server_alone
from proving_ground.fleet.inference import Speed
from proving_ground.openai_api.access import trust_in
from proving_ground.openai_api.client import Client
from proving_ground.openai_api.server import FLEET, SYSTEM, Server, further, require_listening, target_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from proving_ground.contracts.platform import Platform
    from proving_ground.plugin.check_run import CheckRun
    from proving_ground.plugin.verification import Verification

REQUEST_SECONDS = 60.0
MODEL = "proving-ground/mock"
PACE = Speed(token=0.005, max_running=4)
"""Slow enough for a stream to be left while it goes on, and few places, so that one that is kept is missed."""


@pytest.hookimpl(trylast=True)  # so that the name comes after other parts of the id
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let each check that asks for the server be there for each one; where checks are tried, one is enough."""
    verification: Verification | None = metafunc.config.pluginmanager.get_plugin("proving-ground-verification")
    if verification is None or "server" not in metafunc.fixturenames or verification.settings.proving:
        return
    platform = verification.platform
    others = further(platform)
    if any(mark.name == "needs_server_process" for mark in metafunc.definition.iter_markers()):
        others = [n for n in others if n in platform.endpoints and target_of(platform, n).pid is not None]
    if others:
        metafunc.parametrize("server", [SYSTEM, *others], indirect=True, ids=[pytest.HIDDEN_PARAM, *others])


@pytest.fixture
async def server(request: pytest.FixtureRequest, check: CheckRun, platform: Platform) -> AsyncIterator[Server]:
    """The server under test."""
    name = getattr(request, "param", SYSTEM)
    target = target_of(platform, name)
    fault = check.settings.fault
    async with contextlib.AsyncExitStack() as stack:
        ca = None
        if fault:
            url = await stack.enter_async_context(server_alone(MODEL, faults=fault.split(","), speed=PACE))
            pid = None if target.pid is None else os.getpid()
            target = dataclasses.replace(target, url=url, server=FLEET, model=MODEL, pid=pid, token_file=None)
        else:
            await require_listening(target.url)
            ca = platform.endpoints[name].ca
        connector = aiohttp.TCPConnector(limit=0, ssl=trust_in(ca))
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        limit = check.settings.cut(REQUEST_SECONDS)
        yield Server(target, Client(session, target.url, token=target.token, timeout=limit), check)
