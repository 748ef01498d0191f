# Apache-2.0 (see LICENSE)
"""One supervisord of a directory: starting it, telling it what to run, and ending everything."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
import xmlrpc.client
from typing import TYPE_CHECKING, Any, Self

from ansible_collections.proving.ground.plugins.module_utils import processes
from ansible_collections.proving.ground.plugins.module_utils.program_definitions import (
    Program,
    ProgramsError,
    main_section,
    make_private,
    script,
    section,
    socket_path,
    stop_order,
)
from ansible_collections.proving.ground.plugins.module_utils.program_readiness import is_ready, last_lines
from supervisor.xmlrpc import SupervisorTransport

if TYPE_CHECKING:
    import pathlib

POLL_SECONDS = 0.03
START_SECONDS = 15.0
RUNNING = 20  # the state numbers of http://supervisord.org/subprocess.html
ENDED = frozenset({0, 100, 200, 1000})
CALL_ERRORS = (OSError, http.client.HTTPException, xmlrpc.client.Error)


class Supervisor:
    """The supervisord of one directory."""

    def __init__(self, directory: pathlib.Path, run_id: str) -> None:
        self.directory = directory
        self.run_id = run_id
        self.socket = socket_path(directory)
        self.transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        self.call: Any = xmlrpc.client.ServerProxy("http://127.0.0.1", self.transport).supervisor

    def __enter__(self) -> Self:
        """Return the supervisor, whose connection is closed in the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.transport.close()

    def pid(self) -> int | None:
        """Return the process id of the supervisord that answers, None where none does."""
        try:
            return int(self.call.getPID())
        except CALL_ERRORS:
            self.transport.close()
            return None

    def states(self) -> dict[str, int]:
        """Return the state of every program that supervisord knows."""
        return {str(each["name"]): int(each["state"]) for each in self.call.getAllProcessInfo()}

    def log(self, name: str) -> pathlib.Path:
        """Return where a program's output goes."""
        return self.directory / "logs" / f"{name}.log"

    def stored(self, name: str) -> tuple[pathlib.Path, pathlib.Path]:
        """Return the files that define a program."""
        return self.directory / "conf.d" / f"{name}.conf", self.directory / "conf.d" / f"{name}.sh"

    def needs(self) -> dict[str, list[str]]:
        """Return what each known program needs, as it was told when it was started."""
        found = {}
        for path in (self.directory / "conf.d").glob("*.json"):
            with contextlib.suppress(OSError, ValueError):
                found[path.stem] = [str(each) for each in json.loads(path.read_text())["after"]]
        return found

    def leftovers(self, names: set[str] | None = None) -> dict[str, list[processes.Process]]:
        """Return processes that belong to this directory, by program; they may have lost their supervisord."""
        found: dict[str, list[processes.Process]] = {}
        wanted = {"PROVING_GROUND_SUPERVISOR": str(self.directory)}
        for process, given in processes.with_environment(wanted).items():
            name = given.get("PROVING_GROUND_PROGRAM", "")
            if names is None or name in names:
                found.setdefault(name, []).append(process)
        return found

    def differing(self, programs: list[Program]) -> list[Program]:
        """Return the programs whose definition is not the stored one."""
        changed = []
        for program in programs:
            wanted = (section(program, self.directory), script(program, self.directory, self.run_id))
            try:
                same = tuple(path.read_text() for path in self.stored(program.name)) == wanted
            except OSError:
                same = False
            if not same:
                changed.append(program)
        return changed

    def store(self, program: Program) -> None:
        """Write the files that define a program."""
        texts = (section(program, self.directory), script(program, self.directory, self.run_id))
        for path, text in zip(self.stored(program.name), texts, strict=True):
            path.touch(mode=0o600)
            path.write_text(text)

    def remember(self, program: Program) -> None:
        """Write what a program needs and when it is ready, for whoever stops or restarts it without knowing it."""
        path = self.directory / "conf.d" / f"{program.name}.json"
        text = json.dumps({"after": program.after, "ready": program.ready})
        path.touch(mode=0o600)
        path.write_text(text)

    def remembered(self, name: str) -> Program:
        """Return a program as far as it is known without its command: what it needs, and when it is ready.

        Raises:
            ProgramsError: It was never told.
        """
        path = self.directory / "conf.d" / f"{name}.json"
        try:
            known = json.loads(path.read_text())
            return Program(name, (), after=tuple(known["after"]), ready=dict(known["ready"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ProgramsError(f"{name}: when it is ready is not known: {path}: {error}") from error

    def ensure(self) -> bool:
        """Start supervisord where none answers; return whether that was needed.

        Raises:
            ProgramsError: It does not answer in time.
        """
        if self.pid():
            return False
        self.end_leftovers(None)
        for place in (self.directory, self.directory / "conf.d", self.directory / "logs", self.socket.parent):
            make_private(place)
        self.socket.unlink(missing_ok=True)
        configuration = self.directory / "supervisord.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(main_section(self.directory))
        ours = {"PROVING_GROUND_RUN_ID": self.run_id, "PROVING_GROUND_SUPERVISOR": str(self.directory)}
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration)]
        done = subprocess.run(
            command,
            env={**os.environ, **ours},
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        deadline = time.monotonic() + START_SECONDS
        while not self.pid():
            if done.returncode or time.monotonic() > deadline:
                said = done.stderr.strip() or last_lines(self.directory / "logs" / "supervisord.log")
                raise ProgramsError(f"supervisord did not start in {self.directory}: {said}")
            time.sleep(POLL_SECONDS)
        return True

    def load(self, changed: list[Program]) -> list[str]:
        """Tell supervisord the new definitions; return the programs that had to be stopped for it."""
        known = self.states()
        running = {each.name for each in changed if known.get(each.name) == RUNNING}
        stopped = self.stop(running) if running else []
        for program in changed:
            self.store(program)
        self.call.reloadConfig()
        for program in changed:
            if program.name in known:
                self.call.removeProcessGroup(program.name)
            self.call.addProcessGroup(program.name)
        return stopped

    def stop(self, names: set[str]) -> list[str]:
        """Stop programs, each before what it needs; return those that ran."""
        states = self.states()
        live = {name for name in names if states.get(name, 0) not in ENDED}
        after = {name: needs for name, needs in self.needs().items() if name in live}
        for name in live:
            after.setdefault(name, [])
        for group in stop_order(after):
            for name in group:
                with contextlib.suppress(xmlrpc.client.Fault):
                    self.call.stopProcess(name, False)
            self.await_end(set(group))
        return sorted(live)

    def await_end(self, names: set[str]) -> None:
        """Wait until programs have ended; supervisord kills them after their stop_seconds."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            states = self.states()
            if all(states.get(name, 0) in ENDED for name in names):
                return
            time.sleep(POLL_SECONDS)
        for left in self.leftovers(names).values():
            processes.end(left, 0.0)

    def end_leftovers(self, names: set[str] | None) -> list[str]:
        """End processes that have no supervisord any more, in the order in which it would have."""
        left = self.leftovers(names)
        needs = self.needs()
        supervisor = left.pop("", [])
        for group in stop_order({name: needs.get(name, []) for name in left}):
            stubborn = processes.end([each for name in group for each in left[name]], 5.0)
            if stubborn:
                raise ProgramsError(f"processes that cannot be ended: {[each.pid for each in stubborn]}")
        processes.end(supervisor, 5.0)
        return sorted(left)

    def shut_down(self) -> None:
        """End supervisord itself and remove what only it needs."""
        pid = self.pid()
        if pid:
            process = processes.Process(pid, processes.start_time(pid) or 0)
            with contextlib.suppress(*CALL_ERRORS):
                self.call.shutdown()
            deadline = time.monotonic() + 10
            while process.alive and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
            processes.end([process], 2.0)
        self.socket.unlink(missing_ok=True)
        if self.socket.parent != self.directory:
            with contextlib.suppress(OSError):
                self.socket.parent.rmdir()

    def forget(self, names: set[str]) -> None:
        """Remove the definitions of programs that are stopped."""
        for name in names:
            with contextlib.suppress(*CALL_ERRORS):
                self.call.removeProcessGroup(name)
            for path in (*self.stored(name), self.directory / "conf.d" / f"{name}.json"):
                path.unlink(missing_ok=True)


class Ascent:
    """Brings programs up, each as soon as what it needs is ready."""

    def __init__(self, supervisor: Supervisor, programs: list[Program], progress: pathlib.Path | None) -> None:
        self.supervisor = supervisor
        self.waiting = {program.name: program for program in programs}
        self.progress = progress
        self.began = time.monotonic()
        self.since: dict[str, float] = {}
        self.seen: dict[str, str] = {}
        self.ready: dict[str, float] = {}
        self.started: list[str] = []

    def run(self) -> None:
        """Return when all are ready.

        Raises:
            ProgramsError: A program ended, was not ready in time, or waits for one that is not there.
        """
        wanted = set(self.waiting)
        while self.waiting:
            states = self.supervisor.states()
            for program in list(self.waiting.values()):
                missing = [need for need in program.after if need not in wanted and states.get(need) != RUNNING]
                if missing:
                    raise ProgramsError(f"{program.name} needs {', '.join(missing)}, which does not run")
                if all(need in self.ready or need not in wanted for need in program.after):
                    self.advance(program, states.get(program.name, 0))
            if self.waiting:
                time.sleep(POLL_SECONDS)

    def advance(self, program: Program, state: int) -> None:
        """Start a program, or look whether it is ready now."""
        name, now = program.name, time.monotonic()
        if name not in self.since:
            self.since[name] = now
            if state in ENDED:
                self.supervisor.call.startProcess(name, False)
                self.started.append(name)
                return
        elif state in ENDED:
            raise ProgramsError(self.tell(name, f"ended {now - self.since[name]:.1f} s after its start"))
        self.seen[name] = is_ready(program.ready)
        if not self.seen[name]:
            self.ready[name] = round(now - self.began, 3)
            del self.waiting[name]
            self.report(f"{name} is ready after {now - self.since[name]:.1f} s")
        elif now - self.since[name] > float(program.ready.get("seconds") or 60):
            raise ProgramsError(self.tell(name, f"not ready after {now - self.since[name]:.0f} s; {self.seen[name]}"))

    def tell(self, name: str, what: str) -> str:
        """Say what is wrong with a program, with the end of its log."""
        log = self.supervisor.log(name)
        return f"{name}: {what}. The last lines of {log}:\n{last_lines(log)}"

    def report(self, line: str) -> None:
        """Append a line of progress, where that is wanted."""
        if self.progress:
            with contextlib.suppress(OSError), self.progress.open("a") as stream:
                stream.write(f"{line}\n")
