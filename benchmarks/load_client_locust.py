"""locust's own client on the same server, for benchmarks/load_client.py: prints what it tells, as JSON.

It has the priority of ours, and is asked how late it notes the first token, too: its response time of a stream is the
time to the headers.
"""

# ruff: noqa: I001 - locust changes the standard library, and has to come first
from __future__ import annotations

import locust
import locust.env

import contextlib
import json
import logging
import os
import sys
import time
from typing import Any

import gevent

FIRST: list[tuple[float, float]] = []
"""Of each first token: seconds since the request, and since the server sent it."""
BODY: dict[str, Any] = {"model": "timed", "messages": [{"role": "user", "content": "x"}]}


class Asking(locust.FastHttpUser):
    """Asks without a pause."""

    wait_time = locust.constant(0)

    @locust.task
    def ask(self) -> None:
        streamed = bool(BODY["stream"])
        began = time.perf_counter()
        with self.client.post("/v1/chat/completions", json=BODY, stream=streamed, catch_response=True) as answer:
            first = True
            while streamed and (line := answer._response.readline(b"\n\n")):  # noqa: SLF001 - it has no other way
                if first and b'"content":" token"' in line:
                    first, at = False, time.perf_counter()
                    FIRST.append((at - began, at - json.loads(line.strip()[5:])["sent_at"]))


def part(values: list[float], share: float) -> float | None:
    ordered = sorted(1000 * value for value in values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def main() -> None:
    """Ask for so many seconds: URL USERS SECONDS STREAMED TOKENS."""
    Asking.host, users, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    BODY.update(stream=sys.argv[4] == "1", max_tokens=int(sys.argv[5]))
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    logging.getLogger("locust").setLevel(logging.ERROR)
    environment = locust.env.Environment(user_classes=[Asking])
    runner = environment.create_local_runner()
    used = time.process_time()
    runner.start(users, spawn_rate=100)
    gevent.sleep(seconds)
    total = environment.stats.total
    told = {
        "requests_per_second": total.num_requests / seconds,
        "failures": total.num_failures,
        "cpu": (time.process_time() - used) / seconds,
        "response_time_p50_ms": total.get_response_time_percentile(0.5),
        "response_time_p99_ms": total.get_response_time_percentile(0.99),
        "ttft_p50_ms": part([seconds for seconds, _ in FIRST], 0.5),
        "ttft_p99_ms": part([seconds for seconds, _ in FIRST], 0.99),
        "ttft_p99_error_ms": part([late for _, late in FIRST], 0.99),
    }
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    # What is under way is not waited for.
    os._exit(0)


if __name__ == "__main__":
    main()
