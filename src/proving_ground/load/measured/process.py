"""The process that makes load, and its workers: `python -m proving_ground.load.measured.process PLAN RESULT`.

It reads a plan and writes what it saw, both JSON. locust runs the users; with several processes it is its master that
spreads them over workers, each of which sends what it saw when its users have stopped. SIGINT or SIGTERM ends the load
at once; what was seen until then is written and marked as interrupted.
"""

# ruff: noqa: I001 - locust changes the standard library, and has to before anything else imports from it
from __future__ import annotations

import locust
import locust.env

import argparse
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import gevent  # type: ignore[import-untyped]
import gevent.event  # type: ignore[import-untyped]

from proving_ground.load.measured.client_health import ClientHealth
from proving_ground.load.measured.plan import Plan
from proving_ground.load.measured.recorder import now
from proving_ground.load.measured.users import USERS, ArrivingUser, Session

HOST = "127.0.0.1"
_WORKERS_SECONDS = 30.0
_LEAD = 0.1
"""Seconds between the word to begin and the begin."""
_PARTS_SECONDS = 20.0
_PRIORITY = -15


class Load:
    """One load, made by this process or by its workers.

    Args:
        plan: What to send.
        token: Bearer token, or nothing.
    """

    def __init__(self, plan: Plan, token: str) -> None:
        self.plan = plan
        self.stopping = gevent.event.Event()
        self.interrupted = False
        self.began = self.ended = now()
        self._token = token
        users: list[type[locust.User]] = [USERS[plan.profile] if plan.closed else ArrivingUser]
        self.environment: Any = locust.env.Environment(user_classes=users, stop_timeout=plan.drain)
        self.session: Session | None = None

    def prepare(self, index: int, count: int) -> None:
        """Make what the users of this process share; the load begins a moment later."""
        health = ClientHealth(stamped=False)
        self.session = Session(self.plan, self._token, index, count, health, now() + _LEAD)
        health.stamped = self.session.target.stamped
        self.environment.measuring = self.session
        health.start()
        gevent.sleep(max(0.0, self.session.recorder.began - now()))

    def part(self) -> dict[str, Any]:
        """Return what this process saw."""
        if self.session is None:
            raise RuntimeError("nothing was prepared")
        return self.session.recorder.part(self.session.health.stop())

    def interrupt(self) -> None:
        """End as soon as possible."""
        self.interrupted, self.ended = True, now()
        self.environment.stop_timeout = 0
        if self.session is not None:
            self.session.interrupted = True
        self.stopping.set()

    def drive(self, runner: Any, processes: int) -> None:
        """Take the runner through all levels; returns when the last one is over or it was interrupted."""
        end = self.began = now()
        if not self.plan.closed:
            runner.start(processes, spawn_rate=processes)
        for level in self.plan.levels:
            if self.plan.closed:
                runner.start(int(level.value), spawn_rate=self.plan.spawn_rate)
            end += level.seconds + (level.warm_up or 0.0)
            if self.stopping.wait(max(0.0, end - now())):
                return


def alone(load: Load) -> list[dict[str, Any]]:
    """Make the load in this process, and return what was seen."""
    runner = load.environment.create_local_runner()
    load.prepare(0, 1)
    load.drive(runner, 1)
    runner.quit()
    return [load.part()]


def together(load: Load, plan_file: Path) -> list[dict[str, Any]]:
    """Make the load in workers of this process, and return what each of them saw.

    Raises:
        RuntimeError: A worker did not come, or did not tell what it saw.
    """
    count = load.plan.processes
    runner = load.environment.create_master_runner(HOST, 0)
    parts: list[dict[str, Any]] = []

    def measured(environment: Any, msg: Any) -> None:
        del environment
        parts.append(msg.data)

    runner.register_message("measured", measured)
    command = [sys.executable, "-m", __spec__.name, str(plan_file), "-", "--worker", str(runner.server.port)]
    workers = [subprocess.Popen([*command, str(count)]) for _ in range(count)]
    try:
        _wait(lambda: len(runner.clients.ready) >= count, _WORKERS_SECONDS, load)
        if not load.interrupted:
            runner.send_message("prepare")
            gevent.sleep(_LEAD)
            load.drive(runner, count)
        if load.interrupted:
            runner.send_message("interrupt")
        runner.stop()
        _wait(lambda: len(parts) >= count, load.plan.drain + _PARTS_SECONDS, None)
    finally:
        with contextlib.suppress(Exception):
            runner.quit()
        for worker in workers:
            worker.terminate()
        for worker in workers:
            try:
                worker.wait(5)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
    if len(parts) < count and not load.interrupted:
        raise RuntimeError(f"{count - len(parts)} of {count} workers did not tell what they saw")
    return parts


def _wait(reached: Any, seconds: float, load: Load | None) -> None:
    until = now() + seconds
    while not reached() and now() < until and not (load is not None and load.interrupted):
        gevent.sleep(0.02)


def work(load: Load, port: int, count: int) -> None:
    """Be a worker, until its master says that it is over."""
    runner = load.environment.create_worker_runner(HOST, port)

    def prepare(environment: Any, msg: Any) -> None:
        del environment, msg
        load.prepare(runner.worker_index, count)

    def interrupt(environment: Any, msg: Any) -> None:
        del environment, msg
        load.interrupt()

    def stopped(**_: Any) -> None:
        if load.session is not None:
            runner.send_message("measured", load.part())

    runner.register_message("prepare", prepare)
    runner.register_message("interrupt", interrupt)
    load.environment.events.test_stop.add_listener(stopped)
    runner.greenlet.join()


def go_first() -> None:
    """Let this process run before others, where it may: on a busy machine it reads soon enough only then.

    It uses little of a processor; a run in which it used nearly all of one is not valid.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except (OSError, AttributeError):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)


def main() -> int:
    """Make the load."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plan", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--worker", nargs=2, type=int, metavar=("PORT", "COUNT"))
    arguments = parser.parse_args()
    logging.getLogger("locust").setLevel(logging.ERROR)
    go_first()
    plan = Plan.model_validate_json(arguments.plan.read_bytes()).check()
    token = Path(plan.auth).read_text(encoding="utf-8").strip() if plan.auth else ""
    load = Load(plan, token)
    if arguments.worker:
        # A terminal's Ctrl-C is for the master, which tells its workers.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        gevent.signal_handler(signal.SIGTERM, os._exit, 0)
        work(load, *arguments.worker)
        return 0
    for number in (signal.SIGINT, signal.SIGTERM):
        gevent.signal_handler(number, load.interrupt)
    parts = together(load, arguments.plan) if plan.processes > 1 else alone(load)
    told = {"interrupted": load.interrupted, "seconds": load.ended - load.began, "parts": parts}
    arguments.result.write_text(json.dumps(told), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
