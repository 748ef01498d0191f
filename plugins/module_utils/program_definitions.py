# Apache-2.0 (see LICENSE)
"""Programs as they should run under supervisord, and the files that say so."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import re
import shlex
from dataclasses import dataclass, field
from typing import Any

SOCKET_LIMIT = 107 - len(".4194304")  # sun_path of unix(7), less the suffix that supervisord adds while it binds
SAFE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class ProgramsError(Exception):
    """Something is wrong that a person must know, in one line first."""


@dataclass(frozen=True)
class Program:
    """One program as it should run."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    working_directory: str = ""
    after: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()
    ready: dict[str, Any] = field(default_factory=dict)
    stop_seconds: int = 5


def parse(raw: list[dict[str, Any]]) -> list[Program]:
    """Turn the module's parameter into programs.

    Raises:
        ProgramsError: A name is not fit for a file or is there twice, or a command is missing.
    """
    seen: dict[str, Program] = {}
    for each in raw:
        name = each["name"]
        if not SAFE_NAME.fullmatch(name):
            raise ProgramsError(f"program name {name!r} is not of lower-case letters, digits and dashes")
        if name in seen:
            raise ProgramsError(f"program {name!r} is there twice")
        if not each.get("command"):
            raise ProgramsError(f"program {name!r} has no command")
        seen[name] = Program(
            name,
            tuple(each["command"]),
            {key: str(value) for key, value in (each.get("environment") or {}).items()},
            each.get("working_directory") or "",
            tuple(each.get("after") or ()),
            tuple(each.get("watch") or ()),
            each.get("ready") or {},
            each.get("stop_seconds") or 5,
        )
    return list(seen.values())


def stop_order(after: dict[str, list[str]]) -> list[list[str]]:
    """Return groups of programs to stop one after the other: none before what needs it.

    Args:
        after: For each program the programs that it needs; names that are not keys do not count.

    Raises:
        ProgramsError: The programs wait for each other in a circle.
    """
    left = {name: {need for need in needs if need in after} for name, needs in after.items()}
    order = []
    while left:
        needed = set().union(*left.values())
        group = sorted(set(left) - needed)
        if not group:
            raise ProgramsError(f"programs wait for each other in a circle: {', '.join(sorted(left))}")
        order.append(group)
        for name in group:
            del left[name]
    return order


def socket_path(directory: pathlib.Path, fallback: pathlib.Path | None = None) -> pathlib.Path:
    """Return where supervisord listens: in the directory, or in a short private place where that is too long."""
    path = directory / "supervisor.sock"
    if len(os.fsencode(path)) <= SOCKET_LIMIT:
        return path
    short = fallback or pathlib.Path(f"/tmp/proving-ground-{os.getuid()}")  # noqa: S108 - checked to be ours, see below
    return short / f"{hashlib.sha256(os.fsencode(directory)).hexdigest()[:20]}.sock"


def make_private(directory: pathlib.Path) -> None:
    """Make a directory that is this user's alone.

    Raises:
        ProgramsError: It exists and is somebody else's, or is a link.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = directory.lstat()
    if directory.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise ProgramsError(f"{directory} is not a directory that only you may write to; remove it")


def script(program: Program, directory: pathlib.Path, run_id: str) -> str:
    """Return the shell script that becomes the program; people can run it by hand."""
    environment = {
        **program.environment,
        "PROVING_GROUND_RUN_ID": run_id,
        "PROVING_GROUND_SUPERVISOR": str(directory),
        "PROVING_GROUND_PROGRAM": program.name,
    }
    digests = []
    for path in program.watch:
        with contextlib.suppress(OSError):
            digests.append(f"# {hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()} {path!r}")
    exports = [f"export {name}={shlex.quote(value)}" for name, value in sorted(environment.items())]
    place = shlex.quote(program.working_directory or str(directory))
    return "\n".join(
        ["#!/bin/sh", *digests, *exports, f"cd {place} || exit 1", f"exec {shlex.join(program.command)}", ""]
    )


def section(program: Program, directory: pathlib.Path) -> str:
    """Return supervisord's configuration of a program."""
    start = ini(shlex.join(["/bin/sh", str(directory / "conf.d" / f"{program.name}.sh")]))
    return f"""[program:{program.name}]
command={start}
autostart=false
autorestart=false
startsecs=0
stopwaitsecs={program.stop_seconds}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={ini(str(directory / "logs" / program.name))}.log
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=1
"""


def main_section(directory: pathlib.Path) -> str:
    """Return supervisord's own configuration."""
    return f"""[unix_http_server]
file={ini(str(socket_path(directory)))}
chmod=0600
[supervisord]
logfile={ini(str(directory / "logs" / "supervisord.log"))}
pidfile={ini(str(directory / "supervisord.pid"))}
childlogdir={ini(str(directory / "logs"))}
minfds=1024
minprocs=50
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[include]
files={ini(str(directory / "conf.d"))}/*.conf
"""


def ini(value: str) -> str:
    """Quote a value for supervisord's configuration.

    Raises:
        ProgramsError: It holds what that format has no quotes for.
    """
    if re.search(r"[\r\n]|\s[;#]", value):
        raise ProgramsError(f"a path for supervisord may have no line break, ' ;' or ' #': {value!r}")
    return value.replace("%", "%%")
