"""The process that makes load, and its workers: `python -m proving_ground.load.measured.process PLAN RESULT`.

It reads a plan and writes what it saw, both JSON. locust runs the users; with several processes it is its master that
spreads them over workers, each of which sends what it saw when its users have stopped. SIGINT or SIGTERM ends the load
at once; what was seen until then is written and marked as interrupted.

In a cluster a master and its workers are pods that share no files: `PLAN --master HOST:PORT` waits for workers and
prints what came of it, `PLAN --worker HOST:PORT` is one of them.
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
import sys
from pathlib import Path
from typing import Any

import gevent  # type: ignore[import-untyped]
import gevent.event  # type: ignore[import-untyped]

from proving_ground.load.measured.client_health import ClientHealth
from proving_ground.load.measured.plan import Plan
from proving_ground.load.measured.recorder import now
from proving_ground.load.measured.result import summarise
from proving_ground.load.measured.sharing import lead, local_workers, work
from proving_ground.load.measured.users import USERS, ArrivingUser, Session
from proving_ground.load.pods.telling import told_as_lines, told_failure

LOCAL = "127.0.0.1"
_PRIORITY = -15
_LEAD = 0.1
"""Seconds between all being there and the begin."""


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

    def prepare(self, index: int, count: int, began: float) -> None:
        """Make what the users of this process share.

        Args:
            index: Which of the processes this is, from 0.
            count: How many there are.
            began: When the load begins.
        """
        health = ClientHealth(stamped=False)
        self.session = Session(self.plan, self._token, index, count, health, began)
        health.stamped = self.session.target.stamped
        self.environment.measuring = self.session
        health.start()

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

    def drive(self, runner: Any, processes: int, began: float) -> None:
        """Take the runner through all levels; returns when the last one is over or it was interrupted.

        Args:
            runner: locust's.
            processes: How many share the load.
            began: When the load begins; users are there sooner where that is to come.
        """
        end = self.began = began
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
    load.prepare(0, 1, began := now() + _LEAD)
    gevent.sleep(max(0.0, began - now()))
    load.drive(runner, 1, now())
    runner.quit()
    return [load.part()]


def go_first() -> None:
    """Let this process run before others, where it may: on a busy machine it reads soon enough only then.

    It uses little of a processor; a run in which it used nearly all of one is not valid.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except (OSError, AttributeError):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)


def address(text: str) -> tuple[str, int]:
    """Return host and port."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, found {text!r}")
    return host.strip("[]"), int(port)


def main() -> int:
    """Make the load."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plan", type=Path)
    parser.add_argument("result", type=Path, nargs="?")
    role = parser.add_mutually_exclusive_group()
    role.add_argument("--master", type=address, metavar="HOST:PORT")
    role.add_argument("--worker", type=address, metavar="HOST:PORT")
    arguments = parser.parse_args()
    logging.getLogger("locust").setLevel(logging.ERROR)
    go_first()
    plan = Plan.model_validate_json(arguments.plan.read_bytes()).check()
    token = Path(plan.auth).read_text(encoding="utf-8").strip() if plan.auth else ""
    load = Load(plan, token)
    if arguments.worker:
        work(load, arguments.worker)
        return 0
    for number in (signal.SIGINT, signal.SIGTERM):
        gevent.signal_handler(number, load.interrupt)
    if arguments.master:
        return _lead_and_print(load, arguments.master)
    if arguments.result is None:
        parser.error("expected a file for the result, or --master or --worker")
    parts = lead(load, (LOCAL, 0), local_workers(arguments.plan, plan.parts)) if plan.parts > 1 else alone(load)
    arguments.result.write_text(json.dumps(_told(load, parts)), encoding="utf-8")
    return 0


def _told(load: Load, parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"interrupted": load.interrupted, "seconds": load.ended - load.began, "parts": parts}


def _lead_and_print(load: Load, place: tuple[str, int]) -> int:
    """Be the master of workers that come by themselves; what they saw is added up here, since a log is small."""
    try:
        measured = summarise(load.plan, _told(load, lead(load, place)))
    except RuntimeError as error:
        sys.stdout.write(told_failure(str(error)))
        return 1
    sys.stdout.write(told_as_lines(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
