"""``python -m proving_ground.servers.dynamo``: has NVIDIA Dynamo, and says which programs make a server of it.

Frontend and router are the real ones, and so is what workers do around their engines; the engines are Dynamo's own
mocks, so no GPU is needed. They find each other by files, and use neither etcd nor NATS. Whoever calls runs the
programs: the role `dynamo` gives them to a supervisor.
"""

from __future__ import annotations

import argparse
import hashlib
import ipaddress
import json
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proving_ground.errors import ConfigurationError, InfrastructureError, ProvingGroundError
from proving_ground.servers.environment import Environment, ensure
from proving_ground.servers.locks import held
from proving_ground.servers.speaking import speaker

if TYPE_CHECKING:
    from collections.abc import Callable

LOCK = Path(str(files("proving_ground.servers") / "dynamo.lock"))
ROUTERS = ("kv", "round-robin", "random", "power-of-two", "least-loaded")
MACHINES = ("x86_64", "aarch64")
"""What Dynamo's packages are built for, all of them for Linux."""
FRONTEND = "dynamo-frontend"
_BROKER = "dynamo-events"
_MODEL_SCRIPT, _PROCESS_SCRIPT = (Path(__file__).with_name(f"dynamo_{name}.py") for name in ("model", "process"))
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_STOP_SECONDS = 8


@dataclass(frozen=True)
class Program:
    """One of the processes that a server is made of.

    Attributes:
        name: What a supervisor calls it.
        command: Program and arguments.
        environment: Variables beside those that it inherits.
        working_directory: Where it runs.
        after: Programs that must be ready before.
        ready: When it is ready, as module supervised_programs has it.
        stop_seconds: How long it may take to end.
    """

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    working_directory: str
    after: tuple[str, ...] = ()
    ready: dict[str, Any] = field(default_factory=dict)
    stop_seconds: int = _STOP_SECONDS


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Attributes:
        address: IPv4 address where frontend, events and requests to workers listen.
        port: The frontend's port; the two after it are those of events.
        workers: Processes with a mock engine each.
        router: How the router chooses a worker, as ``--router-mode`` of Dynamo's frontend.
        speedup: How many times faster than the engine that they mock workers are; 0: as fast as they can.
        model: What clients call the model.
        directory: Private directory for what the programs keep while they run.
        seconds: Seconds within which the frontend must answer.
    """

    address: str
    port: int
    workers: int
    router: str
    speedup: float
    model: str
    directory: Path
    seconds: float

    @property
    def url(self) -> str:
        """The frontend's URL."""
        return f"http://{self.address}:{self.port}"

    def pid_file(self, program: str) -> Path:
        """Return the file that has the process id of a program."""
        return self.directory / "dynamo" / f"{program}.pid"


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    options = argparse.ArgumentParser(prog="python -m proving_ground.servers.dynamo", description=__doc__)
    options.add_argument("--address", default="127.0.0.1", help="where it listens; default: %(default)s")
    options.add_argument("--port", type=int, default=8090, help="the frontend's; events have the two after it")
    options.add_argument("--workers", type=int, default=2, help="processes with a mock engine; default: %(default)s")
    options.add_argument("--router", default=ROUTERS[0], help=f"{', '.join(ROUTERS)}; default: %(default)s")
    options.add_argument("--speedup", type=float, default=10.0, help="of the mock engines; 0: no waiting")
    options.add_argument("--model-id", default="mock", help="what clients call the model; default: %(default)s")
    options.add_argument("--directory", type=Path, default=Path(), help="for what the programs keep while they run")
    options.add_argument("--ready-seconds", type=float, default=60.0, help="within which the frontend must answer")
    options.add_argument("--cache", type=Path, help="directory for environment and model; default: the user's cache")
    options.add_argument("--progress-file", type=Path, help="file that gets lines about what takes long")
    return options


def wanted(options: argparse.Namespace) -> Wanted:
    """Return what is asked for.

    Raises:
        ConfigurationError: It cannot be.
    """
    try:
        address = str(ipaddress.IPv4Address(options.address))
    except ValueError as error:
        raise ConfigurationError(f"--address: expected an IPv4 address, found {options.address!r}") from error
    for name, least, most in (("port", 1, 65533), ("workers", 1, 64), ("speedup", 0, 1e6), ("ready_seconds", 1, 3600)):
        value = getattr(options, name)
        if not least <= value <= most:
            option = f"--{name.replace('_', '-')}"
            raise ConfigurationError(f"{option}: expected {least} to {most:g}, found {value:g}")
    if options.router not in ROUTERS:
        raise ConfigurationError(f"--router: expected one of {', '.join(ROUTERS)}, found {options.router!r}")
    if not _MODEL_NAME.fullmatch(options.model_id):
        raise ConfigurationError(f"--model-id: expected letters, digits, '.', '_' and '-', found {options.model_id!r}")
    return Wanted(
        address=address,
        port=options.port,
        workers=options.workers,
        router=options.router,
        speedup=options.speedup,
        model=options.model_id,
        directory=options.directory.absolute(),
        seconds=options.ready_seconds,
    )


def version(lock: Path = LOCK) -> str:
    """Return what serves, as the lock pins it."""
    found = re.search(r"(?m)^ai-dynamo==(\S+)", lock.read_text(encoding="utf-8"))
    return f"ai-dynamo {found[1]}" if found else "ai-dynamo"


