"""``python -m proving_ground.servers.llama``: serves a GGUF with llama.cpp, by the OpenAI API, until it is told to end.

The process becomes the server: its id stays, and a signal ends it at once. llama.cpp comes with the package xllamacpp
in an isolated environment, made when first needed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

from proving_ground.errors import ConfigurationError, InfrastructureError, ProvingGroundError
from proving_ground.files import write_atomically
from proving_ground.servers.environment import Environment, ensure
from proving_ground.servers.model import Model, provide
from proving_ground.servers.model import check as check_model
from proving_ground.servers.model_options import add_model_options, wanted_model
from proving_ground.servers.speaking import speaker

LOCK = Path(str(files("proving_ground.servers") / "llama.lock"))
_SCRIPT = Path(__file__).with_name("llama_process.py")
_MOST_THREADS = 4


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    options = argparse.ArgumentParser(prog="python -m proving_ground.servers.llama", description=__doc__)
    options.add_argument("--address", default="127.0.0.1:8086", help="where it listens; default: %(default)s")
    add_model_options(options)
    options.add_argument("--slots", type=int, default=8, help="requests answered at once; default: %(default)s")
    options.add_argument("--context", type=int, default=2048, help="tokens of a request, with its answer")
    options.add_argument("--threads", type=int, default=0, help="default: 1 for random weights, else up to 4")
    options.add_argument("--no-embeddings", action="store_true", help="/v1/embeddings is not served")
    options.add_argument("--key-file", default="", help="file with the key that clients must send")
    options.add_argument("--verbosity", type=int, default=1, help="llama.cpp's own: 1 errors, 3 all requests")
    options.add_argument("--cache", type=Path, help="directory for environment and models; default: the user's cache")
    options.add_argument("--state", type=Path, help="file that gets the process id and what is served, as JSON")
    options.add_argument("--progress-file", type=Path, help="file that gets lines about what takes long")
    how = options.add_mutually_exclusive_group()
    how.add_argument("--prepare", action="store_true", help="only have environment and model, and say which")
    how.add_argument(
        "--installed",
        type=Path,
        metavar="FILE",
        help="this Python has llama.cpp, as in an image, and FILE tells the model, as --prepare prints it",
    )
    return options


def address(text: str) -> tuple[str, int]:
    """Return host and port.

    Raises:
        ConfigurationError: It is something else.
    """
    found = re.fullmatch(r"(?P<host>[^:\s]+):(?P<port>\d{1,5})", text)
    if not found or not 0 < int(found["port"]) < 1 << 16:
        raise ConfigurationError(f"--address: expected HOST:PORT, found {text!r}")
    return found["host"], int(found["port"])


def version(lock: Path = LOCK) -> str:
    """Return what serves, as the lock pins it."""
    found = re.search(r"(?m)^xllamacpp==(\S+)", lock.read_text(encoding="utf-8"))
    return f"xllamacpp {found[1]}" if found else "xllamacpp"


def threads(asked: int, model: Model, processors: int) -> int:
    """Return how many threads decode: more than one only slows a model that needs a tenth of a millisecond a token."""
    if asked:
        return asked
    return 1 if model.kind == "random" else max(1, min(_MOST_THREADS, processors))


def settings(options: argparse.Namespace, model: Model) -> dict[str, Any]:
    """Return what the server's process is told."""
    host, port = address(options.address)
    return {
        "path": str(model.path),
        "model": model.name,
        "host": host,
        "port": port,
        "slots": options.slots,
        "context": options.context,
        "threads": threads(options.threads, model, len(os.sched_getaffinity(0))),
        "embeddings": not options.no_embeddings,
        "verbosity": options.verbosity,
        "key_file": options.key_file,
    }


def check(options: argparse.Namespace) -> None:
    """Refuse what cannot be.

    Raises:
        ConfigurationError: A number is out of bounds, or the key's file cannot be read.
    """
    address(options.address)
    for name, least in (("slots", 1), ("context", 16), ("threads", 0)):
        if getattr(options, name) < least:
            raise ConfigurationError(f"--{name}: expected at least {least}, found {getattr(options, name)}")
    if options.key_file:
        try:
            empty = not Path(options.key_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"the key cannot be read: {error}", where=options.key_file) from error
        if empty:
            raise ConfigurationError("expected a key, found an empty file", where=options.key_file)


