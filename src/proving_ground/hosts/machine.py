"""A host of the platform, as checks use it."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import shlex
import shutil
from typing import TYPE_CHECKING, Any

from proving_ground.errors import InfrastructureError, ProvingGroundError
from proving_ground.hosts import transport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from proving_ground.contracts.platform import Host, Platform

SSH_FAILED = 255
"""What ssh(1) ends with when the failure is its own."""
SESSIONS = 4
"""Commands under way at once on one host: a server takes ten over one connection (``MaxSessions``, sshd_config(5))."""
_ATTEMPTS = 3
_PAUSE = 0.5
_NOT_STARTED = re.compile(r"kex_exchange_identification|ssh_exchange_identification|Connection reset by .* port")
"""The server drops a connection that is not authenticated yet when too many come at once (``MaxStartups``)."""
_HINTS = (
    ("host key verification failed", "the host has another key than the one that is pinned: was it made anew?"),
    ("remote host identification has changed", "the host has another key than the one that is pinned"),
    ("permission denied", "does the host know the key, and is the user right?"),
    ("too many authentication failures", "does the host know the key, and is the user right?"),
    ("connection refused", "is sshd running there?"),
    ("no route to host", "is the host up, and is its address right?"),
    ("network is unreachable", "is there a route to its network?"),
    ("timed out", "is the host up, and does a firewall let ssh through?"),
    ("could not resolve hostname", "the ssh_config file names no address for it"),
    ("can't open user config file", "the private state directory of the run is gone"),
    ("no such file", "is what the ssh_config file names still there?"),
)


@dataclasses.dataclass(frozen=True)
class Output:
    """What a command came to."""

    rc: int
    stdout: str
    stderr: str


@dataclasses.dataclass(frozen=True, eq=False)
class Machine:
    """One host of platform.json.

    Attributes:
        name: As in the inventory.
        groups: Of the inventory.
        declared: What the inventory declares of it, verbatim.
        host: testinfra's host. What it is asked for blocks: in checks use :meth:`run`, or :meth:`ask`.
        ssh_config: Path of the file that knows how to reach it; empty: it is this machine.
    """

    name: str
    groups: frozenset[str]
    declared: Mapping[str, Any]
    host: Any = dataclasses.field(repr=False)
    ssh_config: str = ""
    _turn: asyncio.Semaphore = dataclasses.field(default_factory=lambda: asyncio.Semaphore(SESSIONS), repr=False)

    @classmethod
    def of(cls, host: Host) -> Machine:
        """Return a host of the platform; nothing is sent yet.

        ``declared.sudo: true`` runs every command as root by sudo, where the user of the ssh_config file is not root.
        """
        sudo = host.declared.get("sudo") is True
        return cls(
            name=host.name,
            groups=frozenset(host.groups),
            declared=host.declared,
            host=transport.connect(host.name, host.ssh_config, sudo=sudo),
            ssh_config=host.ssh_config or "",
        )

    async def run(self, command: str, *, timeout: float = transport.TIMEOUT) -> Output:  # noqa: ASYNC109  # in the message
        """Run a command with the host's shell.

        Args:
            command: As a shell reads it.
            timeout: Seconds; the command is ended then.

        Raises:
            InfrastructureError: The host cannot be reached, or the command did not end in time.
        """
        # What the other side runs does not end with the connection, so it ends by itself.
        bounded = f"timeout -k 1 {timeout + 1:g} sh -c {shlex.quote(command)}"
        for left in reversed(range(_ATTEMPTS)):
            result = await self._ask(lambda host: host.run(bounded), _short(command), timeout, may_repeat=left > 0)
            if result is not None:
                return Output(result.rc, result.stdout, result.stderr)
            await asyncio.sleep(_PAUSE)
        raise AssertionError("unreachable")

    async def ask(self, question: Callable[[Any], Any], *, timeout: float = transport.TIMEOUT) -> Any:  # noqa: ASYNC109
        """Ask testinfra's host something in a thread: ``await machine.ask(lambda host: host.package("curl").version)``.

        Args:
            question: Gets the host, returns the answer.
            timeout: Seconds for each command that the question needs.

        Raises:
            InfrastructureError: The host cannot be reached, or did not answer in time.
        """
        return await self._ask(question, "a question", timeout)

    async def _ask(
        self, question: Callable[[Any], Any], what: str, seconds: float, *, may_repeat: bool = False
    ) -> Any | None:
        """Ask; None is the answer where the host did not even begin with it and may be asked again."""
        if self.ssh_config and shutil.which("ssh") is None:
            raise InfrastructureError("there is no ssh on PATH", where=self.name, hint="install OpenSSH's client")
        call = transport.Call(seconds)
        async with self._turn:
            token = transport.CALL.set(call)
            try:
                return await asyncio.to_thread(question, self.host)
            except transport.TooLongError:
                raise InfrastructureError(
                    f"expected an answer to `{what}` within {seconds:g} s, there was none",
                    where=self.name,
                    hint=self._try(),
                ) from None
            except RuntimeError as error:
                result: Any = error.args[0] if error.args else None
                if getattr(result, "rc", None) != SSH_FAILED:
                    raise
                if may_repeat and _NOT_STARTED.search(result.stderr):
                    return None
                raise self._unreachable(result.stderr, what) from None
            finally:
                transport.CALL.reset(token)
                # A check that is cancelled leaves no ssh behind; one that ended is not touched.
                call.stop()

    def _try(self) -> str:
        return (
            f"try: ssh -F {shlex.quote(self.ssh_config)} {self.name} true" if self.ssh_config else "is it overloaded?"
        )

    def _unreachable(self, said: str, what: str) -> InfrastructureError:
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        # The last line is ssh's verdict; what stands before it are warnings.
        problem = lines[-1].rstrip(".") if lines else "ssh ended with status 255 and said nothing"
        lower = said.lower()
        advice = next((text for sign, text in _HINTS if sign in lower), "")
        return InfrastructureError(
            f"the host cannot be reached over SSH for `{what}`: {problem}",
            where=self.name,
            hint="; ".join(text for text in (advice, self._try()) if text),
        )


def machines_of(platform: Platform) -> tuple[Machine, ...]:
    """Return every host of the platform.

    Raises:
        InfrastructureError: It has none.
    """
    if not platform.hosts:
        raise InfrastructureError(
            "the platform has no hosts",
            hint="its inventory promises ssh, so provision has to write hosts into platform.json",
        )
    return tuple(Machine.of(host) for host in platform.hosts)


async def on_all(machines: Sequence[Machine], question: Callable[[Machine], Awaitable[Any]]) -> dict[str, Any]:
    """Ask all hosts at once; return their answers by name.

    Raises:
        ProvingGroundError: That of the first which could not be asked; the others are cancelled.
    """
    try:
        async with asyncio.TaskGroup() as group:
            asked = {machine.name: group.create_task(_awaited(question(machine))) for machine in machines}
    except* ProvingGroundError as errors:
        raise _first(errors) from None
    return {name: task.result() for name, task in asked.items()}


async def _awaited(answer: Awaitable[Any]) -> Any:
    return await answer


def _first(errors: BaseExceptionGroup[ProvingGroundError]) -> ProvingGroundError:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _short(command: str) -> str:
    line = command.strip().partition("\n")[0]
    return line if len(line) <= 60 else f"{line[:57]}..."  # noqa: PLR2004  # fits a line with the rest
