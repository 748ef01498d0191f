"""The command line of the llama.cpp server, up to where the process becomes it."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from proving_ground.errors import InfrastructureError
from proving_ground.servers import llama
from proving_ground.servers.environment import Environment
from proving_ground.servers.model import Model
from proving_ground.servers.speaking import speaker


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """Arguments of what the process would have become."""
    started: list[list[str]] = []

    def become(_path: str, arguments: list[str]) -> None:
        started.append(arguments)
        raise SystemExit(0)

    monkeypatch.setattr(llama.os, "execv", become)
    monkeypatch.setattr(llama, "ensure", lambda *_, **__: Environment(tmp_path / "python", made=True))
    monkeypatch.setattr(llama, "check_loads", lambda _python: None)
    monkeypatch.setattr(llama, "provide", lambda *_, **__: Model(tmp_path / "m.gguf", "m", "random", "a note"))
    return started


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def options(*arguments: str) -> Any:
    return llama.parser().parse_args(arguments)


def test_the_process_becomes_the_server_and_says_so(became: list[list[str]], port: int, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with pytest.raises(SystemExit):
        llama.main([f"--address=127.0.0.1:{port}", f"--state={state}", "--slots=4"])
    python, isolated, script, text = became[0]
    settings = json.loads(text)
    assert (python, isolated, Path(script).name) == (str(tmp_path / "python"), "-I", "llama_process.py")
    assert (settings["slots"], settings["context"], settings["port"]) == (4, 2048, port)
    told = json.loads(state.read_text())
    assert told["pid"] == llama.os.getpid()
    assert (told["url"], told["model_kind"], told["model_note"]) == (f"http://127.0.0.1:{port}", "random", "a note")
    assert state.stat().st_mode & 0o777 == 0o600


def test_preparing_starts_nothing_and_says_what_there_is(
    became: list[list[str]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert llama.main(["--prepare", f"--cache={tmp_path}"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["changed"], told["server"], told["model"]) == (True, "llama.cpp", "m")
    assert became == []


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What tells the model where this Python has llama.cpp."""
    (tmp_path / "xllamacpp.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    told = tmp_path / "served.json"
    told.write_text(json.dumps(llama.described(Model(tmp_path / "m.gguf", "m", "random", "a note"))))
    return told


def test_what_is_installed_serves_without_an_environment(
    became: list[list[str]], monkeypatch: pytest.MonkeyPatch, image: Path, port: int
) -> None:
    monkeypatch.setattr(llama, "ensure", lambda *_, **__: pytest.fail("an environment was made"))
    with pytest.raises(SystemExit):
        llama.main([f"--installed={image}", f"--address=127.0.0.1:{port}"])
    python, *isolated, script, text = became[0]
    assert (python, isolated, Path(script).name) == (sys.executable, ["-P", "-s"], "llama_process.py")
    settings = json.loads(text)
    # As random weights do, wherever they were made.
    assert (settings["path"], settings["model"], settings["threads"]) == (str(image.parent / "m.gguf"), "m", 1)


def test_an_image_without_its_parts_is_a_configuration_error(
    became: list[list[str]], capsys: pytest.CaptureFixture[str], image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (image.parent / "m.gguf").unlink()
    assert llama.main([f"--installed={image}"]) == 3
    assert "m.gguf: expected a GGUF model" in capsys.readouterr().err
    image.write_text("{}")
    assert llama.main([f"--installed={image}"]) == 3
    assert "served.json: expected what --prepare prints" in capsys.readouterr().err
    monkeypatch.setattr(llama.importlib.util, "find_spec", lambda _name: None)
    assert llama.main([f"--installed={image}"]) == 3
    assert "has no xllamacpp" in capsys.readouterr().err
    assert became == []


def test_an_address_that_is_taken_is_an_infrastructure_error(
    became: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert llama.main([f"--address={address}"]) == 2
    assert f"cannot listen on {address}: Address already in use" in capsys.readouterr().err
    assert became == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--address=nowhere"], "--address: expected HOST:PORT, found 'nowhere'"),
        (["--address=127.0.0.1:0"], "expected HOST:PORT"),
        (["--address=127.0.0.1:70000"], "expected HOST:PORT"),
        (["--slots=0"], "--slots: expected at least 1, found 0"),
        (["--context=1"], "--context: expected at least 16, found 1"),
        (["--threads=-1"], "--threads: expected at least 0, found -1"),
        (["--key-file=/nowhere/key"], "/nowhere/key: the key cannot be read"),
        (["--key-file=/dev/null"], "/dev/null: expected a key, found an empty file"),
    ],
)
def test_what_cannot_be_is_a_configuration_error(
    became: list[list[str]], capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert llama.main(arguments) == 3
    assert said in capsys.readouterr().err
    assert became == []


def test_lines_about_what_takes_long_reach_the_progress_file(tmp_path: Path) -> None:
    speaker("llama", tmp_path / "progress", known_as="inference server")("making it")
    assert (tmp_path / "progress").read_text() == "inference server: making it\n"
    speaker("llama", tmp_path / "nowhere/progress", known_as="inference server")("nobody reads it")


@pytest.mark.parametrize(
    ("asked", "kind", "processors", "threads"),
    [
        (0, "random", 8, 1),
        (0, "real", 2, 2),
        (0, "real", 64, 4),
        (6, "random", 2, 6),
    ],
)
def test_threads_go_by_the_model(asked: int, kind: Any, processors: int, threads: int) -> None:
    assert llama.threads(asked, Model(Path("m"), "m", kind), processors) == threads


def test_the_version_is_the_one_that_is_pinned() -> None:
    assert llama.version().startswith("xllamacpp 2")


def test_the_lock_pins_everything_by_hash() -> None:
    text = llama.LOCK.read_text()
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert {line.split("==", maxsplit=1)[0] for line in pins} >= {"xllamacpp", "gguf", "huggingface-hub"}
    assert all("==" in line and line.endswith("\\") for line in pins)
    assert "http" not in text.replace("httpcore", "").replace("httpx", "")


def test_a_library_that_is_missing_is_named_with_its_package(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'ImportError: libgomp.so.1: cannot open shared object file' >&2; exit 1\n")
    python.chmod(0o755)
    with pytest.raises(InfrastructureError, match=r"cannot be loaded: ImportError: libgomp.*package libgomp1"):
        llama.check_loads(python)
