"""The inference server that suites verify: where it is, what it serves, what is known of it."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.openai_api.client import RequestError
from proving_ground.openai_api.conformity import Finding, judge
from proving_ground.openai_api.differences import Differences, differences_of
from proving_ground.openai_api.health import reason_of
from proving_ground.openai_api.streams import StreamRecord, read_stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proving_ground.contracts.platform import Platform
    from proving_ground.openai_api.client import Answer, Client
    from proving_ground.plugin.check_run import CheckRun

SYSTEM = "inference"
FLEET = "fleet"
"""The name of this project's own mock among servers."""
PROMISED = ("dynamo",)
"""Further servers that an inventory can promise, each by the capability of its name."""
COMPLETIONS = "/v1/completions"
CHAT = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"
MODELS = "/v1/models"
PROMPT = "Tell a story about a machine that proves itself."
_CONNECT_SECONDS = 10.0
_FIRST_ERROR = 400

Kind = Literal["completion", "chat"]
KINDS: tuple[Kind, ...] = ("completion", "chat")
PATHS: dict[Kind, str] = {"completion": COMPLETIONS, "chat": CHAT}
SCHEMAS: dict[Kind, str] = {"completion": "completion", "chat": "chat-completion"}
CHUNKS: dict[Kind, str] = {"completion": "completion-chunk", "chat": "chat-chunk"}


@dataclass(frozen=True)
class Target:
    """The server under test, as platform.json tells it.

    Attributes:
        url: Base URL, without ``/v1``.
        server: What it is: ``llama.cpp``, ``vllm``, ``fleet``, ...; empty: unknown.
        model: Model id; empty: the first that it lists.
        random: Whether its model is random, and so its text without sense.
        pid: Its process on this machine, where it is known.
        token_file: A file with its bearer token.
        parameters: All parameters of the system.
        name: Name of its endpoint and system.
    """

    url: str
    server: str = ""
    model: str = ""
    random: bool = False
    pid: int | None = None
    token_file: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    name: str = SYSTEM

    @property
    def token(self) -> str:
        """The bearer token; empty where none is needed.

        Raises:
            InfrastructureError: Its file cannot be read.
        """
        if self.token_file is None:
            return ""
        try:
            return Path(self.token_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise InfrastructureError(f"cannot read the token: {error.strerror}", where=self.token_file) from error

    def number(self, name: str, default: float) -> float:
        """Return a parameter that is a number above 0.

        Raises:
            ConfigurationError: It is none.
        """
        value = self.parameters.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            where = f"parameter {name} of system {self.name}"
            raise ConfigurationError(f"expected a number above 0, found {value!r}", where=where)
        return float(value)


def further(platform: Platform) -> list[str]:
    """Return the names of servers beside ``inference``.

    They are the endpoints whose system has the parameter ``api: openai``, and the servers that the inventory promises:
    one that is promised and not there must be missed.
    """
    present = {
        name
        for name, system in platform.systems.items()
        if name in platform.endpoints and system.parameters.get("api") == "openai"
    }
    return sorted((present | {*PROMISED} & {*platform.capabilities.promised}) - {SYSTEM})


def target_of(platform: Platform, name: str = SYSTEM) -> Target:
    """Return a server of a platform: by default the one that is its system ``inference``.

    Args:
        platform: The platform.
        name: Name of the server's endpoint and system.

    Raises:
        InfrastructureError: The platform has no endpoint of that name.
    """
    endpoint = platform.endpoints.get(name)
    if endpoint is None:
        known = ", ".join(sorted(platform.endpoints)) or "none"
        what = f"the platform has no endpoint {name!r}"
        if name in platform.capabilities.promised:
            what += f", which inventory {platform.inventory!r} promises"
        raise InfrastructureError(what, hint=f"it has {known}")
    system = platform.systems.get(name)
    parameters = dict(system.parameters) if system is not None else {}
    pid = parameters.get("pid")
    return Target(
        url=endpoint.url.rstrip("/").removesuffix("/v1"),
        server=str(parameters.get("server", "")),
        model=str(parameters.get("model", "")),
        random=parameters.get("model_kind") == "random",
        pid=pid if isinstance(pid, int) else None,
        token_file=endpoint.auth,
        parameters=parameters,
        name=name,
    )


async def require_listening(url: str) -> None:
    """Connect once, so that a server that is not there is told as such and not as a failure of every check.

    Raises:
        InfrastructureError: Nobody listens.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except (OSError, TimeoutError) as error:
        raise InfrastructureError(f"the server under test cannot be reached: {reason_of(error)}", where=url) from error
    writer.close()


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process, in bytes.

    Raises:
        InfrastructureError: It is gone, or cannot be read.
    """
    page = os.sysconf("SC_PAGE_SIZE")
    try:
        return page * int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError) as error:
        raise InfrastructureError("its memory cannot be read", where=f"process {pid}") from error


