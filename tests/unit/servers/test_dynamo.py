"""What NVIDIA Dynamo's programs are told, and how it is said that it cannot be had."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.servers import dynamo
from proving_ground.servers.environment import Environment
from proving_ground.servers.speaking import speaker

PYTHON = Path("/env/bin/python")
MODELS = Path("/cache/models/dynamo-1")
WRITER = "import pathlib, sys; (pathlib.Path(sys.argv[1]) / 'config.json').write_text('{}')"


def asked(*arguments: str) -> dynamo.Wanted:
    return dynamo.wanted(dynamo.parser().parse_args(["--directory=/run/sim", *arguments]))


def made(*arguments: str) -> dict[str, dynamo.Program]:
    return {each.name: each for each in dynamo.programs(asked(*arguments), PYTHON, MODELS)}


def test_there_is_a_process_for_each_worker_one_for_events_and_the_frontend() -> None:
    names = ["dynamo-events", "dynamo-worker-1", "dynamo-worker-2", "dynamo-worker-3", "dynamo-frontend"]
    assert list(made("--workers=3")) == names


def test_all_listen_on_the_address_that_is_asked_for() -> None:
    found = made("--address=127.64.0.1", "--port=9000")
    assert found["dynamo-frontend"].ready["url"] == "http://127.64.0.1:9000/health"
    assert "--http-host=127.64.0.1" in found["dynamo-frontend"].command
    for program in found.values():
        assert program.environment["DYN_TCP_RPC_HOST"] == "127.64.0.1"
        assert program.environment["DYN_ZMQ_BROKER_URL"] == "xsub=tcp://127.64.0.1:9001 , xpub=tcp://127.64.0.1:9002"
        assert not any("0.0.0.0" in word for word in program.command)  # noqa: S104 - it is what must not be there


def test_programs_ask_no_hub_and_keep_nothing_outside_of_their_directory() -> None:
    for program in made().values():
        assert program.environment["HF_HUB_OFFLINE"] == "1"
        assert program.environment["HOME"] == "/run/sim/dynamo"
        assert program.environment["DYN_FILE_KV"].startswith("/run/sim/dynamo/")
        assert program.command[3] == f"/run/sim/dynamo/{program.name}.pid"


def test_the_model_is_named_as_its_folder_is_where_programs_run() -> None:
    worker = made("--model-id=m", "--speedup=0")["dynamo-worker-1"]
    assert worker.working_directory == str(MODELS)
    assert worker.command[-3:] == ("--model-path=m", "--model-name=m", "--speedup-ratio=0")


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--address=localhost", "--address: expected an IPv4 address, found 'localhost'"),
        ("--address=::1", "--address: expected an IPv4 address"),
        ("--port=65534", "--port: expected 1 to 65533, found 65534"),
        ("--workers=0", "--workers: expected 1 to 64, found 0"),
        ("--speedup=-1", "--speedup: expected 0 to 1e+06, found -1"),
        ("--speedup=nan", "--speedup: expected 0 to 1e+06, found nan"),
        ("--router=best", "--router: expected one of kv, round-robin"),
        ("--model-id=../m", "--model-id: expected letters"),
        ("--model-id=", "--model-id: expected letters"),
        ("--ready-seconds=0", "--ready-seconds: expected 1 to 3600, found 0"),
    ],
)
def test_what_cannot_be_is_a_configuration_error(argument: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match="expected") as error:
        asked(argument)
    assert said in str(error.value)


@pytest.mark.parametrize(("system", "machine"), [("Darwin", "arm64"), ("Linux", "riscv64")])
def test_a_machine_that_it_is_not_built_for_is_told_in_one_line(system: str, machine: str) -> None:
    with pytest.raises(InfrastructureError, match=f"found {system} on {machine}.*group dynamos"):
        dynamo.check_machine(system, machine)


def test_what_cannot_be_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> Environment:
        raise InfrastructureError("uv ended with 1: no route", where="/the/log", hint="an index is needed")

    monkeypatch.setattr(dynamo, "ensure", fail)
    monkeypatch.setattr(dynamo, "check_machine", lambda: None)
    assert dynamo.main([f"--cache={tmp_path}"]) == 2
    said = "/the/log: NVIDIA Dynamo cannot be had: uv ended with 1: no route (an index is needed, or take this host out"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(said)


def test_what_cannot_be_loaded_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'ImportError: version GLIBC_2.39 not found' >&2; exit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(dynamo, "ensure", lambda *_, **__: Environment(python, made=True))
    with pytest.raises(InfrastructureError, match=r"cannot be loaded: ImportError: version GLIBC_2.39 not found"):
        dynamo.install(tmp_path, say=lambda _line: None)


def test_the_model_is_written_once_and_never_by_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "script.py"
    monkeypatch.setattr(dynamo, "_MODEL_SCRIPT", script)
    python, said = Path(sys.executable), [].append

    script.write_text("import sys; sys.exit('no space')")
    with pytest.raises(InfrastructureError, match="cannot be written: no space"):
        dynamo.provide("m", tmp_path, python=python, say=said)
    assert not list(tmp_path.glob("models/*/m"))

    script.write_text(WRITER)
    models, written = dynamo.provide("m", tmp_path, python=python, say=said)
    assert (written, (models / "m/config.json").read_text()) == (True, "{}")
    assert dynamo.provide("m", tmp_path, python=python, say=said) == (models, False)


def test_what_is_printed_is_what_the_supervisor_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dynamo, "ensure", lambda *_, **__: Environment(PYTHON, made=False))
    monkeypatch.setattr(dynamo, "provide", lambda *_, **__: (MODELS, False))
    monkeypatch.setattr(dynamo, "check_machine", lambda: None)
    progress = tmp_path / "progress"
    assert dynamo.main([f"--cache={tmp_path}", "--directory=/run/sim", f"--progress-file={progress}"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["changed"], told["version"], told["url"]) == (False, "ai-dynamo 1.3.1", "http://127.0.0.1:8090")
    assert told["pid_file"] == "/run/sim/dynamo/dynamo-frontend.pid"
    fields = {"name", "command", "environment", "working_directory", "after", "ready", "stop_seconds"}
    assert all(set(program) == fields for program in told["programs"])


def test_lines_about_what_takes_long_reach_the_progress_file(tmp_path: Path) -> None:
    speaker("dynamo", tmp_path / "progress")("making it")
    assert (tmp_path / "progress").read_text() == "dynamo: making it\n"
    speaker("dynamo", tmp_path / "nowhere/progress")("nobody reads it")


def test_the_lock_pins_everything_by_hash_and_names_no_index() -> None:
    text = dynamo.LOCK.read_text()
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert {line.split("==", maxsplit=1)[0] for line in pins} >= {"ai-dynamo", "ai-dynamo-runtime", "pyzmq"}
    assert all("==" in line and line.endswith("\\") for line in pins)
    assert "://" not in text
