"""Sends what schemathesis draws, bounded in number and time, and asks afterwards whether the server still answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from proving_ground.errors import InfrastructureError
from proving_ground.openai_api.access import trust_in
from proving_ground.openai_api.client import Client, RequestError
from proving_ground.openai_api.differences import differences_of
from proving_ground.openai_api.fuzzing.document import openapi
from proving_ground.openai_api.fuzzing.exchanges import Exchange, answered, unanswered
from proving_ground.openai_api.fuzzing.judging import Failure, curl, judged
from proving_ground.openai_api.server import CHAT, COMPLETIONS
from proving_ground.ownership.state import cache_home
from proving_ground.servers.environment import ensure
from proving_ground.servers.tool import OUTPUT, inherited, running

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LOCK = Path(__file__).with_name("schemathesis.lock")
_HOOKS = Path(__file__).with_name("hooks.py")
_START_SECONDS = 60.0
"""Until the first request, which counts for no duration."""
_END_SECONDS = 15.0
_PAUSE = 0.1
_CODES = (0, 1, 130)
"""Of schemathesis: nothing found, something found, interrupted."""
_LEFT_OFF = ("left off after {:g} s, before all was sent", "interrupted after {:.1f} s, before all was sent")
_NOT_FOUND = 404
_TOKEN = "PROVING_GROUND_TOKEN"  # noqa: S105 -- the name of a variable


@dataclass(frozen=True)
class Plan:
    """What is sent.

    Attributes:
        url: Base URL of the server, without ``/v1``.
        model: Model that requests name.
        server: What the server is; by it known differences are found.
        token: Bearer token; empty: none.
        ca: File with certificates of whom to trust, for https.
        cases: Requests that are drawn for each path; those at the schemas' bounds come before them.
        duration: Seconds after which no more are sent.
        request_seconds: The most that one answer may take.
        seed: What is drawn; the same requests for the same seed.
        bounds: Whether the thousand requests at the schemas' bounds are sent, too.
    """

    url: str
    model: str
    server: str = ""
    token: str = ""
    ca: str | None = None
    cases: int = 100
    duration: float = 300.0
    request_seconds: float = 30.0
    seed: int = 1
    bounds: bool = True


@dataclass(frozen=True)
class Result:
    """What came of it.

    Attributes:
        requests: How many were sent.
        seconds: How long that took.
        whole: Whether all were sent before the time was over.
        interrupted: Whether somebody ended it.
        statuses: How many answers of each status; 0: without a whole answer.
        failures: What does not hold.
        tolerated: What the server is known for: rule -> reason.
        notes: What else is to be known, one sentence each.
    """

    requests: int = 0
    seconds: float = 0.0
    whole: bool = False
    interrupted: bool = False
    statuses: Mapping[int, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    tolerated: Mapping[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


async def fuzz(plan: Plan, *, say: Callable[[str], None], cache: Path | None = None) -> Result:
    """Send requests, and judge what comes back; of an interrupted call, what came until then.

    Args:
        plan: What is sent.
        say: Told what takes long.
        cache: Directory that keeps the environment; the user's cache if absent.

    Raises:
        InfrastructureError: The environment cannot be made, or schemathesis broke.
    """
    if problem := await _silent(plan, "answers-plain-requests", "a plain request is not answered"):
        return Result(failures=[problem])
    place = cache if cache is not None else cache_home() / "servers"
    environment = await asyncio.to_thread(ensure, LOCK, place, say=say)
    with tempfile.TemporaryDirectory(prefix="proving-ground-fuzz-") as folder:
        work = Path(folder)
        began = time.monotonic()
        interrupted = whole = False
        try:
            whole = await _send(plan, environment.python, work)
        except asyncio.CancelledError:
            interrupted = True
            if task := asyncio.current_task():
                task.uncancel()
        seconds = time.monotonic() - began
        exchanges = list(answered(_lines(work / "exchanges.jsonl")))
        lost = list(unanswered(_lines(work / "report.ndjson")))
    if not exchanges and not lost and not interrupted:
        raise InfrastructureError("schemathesis sent nothing", where=plan.url, hint="give it more time")
    late = [exchange for exchange in lost if not exchange.broken]
    found = judged([*exchanges, *lost], plan.url, differences_of(plan.server), secret=bool(plan.token))
    failures = list(found.failures)
    if problem := await _silent(plan, "answers-afterwards", "a plain request is not answered afterwards", late):
        failures.append(problem)
    sent = [*exchanges, *lost]
    statuses = dict(sorted(Counter(exchange.status for exchange in sent).items()))
    notes = [_LEFT_OFF[interrupted].format(seconds if interrupted else plan.duration)] if not whole else []
    notes += _of_lost(plan, lost)
    return Result(len(sent), seconds, whole, interrupted, statuses, failures, found.tolerated, notes)


def _of_lost(plan: Plan, lost: list[Exchange]) -> list[str]:
    notes = []
    for exchange in lost:
        why = exchange.broken or f"no whole answer within {plan.request_seconds:g} s"
        again = curl(exchange, plan.url, secret=bool(plan.token))
        notes.append(f"POST {exchange.path}: {why}; what was to follow it was not sent: {again}")
    return notes


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []


async def _silent(plan: Plan, rule: str, told: str, late: list[Exchange] | None = None) -> Failure | None:
    """Ask something plain, and return what is wrong where no answer comes."""
    bodies = {
        COMPLETIONS: {"model": plan.model, "prompt": "Hello", "max_tokens": 1},
        CHAT: {"model": plan.model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1},
    }
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust_in(plan.ca))) as session:
        client = Client(session, plan.url, token=plan.token, timeout=plan.request_seconds)
        why, path = "", COMPLETIONS
        for path, body in bodies.items():
            try:
                answer = await client.post(path, body)
                if answer.status == _NOT_FOUND and path == COMPLETIONS:
                    continue
                answer.expect(200)
            except RequestError as error:
                why = str(error)
            break
    if not why:
        return None
    asked = late[-1] if late else Exchange(path, "application/json", json.dumps(bodies[path]).encode())
    return Failure(asked.path, rule, f"{told}: {why}", 1, curl(asked, plan.url, secret=bool(plan.token)))


def settings(plan: Plan) -> str:
    """Return schemathesis.toml; the token stands in the environment."""
    token = f'headers = {{ Authorization = "Bearer ${{{_TOKEN}}}" }}\n' if plan.token else ""
    # What methods a path has is no question of its requests.
    return f"{token}[phases.coverage]\nunexpected-methods = []\n"


def command(plan: Plan, python: Path) -> list[str]:
    """Return schemathesis' command, for a directory with what it reads."""
    options = {
        "--url": plan.url,
        "--phases": "coverage,fuzzing" if plan.bounds else "fuzzing",
        "--checks": "not_a_server_error",  # one it must have; what came back is judged here
        "--mode": "all",
        "--max-examples": str(plan.cases),
        "--seed": str(plan.seed),
        "--generation-database": "none",
        "--request-timeout": f"{plan.request_seconds:g}",
        "--report": "ndjson",
        "--report-ndjson-path": "report.ndjson",
        "--warnings": "off",
        "--suppress-health-check": "all",
        **({"--tls-verify": plan.ca} if plan.ca else {}),
    }
    words = [word for pair in options.items() for word in pair]
    start = [str(python), "-m", "schemathesis.cli", "--no-color", "--config-file", "schemathesis.toml"]
    return [*start, "run", "openapi.json", *words, "--continue-on-failure", "--no-shrink"]