class Server:
    """The server under test, as one check sees it.

    Args:
        target: What is known of it.
        client: What asks it.
        check: The check, which is told what is tolerated.
    """

    def __init__(self, target: Target, client: Client, check: CheckRun) -> None:
        self.target = target
        self.client = client
        self.check = check
        self.differences: Differences = differences_of(target.server)
        self._model = target.model
        self._tolerated: dict[str, str] = {}

    async def model(self) -> str:
        """Return the model id that requests name.

        Raises:
            RequestError: The server lists none.
        """
        if not self._model:
            listed = (await self.client.get(MODELS)).expect(200).json()
            try:
                self._model = str(listed["data"][0]["id"])
            except (KeyError, IndexError, TypeError) as error:
                raise RequestError(f"GET {MODELS}: expected a model, found {str(listed)[:200]}") from error
        return self._model

    async def body(self, kind: Kind, prompt: str = PROMPT, **more: Any) -> dict[str, Any]:
        """Return the body of a request: by default 16 tokens at temperature 0."""
        asked = {"messages": [{"role": "user", "content": prompt}]} if kind == "chat" else {"prompt": prompt}
        made = {"model": await self.model(), "max_tokens": 16, "temperature": 0, **asked, **more}
        return {key: value for key, value in made.items() if value is not None}

    async def ask(self, kind: Kind, prompt: str = PROMPT, **more: Any) -> Answer:
        """Send a request, and return its answer, whatever its status."""
        return await self.client.post(PATHS[kind], await self.body(kind, prompt, **more))

    async def answer(self, kind: Kind, prompt: str = PROMPT, **more: Any) -> dict[str, Any]:
        """Send a request, and return the body of its answer.

        Raises:
            RequestError: The answer is not 200, or no JSON object.
        """
        answer = (await self.ask(kind, prompt, **more)).expect(200)
        found = answer.json()
        if not isinstance(found, dict):
            raise RequestError(f"{answer.what}: expected a JSON object, found {answer.shown()}")
        return found

    async def text(self, kind: Kind, prompt: str = PROMPT, **more: Any) -> str:
        """Send a request, and return the text of its first choice."""
        return text_of(await self.answer(kind, prompt, **more))

    async def stream(self, kind: Kind, prompt: str = PROMPT, **more: Any) -> StreamRecord:
        """Send a request that streams, and return all that came."""
        return await read_stream(self.client, PATHS[kind], await self.body(kind, prompt, **more))

    def conforms(self, schema: str, document: object) -> None:
        """Judge a body or an event by a schema; what is tolerated is told, and a violation fails the check."""
        verdict = judge(schema, document, self.differences)
        for finding in verdict.tolerated:
            self._tolerate(finding.rule, str(finding))
        if verdict.violations:
            raise AssertionError(f"{schema}: {verdict}")

    def require(self, rule: str, holds: object, otherwise: str) -> None:
        """Fail the check if a rule does not hold, unless the server is known for that."""
        if holds:
            return
        finding = self.differences.applied(Finding(rule, "$", otherwise))
        if not finding.tolerated:
            raise AssertionError(f"{otherwise} [{rule}]")
        self._tolerate(rule, f"{otherwise} (tolerated: {finding.tolerated})")

    def _tolerate(self, rule: str, told: str) -> None:
        self._tolerated[rule] = told
        self.check.property("tolerated", "; ".join(sorted(self._tolerated.values())))

    def refused(self, answer: Answer, rule: str) -> None:
        """Fail the check if a bad request was not refused as the client's fault, with a body of OpenAI's shape."""
        fine = _FIRST_ERROR <= answer.status < 500  # noqa: PLR2004 -- HTTP's own
        self.require(f"refuses:{rule}", fine, f"{answer.what}: expected status 4xx, found {answer.status}")
        if answer.status >= _FIRST_ERROR:
            self.conforms("error", answer.json())


def text_of(body: Mapping[str, Any]) -> str:
    """Return the text of the first choice of an answer; null counts as none.

    Raises:
        RequestError: There is no such thing.
    """
    try:
        choice = body["choices"][0]
        text = choice["message"]["content"] if "message" in choice else choice["text"]
    except (KeyError, IndexError, TypeError) as error:
        raise RequestError(f"expected a choice with a text, found {str(body)[:300]}") from error
    if text is None:
        return ""
    if not isinstance(text, str):
        raise RequestError(f"expected a text, found {str(text)[:100]}")
    return text