def check_free(host: str, port: int) -> None:
    """Refuse an address that is taken.

    Raises:
        InfrastructureError: Nothing can listen there.
    """
    try:
        with socket.create_server((host, port)):
            return
    except OSError as error:
        raise InfrastructureError(
            f"cannot listen on {host}:{port}: {error.strerror}", hint="end what listens there, or choose another port"
        ) from error


def check_loads(python: Path) -> None:
    """Load llama.cpp once, since its wheel needs libraries of the machine.

    Raises:
        InfrastructureError: It cannot be loaded.
    """
    command = [str(python), "-I", "-c", "import xllamacpp"]
    tried = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    if not tried.returncode:
        return
    said = tried.stderr.strip().splitlines() or [f"exit code {tried.returncode}"]
    raise InfrastructureError(
        f"llama.cpp cannot be loaded: {said[-1]}",
        hint="libgomp.so.1 is in Debian's package libgomp1" if "libgomp" in said[-1] else "",
    )


def prepare(options: argparse.Namespace) -> tuple[Environment, Model]:
    """Have the environment and the model.

    Raises:
        ProvingGroundError: One of them cannot be had.
    """
    say = speaker("llama", options.progress_file, known_as="inference server")
    if options.installed is not None:
        return Environment(Path(sys.executable), made=False), installed(options.installed)
    wanted = wanted_model(options)
    cache = options.cache or cache_of_user()
    environment = ensure(LOCK, cache, say=say)
    if options.prepare or environment.made:
        check_loads(environment.python)
    return environment, provide(wanted, cache, python=environment.python, say=say)


def cache_of_user() -> Path:
    """Return the directory that keeps environment and models where none is named."""
    from proving_ground.ownership.state import cache_home  # noqa: PLC0415 - a host has no runs

    return cache_home() / "servers"


def installed(told: Path) -> Model:
    """Return the model where this Python has llama.cpp.

    Args:
        told: What --prepare printed where the model was had.

    Raises:
        ConfigurationError: This Python has no llama.cpp, or the file or the model is not there.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise ConfigurationError(f"--installed: {sys.executable} has no xllamacpp", hint="leave the option out")
    try:
        known = json.loads(told.read_text(encoding="utf-8"))
        path, name, kind, note = (known[f"model{each}"] for each in ("_path", "", "_kind", "_note"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"expected what --prepare prints: {error}", where=str(told)) from error
    return Model(check_model(Path(path)), name, kind, note)


def described(model: Model, place: str = "") -> dict[str, Any]:
    """Return what is told of a server that has this model.

    Args:
        model: The model.
        place: Where the server finds it, if elsewhere than it is here.
    """
    return {
        "server": "llama.cpp",
        "version": version(),
        "model": model.name,
        "model_kind": model.kind,
        "model_note": model.note,
        "model_path": place or str(model.path),
    }


def serve(options: argparse.Namespace, environment: Environment, model: Model) -> NoReturn:
    """Become the server.

    Raises:
        InfrastructureError: It cannot listen, or its state cannot be written.
    """
    chosen = settings(options, model)
    check_free(chosen["host"], chosen["port"])
    if options.state is not None:
        url = f"http://{chosen['host']}:{chosen['port']}"
        state = {"pid": os.getpid(), "url": url, **described(model)}
        write_atomically(options.state, json.dumps(state) + "\n", mode=0o600)
    python = str(environment.python)
    # What is installed may be found by PYTHONPATH; beside the script are no modules for it.
    isolated = ["-P", "-s"] if options.installed is not None else ["-I"]
    os.execv(python, [python, *isolated, str(_SCRIPT), json.dumps(chosen)])  # noqa: S606 - this process becomes it


def main(argv: list[str] | None = None) -> int:
    """Serve; returns the exit code only where that could not begin."""
    options = parser().parse_args(argv)
    try:
        check(options)
        environment, model = prepare(options)
        if not options.prepare:
            serve(options, environment, model)
    except ProvingGroundError as error:
        print(error, file=sys.stderr)  # noqa: T201 -- the one line for people
        return int(error.exit_code)
    print(json.dumps({"changed": environment.made, **described(model)}))  # noqa: T201 -- read by the role
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
