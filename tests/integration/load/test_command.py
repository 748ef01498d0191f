"""The verb `test` as programs use it: one JSON document on stdout, and exit codes that say what to do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from proving_ground.load.measured.timed import timed_server

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
SHORT = ("--duration", "2", "--users", "4", "--spawn-rate", "50", "--max-tokens", "8")


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "proving_ground", "test", *words]


def called(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@contextlib.contextmanager
def timed(*faults: str) -> Iterator[str]:
    """Give a timed server outside of any event loop."""
    loop = asyncio.new_event_loop()
    server = timed_server(faults=faults)
    try:
        yield loop.run_until_complete(server.__aenter__())
    finally:
        loop.run_until_complete(server.__aexit__(None, None, None))
        loop.close()


def connections(url: str) -> int:
    """Return how many clients are connected to a server of this machine."""
    port = f":{urlsplit(url).port:04X}"
    table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(port) and row[3] == "01" for row in table)


@contextlib.contextmanager
def answering(body: bytes, status: int = 200) -> Iterator[str]:
    """Give an HTTP server that answers everything alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_load_ends_in_one_document_of_the_schema(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with timed() as url:
        done = called("--suite", "load", "--url", url, "--output", "json", "--json-report", str(report), *SHORT)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told) == {"summary", "tests", "load_test"}
    others = [test for test in told["tests"] if test["status"] != "passed"]
    assert told["summary"]["passed"] + len(others) == told["summary"]["total"] == len(told["tests"])
    # Without a stage there are no gates.
    assert [(test["name"], test["status"]) for test in others] == [("load/measurements-hold-to-the-gates", "skipped")]
    assert told["load_test"]["requests_per_second"] > 0
    assert told["load_test"]["error_rate"] == 0
    written = json.loads(report.read_text())
    assert written["exitcode"] == 0
    assert len(written["tests"]) == len(told["tests"])


def test_an_objective_that_does_not_hold_fails() -> None:
    with timed() as url:
        done = called("--suite", "load", "--url", url, "--output", "json", "--slo", "ttft_p99=1ms", *SHORT)
    assert done.returncode == 1, done.stderr
    failed = [test for test in json.loads(done.stdout)["tests"] if test["status"] == "failed"]
    assert [test["name"] for test in failed] == ["load/objectives-hold"]
    assert "ttft_p99 at most 1 ms, found" in failed[0]["error"]


def test_errors_under_load_fail() -> None:
    with timed("errors") as url:
        done = called("--suite", "load", "--url", url, *SHORT)
    assert done.returncode == 1, done.stderr
    assert "status 500" in done.stdout


def test_nobody_listening_is_infrastructure() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        done = called("--url", f"http://127.0.0.1:{taken.getsockname()[1]}", "--output", "json")
    assert done.returncode == 2
    assert "cannot be reached" in done.stderr
    assert json.loads(done.stdout)["summary"]["failed"] == 1


@pytest.mark.parametrize(
    ("body", "status", "code", "said"),
    [
        (b"<html>", 200, 1, "no server with OpenAI's API"),
        (b"{}", 404, 1, "no server with OpenAI's API"),
        (b'{"data": []}', 200, 1, "no server with OpenAI's API"),
        (b'{"data": "models"}', 200, 1, "no server with OpenAI's API"),
        (b'{"error": {}}', 401, 3, "--auth FILE"),
        (b"{}", 503, 2, "is not well"),
    ],
)
def test_what_is_no_such_server_is_told_apart(body: bytes, status: int, code: int, said: str) -> None:
    with answering(body, status) as url:
        done = called("--url", url)
    assert done.returncode == code
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_what_speaks_no_http_is_a_wrong_url() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"220 mail.example.com ESMTP\r\n")
                connection.recv(1000)

        thread = threading.Thread(target=greet)
        thread.start()
        done = called("--url", f"http://127.0.0.1:{server.getsockname()[1]}", "--output", "json")
        thread.join()
    assert done.returncode == 3
    assert "no HTTP" in done.stderr
    assert done.stdout == ""


def test_an_interrupted_load_tells_what_it_saw() -> None:
    words = ("--suite", "load", "--output", "json", "--duration", "60", "--users", "4", "--spawn-rate", "50")
    with (
        timed() as url,
        subprocess.Popen(
            command("--url", url, *words), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        # Its users are there, and then it measures for some seconds.
        deadline = time.monotonic() + 60
        while connections(url) < 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(4)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    told = json.loads(out)
    assert told["summary"]["passed"] == 0
    assert told["load_test"]["requests_per_second"] > 0
