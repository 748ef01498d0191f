"""Which GGUF is served: one of the hub, one of random weights where no hub answers, or one's own."""

from __future__ import annotations

import hashlib
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.servers.download import download
from proving_ground.servers.hub import HubError, HubFile, fetch
from proving_ground.servers.locks import held

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT = HubFile("bartowski/SmolLM2-135M-Instruct-GGUF", "SmolLM2-135M-Instruct-Q4_K_M.gguf")
_MAGIC = b"GGUF"
_RANDOM_SCRIPT = Path(__file__).with_name("random_model.py")
_QUANTISATION = re.compile(r"[-.](?:I?Q\d\w*|F16|BF16|F32)$", re.IGNORECASE)


@dataclass(frozen=True)
class Model:
    """A model file that can be served.

    Attributes:
        path: Absolute path of the GGUF.
        name: What clients call it.
        kind: Whether its text makes sense.
        note: For people: why it is this one; empty where that is plain.
    """

    path: Path
    name: str
    kind: Literal["real", "random"]
    note: str = ""


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Attributes:
        source: `auto` (the hub's file, or random weights where no hub answers), `random`, a path, or a URL.
        name: What clients are to call it; empty takes the file's name without its quantisation.
        sha256: What the SHA-256 of a URL's file must be; empty takes what comes.
        hub: The hub's file that `auto` means.
    """

    source: str = "auto"
    name: str = ""
    sha256: str = ""
    hub: HubFile = DEFAULT


def name_of(file: str) -> str:
    """Return a model's name: its file's name without suffix and quantisation."""
    return _QUANTISATION.sub("", Path(file).name.removesuffix(".gguf")) or "model"


def check(path: Path) -> Path:
    """Return a path if a GGUF is there.

    Raises:
        ConfigurationError: It is not there, or something else.
    """
    try:
        with path.open("rb") as stream:
            found = stream.read(len(_MAGIC))
    except OSError as error:
        raise ConfigurationError(f"expected a GGUF model: {error.strerror}", where=str(path)) from error
    if found != _MAGIC:
        raise ConfigurationError(f"expected a GGUF model, found a file that begins with {found!r}", where=str(path))
    return path.resolve()


def provide(wanted: Wanted, cache: Path, *, python: Path, say: Callable[[str], None]) -> Model:
    """Return the model that is asked for; two calls at once fetch or write it once.

    Args:
        wanted: Which one.
        cache: Directory that keeps models.
        python: Interpreter of the environment `llama`.
        say: Told what takes long, and that a model is of random weights.

    Raises:
        ConfigurationError: What is asked for is no model.
        InfrastructureError: It cannot be had.
    """
    source, models = wanted.source, cache / "models"
    if source == "random":
        return _random(wanted, models, python, say, "asked for: its text is nonsense")
    if source == "auto":
        return _of_hub(wanted, models, python, say)
    if re.match(r"https?://", source):
        folder = models / hashlib.sha256(f"{source} {wanted.sha256}".encode()).hexdigest()[:12]
        file = source.split("?", maxsplit=1)[0].rstrip("/").rsplit("/", 1)[-1] or "model.gguf"
        kept = folder / file
        if not kept.is_file():
            with held(folder.with_suffix(".lock"), say=say):
                download(source, kept, sha256=wanted.sha256, say=say)
        return Model(check(kept), wanted.name or name_of(file), "real")
    if "://" in source:
        raise ConfigurationError(f"expected auto, random, a path or an http(s) URL of a GGUF, found {source}")
    path = check(Path(source).expanduser())
    return Model(path, wanted.name or name_of(path.name), "real")


def _of_hub(wanted: Wanted, models: Path, python: Path, say: Callable[[str], None]) -> Model:
    hub = wanted.hub
    folder = models / f"{hub.repository.replace('/', '--')}--{hub.revision.replace('/', '--')}"
    # Moved here when it is complete and verified, so that later runs ask no hub.
    kept = folder / "complete" / Path(hub.file).name
    name = wanted.name or name_of(hub.file)
    if kept.is_file():
        return Model(kept, name, "real")
    with held(folder.with_suffix(".lock"), say=say):
        if not kept.is_file():
            memory = models / "hub.json"
            try:
                path = check(fetch(hub, folder, python=python, memory=memory, say=say))
            except HubError as error:
                return _random(wanted, models, python, say, f"{error}: its text is nonsense")
            kept.parent.mkdir(exist_ok=True)
            path.replace(kept)
    return Model(kept, name, "real")


def _random(wanted: Wanted, models: Path, python: Path, say: Callable[[str], None], reason: str) -> Model:
    version = hashlib.sha256(_RANDOM_SCRIPT.read_bytes()).hexdigest()[:12]
    path = models / f"random-{version}.gguf"
    note = f"random weights instead of {wanted.hub.file}, since {reason}"
    if wanted.source == "random":
        note = f"random weights, as {reason}"
    if not path.is_file():
        with held(path.with_suffix(".lock"), say=say):
            if not path.is_file():
                _write_random(python, path)
    say(f"the model has {note}")
    return Model(path, wanted.name or "random", "random", note)


def _write_random(python: Path, path: Path) -> None:
    made = subprocess.run(
        [str(python), "-I", str(_RANDOM_SCRIPT), str(path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if made.returncode:
        lines = made.stderr.strip().splitlines() or [f"exit code {made.returncode}"]
        raise InfrastructureError(f"the model of random weights cannot be written: {lines[-1]}", where=str(path))