def programs(asked: Wanted, python: Path, models: Path) -> list[Program]:
    """Return the programs of a server: the broker of events, the workers, and the frontend with its router.

    Args:
        asked: What is asked for.
        python: Interpreter of the environment `dynamo`.
        models: Folder that has the model's. Dynamo asks a hub unless a model's name is that of a folder where it runs.
    """
    inward, outward = (f"tcp://{asked.address}:{asked.port + each}" for each in (1, 2))
    private = asked.directory / "dynamo"
    environment = {
        "HOME": str(private),
        "HF_HUB_OFFLINE": "1",
        "DYN_DISCOVERY_BACKEND": "file",
        "DYN_FILE_KV": str(private / "discovery"),
        "DYN_REQUEST_PLANE": "tcp",
        "DYN_TCP_RPC_HOST": asked.address,
        "DYN_TCP_RESPONSE_STREAM_HOST": "lo",  # the name of an interface, unlike the other
        "DYN_EVENT_PLANE": "zmq",
        "DYN_ZMQ_BROKER_URL": f"xsub={inward} , xpub={outward}",
        "DYN_SDK_DISABLE_ANSI_LOGGING": "1",
    }

    def program(name: str, *arguments: str, **more: Any) -> Program:
        command = (str(python), "-I", str(_PROCESS_SCRIPT), str(asked.pid_file(name)), *arguments)
        return Program(name, command, environment, str(models), **more)

    frontend = (
        f"--http-host={asked.address}",
        f"--http-port={asked.port}",
        f"--router-mode={asked.router}",
    )
    worker = (
        f"--model-path={asked.model}",
        f"--model-name={asked.model}",
        f"--speedup-ratio={asked.speedup:g}",
    )
    return [
        program(_BROKER, "broker", inward, outward, ready={"tcp": outward.removeprefix("tcp://"), "seconds": 30.0}),
        *(program(f"dynamo-worker-{each + 1}", "dynamo.mocker", *worker) for each in range(asked.workers)),
        program(FRONTEND, "dynamo.frontend", *frontend, ready={"url": f"{asked.url}/health", "seconds": asked.seconds}),
    ]


def install(cache: Path, *, say: Callable[[str], None]) -> Environment:
    """Have the environment, and know that what is compiled in it can be loaded.

    Raises:
        InfrastructureError: Dynamo cannot be had here.
    """
    hint = "or take this host out of group dynamos"
    try:
        environment = ensure(LOCK, cache, say=say)
    except InfrastructureError as error:
        hint = f"{error.hint}, {hint}" if error.hint else hint
        raise InfrastructureError(f"NVIDIA Dynamo cannot be had: {error.what}", where=error.where, hint=hint) from error
    if environment.made:
        command = [str(environment.python), "-I", "-c", "import dynamo._core, zmq"]
        ran = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
        )
        if ran.returncode:
            lines = ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"]
            raise InfrastructureError(f"NVIDIA Dynamo cannot be loaded: {lines[-1]}", hint=hint.removeprefix("or "))
    return environment


def provide(asked: str, cache: Path, *, python: Path, say: Callable[[str], None]) -> tuple[Path, bool]:
    """Have the model's folder; return the folder that it is in, and whether it was written just now.

    Raises:
        InfrastructureError: It cannot be written.
    """
    made_by = hashlib.sha256(_MODEL_SCRIPT.read_bytes()).hexdigest()[:12]
    models = cache / "models" / f"dynamo-{made_by}"
    folder = models / asked
    if folder.is_dir():
        return models, False
    with held(models.with_suffix(".lock"), say=say):
        if folder.is_dir():
            return models, False
        part = models / f".{asked}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        command = [str(python), "-I", str(_MODEL_SCRIPT), str(part)]
        ran = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
        )
        if ran.returncode:
            lines = ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"]
            raise InfrastructureError(f"the model cannot be written: {lines[-1]}", where=str(folder))
        part.replace(folder)
    return models, True


def check_machine(system: str = platform.system(), machine: str = platform.machine()) -> None:
    """Refuse a machine that Dynamo is not built for.

    Raises:
        InfrastructureError: It is another one.
    """
    if system != "Linux" or machine not in MACHINES:
        raise InfrastructureError(
            f"NVIDIA Dynamo is built for Linux on {' and '.join(MACHINES)}, found {system} on {machine}",
            hint="take this host out of group dynamos",
        )


def prepare(asked: Wanted, *, cache: Path | None, progress: Path | None) -> dict[str, Any]:
    """Have environment and model, and describe the server.

    Raises:
        InfrastructureError: One of them cannot be had.
    """
    check_machine()
    say = speaker("dynamo", progress)
    if cache is None:
        from proving_ground.ownership.state import cache_home  # noqa: PLC0415 - only where no cache is named

        cache = cache_home() / "servers"
    environment = install(cache, say=say)
    models, written = provide(asked.model, cache, python=environment.python, say=say)
    return {
        "changed": environment.made or written,
        "version": version(),
        "url": asked.url,
        "model": asked.model,
        "pid_file": str(asked.pid_file(FRONTEND)),
        "programs": [asdict(each) for each in programs(asked, environment.python, models)],
    }


def main(argv: list[str] | None = None) -> int:
    """Have what is needed, and print it; returns the exit code."""
    options = parser().parse_args(argv)
    try:
        made = prepare(wanted(options), cache=options.cache, progress=options.progress_file)
    except ProvingGroundError as error:
        print(error, file=sys.stderr)  # noqa: T201 -- the one line for people
        return int(error.exit_code)
    print(json.dumps(made))  # noqa: T201 -- read by the role
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
