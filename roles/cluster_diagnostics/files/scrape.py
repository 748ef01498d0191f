"""Asks the metrics endpoints of a fleet's pods for what they tell now, a file each: scrape.py CONTROL_URL DIRECTORY.

Bounded in pods, time and size, and nothing that goes wrong is an error: it runs where things are broken.
"""

from __future__ import annotations

import concurrent.futures
import json
import re
import sys
import urllib.request
from pathlib import Path

PODS, SECONDS, BYTES, WORKERS = 50, 2.0, 1 << 20, 10
UNFIT = re.compile(r"[^A-Za-z0-9._-]")
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def page(url: str) -> str:
    """Return what a URL answers, or why it does not."""
    try:
        with NO_PROXY.open(url, timeout=SECONDS) as answer:
            return str(answer.read(BYTES).decode(errors="replace"))
    except (OSError, ValueError) as error:
        return f"# {url}: {error}\n"


def endpoints(control: str) -> list[tuple[str, str]]:
    """Return name of the file and URL of each endpoint."""
    try:
        pods = json.loads(page(f"{control}/pods"))["pods"]
    except (ValueError, KeyError, TypeError):
        return []
    telling = [pod for pod in pods if pod.get("mocks") or pod.get("server") == "openai"]
    return [
        (UNFIT.sub("_", f"{pod['namespace']}.{pod['name']}.{port}") + ".txt", f"http://{pod['address']}:{port}/metrics")
        for pod in telling[:PODS]
        for port in pod.get("ports", [])
    ]


def main(control: str, directory: str) -> None:
    """Write the pages."""
    found = endpoints(control)
    if not found:
        return
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as workers:
        for (name, _), text in zip(found, workers.map(page, [url for _, url in found]), strict=True):
            (folder / name).write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
