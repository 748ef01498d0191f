from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import IO

import pytest

from proving_ground.errors import ExitCode
from proving_ground.mocks.__main__ import main


def start(**env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "proving_ground.mocks", "vllm-metrics", "--address", "127.0.0.1", "--port", "0"],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        text=True,
    )


def line_of(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline()


@pytest.fixture(scope="module")
def process() -> Iterator[subprocess.Popen[str]]:
    """Run one mock for the tests of this module."""
    with start(INITIAL_GPU_CACHE="85") as running:
        yield running
        running.kill()


@pytest.fixture(scope="module")
def address(process: subprocess.Popen[str]) -> str:
    return line_of(process.stdout).strip().rpartition(" ")[2]


def get(address: str, target: str, timeout: float = 30.0) -> tuple[int, str]:
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_the_process_reads_its_environment_and_serves(address: str) -> None:
    status, page = get(address, "/metrics")
    assert status == 200
    assert 'vllm_gpu_cache_usage_perc{model_name="mock-model"} 85.0\n' in page


def test_a_refused_value_is_a_bad_request(address: str) -> None:
    assert get(address, "/set?gpu_cache=NaN") == (
        400,
        "parameter gpu_cache: expected a number from 0 to 100, found 'NaN'\n",
    )


def test_a_reset_breaks_the_connection(address: str) -> None:
    get(address, "/set_failure?mode=reset")
    with pytest.raises(ConnectionResetError):
        get(address, "/metrics")
    assert get(address, "/health")[0] == 200
    get(address, "/set_failure?mode=none")


def test_sigterm_ends_it_though_an_answer_is_on_its_way_and_a_connection_is_open() -> None:
    with start() as process:
        address = line_of(process.stdout).strip().rpartition(" ")[2]
        get(address, "/set_failure?mode=slow&delay=3600")
        waiting = http.client.HTTPConnection(address)
        waiting.request("GET", "/metrics")
        idle = http.client.HTTPConnection(address)
        idle.request("GET", "/health")
        idle.getresponse().read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        waiting.close()
        idle.close()


def test_a_wrong_variable_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INITIAL_GPU_CACHE", "full")
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    assert main(["vllm-metrics"]) == ExitCode.CONFIGURATION
    assert capsys.readouterr().err == "variable INITIAL_GPU_CACHE: expected a number from 0 to 100, found 'full'\n"
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


@pytest.mark.parametrize(
    ("options", "code"),
    [(["--port", "70000"], ExitCode.CONFIGURATION), (["--address", "192.0.2.1"], ExitCode.INFRASTRUCTURE)],
)
def test_a_place_where_it_cannot_listen_is_told(
    options: list[str], code: ExitCode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prometheus", *options]) == code
    assert options[1] in capsys.readouterr().err
