"""A load that several processes share: a master spreads the users, and each worker tells it what it saw.

Only messages go between them, so workers can be anywhere. Clocks are not compared: each worker counts from when it
began, and the word to begin reaches all of them within what a message takes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import gevent  # type: ignore[import-untyped]
import locust.runners

from proving_ground.load.measured.engine import MODULE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from proving_ground.load.measured.process import Load

_LEAD = 0.5
"""Seconds between the word to begin and the begin, in which every worker has to have its users."""
LOCAL_SECONDS = 30.0
"""How long processes of this machine may take to start."""
POD_SECONDS = 600.0
"""The same for pods; who made them knows sooner why they do not come."""
_PARTS_SECONDS = 20.0
locust.runners.HEARTBEAT_LIVENESS = int(POD_SECONDS)
"""locust gives the users of a worker that is silent for three seconds to others, and back later: a load of other
requests than was asked for. Here a worker that does not tell what it saw makes the load fail."""
_FAREWELL_SECONDS = 5.0
"""Seconds that a worker which has to go waits for its master to say that it may."""


@contextlib.contextmanager
def local_workers(plan_file: Path, count: int) -> Iterator[Callable[[int], None]]:
    """Give what starts workers as processes of this machine; they end with the context."""
    workers: list[subprocess.Popen[bytes]] = []

    def start(port: int) -> None:
        command = [sys.executable, "-m", MODULE, str(plan_file), "--worker", f"127.0.0.1:{port}"]
        workers.extend(subprocess.Popen(command) for _ in range(count))

    try:
        yield start
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            try:
                worker.wait(_FAREWELL_SECONDS)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


class _Heard:
    """What a master hears of its workers.

    Args:
        load: The load; it ends where a worker has to go, or could not begin.
        runner: locust's master.
    """

    def __init__(self, load: Load, runner: Any) -> None:
        self.here: set[str] = set()
        self.parts: list[dict[str, Any]] = []
        self.problems: list[str] = []
        self._load = load
        runner.register_message("here", self._here)
        runner.register_message("measured", self._measured)
        runner.register_message("failed", self._failed)

    def _here(self, environment: Any, msg: Any) -> None:
        del environment
        self.here.add(msg.node_id)

    def _measured(self, environment: Any, msg: Any) -> None:
        del environment
        if msg.data["part"] is not None:
            self.parts.append(msg.data["part"])
        if msg.data["early"] and not self._load.interrupted:
            self._load.interrupt()

    def _failed(self, environment: Any, msg: Any) -> None:
        del environment
        self.problems.append(str(msg.data))
        self._load.stopping.set()


def lead(
    load: Load, place: tuple[str, int], workers: AbstractContextManager[Callable[[int], None]] | None = None
) -> list[dict[str, Any]]:
    """Make the load in workers, and return what each of them saw.

    Args:
        load: The load.
        place: Host and port where workers come; port 0 is any that is free.
        workers: Gives what starts them, told the port; absent: they come by themselves.

    Raises:
        RuntimeError: A worker did not come, could not begin, or did not tell what it saw.
    """
    count = load.plan.parts
    runner = load.environment.create_master_runner(*place)
    heard = _Heard(load, runner)
    with contextlib.ExitStack() as stack:
        # Workers are told to quit before they are ended.
        start = stack.enter_context(workers) if workers is not None else None
        stack.callback(_quit, runner)
        if start is not None:
            start(runner.server.port)
        seconds = POD_SECONDS if start is None else LOCAL_SECONDS
        _wait(lambda: len(heard.here) >= count or load.interrupted, seconds)
        if load.interrupted:
            return []
        if len(heard.here) < count:
            raise RuntimeError(f"{len(heard.here)} of {count} workers came within {seconds:g} s")
        runner.send_message("prepare")
        load.drive(runner, count, time.perf_counter() + _LEAD)
        if load.interrupted:
            runner.send_message("interrupt")
        # It waits long for users of a worker that is gone; what counts is what workers tell.
        stopping = gevent.spawn(runner.stop)
        _wait(lambda: len(heard.parts) >= count or heard.problems, load.plan.drain + _PARTS_SECONDS)
        stopping.kill()
    if heard.problems:
        raise RuntimeError(heard.problems[0])
    if len(heard.parts) < count and not load.interrupted:
        raise RuntimeError(f"{count - len(heard.parts)} of {count} workers did not tell what they saw")
    return heard.parts


def _quit(runner: Any) -> None:
    with contextlib.suppress(Exception):
        runner.quit()


def _wait(reached: Callable[[], Any], seconds: float) -> None:
    until = time.perf_counter() + seconds
    while not reached() and time.perf_counter() < until:
        gevent.sleep(0.02)


def work(load: Load, master: tuple[str, int]) -> None:
    """Be a worker, until its master says that it is over.

    A worker that is told to go before that (SIGTERM) tells what it saw, and the load ends for all.
    """
    runner: Any = None
    told = False

    def tell(*, early: bool) -> None:
        nonlocal told
        if (early or load.session is not None) and not told:
            told = True
            part = load.part() if load.session is not None else None
            runner.send_message("measured", {"part": part, "early": early})

    def leave() -> None:
        if runner is None or told:
            os._exit(0)
        gevent.spawn_later(_FAREWELL_SECONDS, os._exit, 0)
        load.interrupt()
        tell(early=True)

    # A terminal's Ctrl-C is for the master, which tells its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gevent.signal_handler(signal.SIGTERM, leave)
    runner = load.environment.create_worker_runner(*master)

    def prepare(environment: Any, msg: Any) -> None:
        del environment, msg
        try:
            load.prepare(runner.worker_index, load.plan.parts, time.perf_counter() + _LEAD)
        except Exception as error:  # noqa: BLE001 - whatever it is, the master waits for it
            runner.send_message("failed", f"a worker could not begin: {type(error).__name__}: {error}")

    def interrupt(environment: Any, msg: Any) -> None:
        del environment, msg
        load.interrupt()

    def stopped(**_: Any) -> None:
        tell(early=False)

    runner.register_message("prepare", prepare)
    runner.register_message("interrupt", interrupt)
    load.environment.events.test_stop.add_listener(stopped)
    # locust has told its master before; but only now the word to begin is understood.
    runner.send_message("here")
    runner.greenlet.join()
