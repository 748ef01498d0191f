"""Operations that start programs: script and command."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import signal
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from proving_ground.chainsaw.background import MARK
from proving_ground.chainsaw.differences import render_mismatches
from proving_ground.chainsaw.failures import OperationError
from proving_ground.chainsaw.model import Script
from proving_ground.chainsaw.templates import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from proving_ground.chainsaw.background import Background
    from proving_ground.chainsaw.model import Command
    from proving_ground.chainsaw.scope import Bindings, Scope

_SHELL_ARGS = ("-c",)
_MOST_BYTES = 1024 * 1024
_SHOWN_LINES = 20
_AFTERMATH_SECONDS = 2.0
_VARIABLE = re.compile(r"\$(?:\{([^}]*)\}|(\{)|([*#$@!?0-9-]|[A-Za-z_][A-Za-z0-9_]*))")


@dataclass(frozen=True)
class Outcome:
    """How a program ended.

    Attributes:
        stdout: What it wrote, at most one MiB.
        stderr: The same for its errors.
        code: Exit status; negative: the signal that ended it.
        timed_out: Whether it was ended because its time was over.
    """

    stdout: str
    stderr: str
    code: int
    timed_out: bool

    @property
    def error(self) -> str | None:
        """What ``$error`` is bound to, in chainsaw's words; None after success."""
        if self.code == 0:
            return None
        return f"exit status {self.code}" if self.code > 0 else f"signal: {_signal_name(-self.code)}"


def _signal_name(number: int) -> str:
    return "killed" if number == signal.SIGKILL else signal.strsignal(number) or str(number)


async def run(scope: Scope, operation: Script | Command, seconds: float) -> Bindings:
    """Run a ``script`` (by its shell) or a ``command``, and judge its end.

    With a check, the check alone decides; without one, every exit status but 0 is a failure.

    Returns:
        The operation's outputs.
    """
    environment = await _environment(scope, operation)
    if isinstance(operation, Script):
        arguments = [operation.shell, *(operation.shell_args or _SHELL_ARGS), operation.content]
    else:
        arguments = [operation.entrypoint, *(expand(argument, environment) for argument in operation.args)]
    directory = scope.directory / operation.work_dir if operation.work_dir else scope.directory
    try:
        outcome = await execute(arguments, directory, environment, seconds, scope.background)
    except OSError as error:
        raise OperationError(f"{arguments[0]} cannot be started: {error}") from error
    title = f"{operation.kind} at line {operation.where.line}"
    shown = "" if operation.skip_log_output else scope.secrecy.hide(render_output(outcome))
    if shown:
        started = "" if operation.skip_command_output else f"command: {scope.secrecy.hide(shlex.join(arguments))}\n"
        scope.report.attach(f"output of {title}", started + shown)
    known = {"stdout": outcome.stdout, "stderr": outcome.stderr, "error": outcome.error}
    if operation.check is not None:
        mismatches = await scope.check(operation.check, None, {**scope.bindings, **known})
        if mismatches:
            raise OperationError(
                _told(outcome, seconds, "its check does not hold", quiet=operation.skip_log_output),
                f"{render_mismatches(mismatches, None)}\n{shown}",
            )
    elif outcome.error is not None:
        raise OperationError(_told(outcome, seconds, "", quiet=operation.skip_log_output), shown)
    return await scope.outputs(operation.outputs, None, **known)


async def _environment(scope: Scope, operation: Script | Command) -> dict[str, str]:
    """Return the environment of a program: this process's, what the operation sets, namespace and kubeconfig."""
    own: dict[str, str] = {}
    for binding in operation.env:
        name = await scope.string(binding.name)
        value = await scope.evaluate(partial(render, binding.value, None, scope.bindings))
        if not isinstance(value, str):
            raise OperationError(f"environment variable {name} must be a string, is {value!r}")
        own[name] = value
    if scope.namespace:
        own.setdefault("NAMESPACE", scope.namespace)
    if scope.connected is not None:
        own["KUBECONFIG"] = str(scope.connected.kubeconfig.resolve())
    return {**os.environ, **own, MARK: scope.background.token}


