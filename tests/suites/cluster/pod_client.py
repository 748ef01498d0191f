"""What is run inside a pod: looks names up and asks addresses, and prints what came of it as JSON."""

from __future__ import annotations

import concurrent.futures
import json
import socket
import sys
import time
import urllib.request

SECONDS = 5.0
PAUSE = 0.2


def look_up(name: str) -> str:
    """Return an address of a name; a question mark begins what went wrong."""
    try:
        return str(socket.getaddrinfo(name, None, socket.AF_INET)[0][4][0])
    except OSError as error:
        return f"? {error}"


def ask(url: str) -> str:
    """Return what a URL answers; a question mark begins what went wrong."""
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:  # noqa: S310  # the suite's own
            return str(answer.read(200).decode(errors="replace"))
    except OSError as error:
        return f"? {error}"


def found(question: str, until: float) -> str:
    """Return the answer to a question, asked again until there is one: a node hears of a Service a while later."""
    while True:
        answer = ask(question) if "://" in question else look_up(question)
        if not answer.startswith("?") or time.monotonic() + PAUSE > until:
            return answer
        time.sleep(PAUSE)


patience, *questions = sys.argv[1:]
deadline = time.monotonic() + float(patience)
with concurrent.futures.ThreadPoolExecutor(16) as threads:
    answers = threads.map(lambda question: found(question, deadline), questions)
    json.dump(dict(zip(questions, answers, strict=True)), sys.stdout)