def _environment(plan: Plan, work: Path) -> dict[str, str]:
    exchanges = str(work / "exchanges.jsonl")
    return {**inherited(), "SCHEMATHESIS_HOOKS": str(_HOOKS), "PROVING_GROUND_EXCHANGES": exchanges, _TOKEN: plan.token}


async def _send(plan: Plan, python: Path, work: Path) -> bool:
    """Let schemathesis send, and return whether it came to its end in time."""
    (work / "openapi.json").write_text(json.dumps(openapi(plan.model)), encoding="utf-8")
    (work / "schemathesis.toml").write_text(settings(plan), encoding="utf-8")
    async with running(command(plan, python), work, _environment(plan, work)) as process:
        whole = await _ended(process, plan, (work / "exchanges.jsonl").is_file)
    if whole and process.returncode not in _CODES:
        said = [line for line in _lines(work / OUTPUT) if line.strip()] or ["nothing"]
        raise InfrastructureError(f"schemathesis ended with {process.returncode}, and said last: {said[-1][:300]}")
    return whole


async def _ended(process: asyncio.subprocess.Process, plan: Plan, begun: Callable[[], bool]) -> bool:
    end = asyncio.ensure_future(process.wait())
    try:
        patience = time.monotonic() + _START_SECONDS
        while not (end.done() or begun()) and time.monotonic() < patience:
            await asyncio.wait([end], timeout=_PAUSE)
        await asyncio.wait([end], timeout=plan.duration)
        if end.done():
            return True
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        await asyncio.wait([end], timeout=_END_SECONDS)
        return False
    finally:
        end.cancel()