def expand(argument: str, environment: Mapping[str, str]) -> str:
    """Return an argument as chainsaw hands it on: with ``$NAME`` and ``${NAME}`` replaced, and ``$$`` by ``$``.

    What is not set, here and in the environment of this process, is empty; an argument that would be empty as a
    whole stays as it is written. A brace that is never closed is dropped with its dollar, as Go's expansion has it.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[3] or ""
        return "$" if name == "$" else environment.get(name) or os.environ.get(name, "")

    return _VARIABLE.sub(value, argument) or argument


async def execute(
    arguments: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    seconds: float,
    background: Background,
) -> Outcome:
    """Run a program as the leader of its own process group and wait for its end.

    At the end of its time, and when the caller is cancelled, the whole group is killed. What a program that ended by
    itself left running, with its output elsewhere, is kept until ``background`` ends it.
    """
    background.used = True
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *arguments,
            cwd=directory,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    )
    interruption: asyncio.CancelledError | None = None
    try:
        process = await asyncio.shield(starting)
    except asyncio.CancelledError as cancelled:  # it may run already, and has to be ended properly
        process, interruption = await starting, cancelled
    stdout, stderr = bytearray(), bytearray()
    timed_out, ended = False, False
    readers = asyncio.gather(_drain(process.stdout, stdout), _drain(process.stderr, stderr), process.wait())
    try:
        if interruption is not None:
            raise interruption
        async with asyncio.timeout(seconds):
            await asyncio.shield(readers)
        ended = True
    except TimeoutError:
        timed_out = True
    finally:
        if not ended:
            _kill(process)
        # a process that left the group may still hold the pipes: do not wait for it for ever
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_AFTERMATH_SECONDS):
                await asyncio.shield(readers)
        # asyncio complains of an exception that nobody asks for
        readers.add_done_callback(lambda done: done.cancelled() or done.exception())
        readers.cancel()
        _let_go(process)
    code = process.returncode if process.returncode is not None else -signal.SIGKILL
    return Outcome(_text(stdout), _text(stderr), code, timed_out)


def _kill(process: asyncio.subprocess.Process) -> None:
    """End the process and everything in its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _let_go(process: asyncio.subprocess.Process) -> None:
    """Close this end of the pipes, whoever holds the other one."""
    # asyncio closes it by itself at the end of all that hold a pipe, and Process has no method for it.
    process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001


async def _drain(stream: asyncio.StreamReader | None, into: bytearray) -> None:
    """Read to the end, keeping only so much: a full pipe would stop the program."""
    if stream is None:
        return
    while data := await stream.read(65536):
        into.extend(data[: _MOST_BYTES - len(into)])


def _text(data: bytearray) -> str:
    text = data.decode(errors="replace")
    return f"{text}\n[cut at {_MOST_BYTES} bytes]" if len(data) >= _MOST_BYTES else text


def _told(outcome: Outcome, seconds: float, check: str, *, quiet: bool) -> str:
    end = outcome.error or "exit status 0"
    if outcome.timed_out:
        end = f"it was not done within {seconds:g} s and was killed"
    parts = [part for part in (check, end) if part]
    output = "" if quiet else outcome.stderr or outcome.stdout
    last = [line for line in output.splitlines() if line.strip()][-1:]
    return "; ".join(parts) + (f": {last[0][:200]}" if last else "")


def render_output(outcome: Outcome) -> str:
    """Return what a program wrote as people read it: the last lines of each stream."""
    sections = []
    for name, text in (("stdout", outcome.stdout), ("stderr", outcome.stderr)):
        lines = text.rstrip().splitlines()
        if lines:
            left_out = len(lines) - _SHOWN_LINES
            head = [f"{name}:"] if left_out <= 0 else [f"{name} (the last {_SHOWN_LINES} of {len(lines)} lines):"]
            sections.append("\n".join([*head, *lines[-_SHOWN_LINES:]]))
    return "\n".join(sections)
