"""Kinds of images: what their containers run, and what they have beside what all images share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proving_ground.servers.llama import LOCK as LLAMA_LOCK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PLACE = "opt/proving-ground"
"""Where the project is in its images; the packages are in ``lib`` of it, the project itself in ``app``."""
LIBRARIES, APPLICATION = f"{PLACE}/lib", f"{PLACE}/app"
MODEL = f"{PLACE}/model"
"""Where images of inference servers have the model, and what is told of it."""
SERVED = f"{MODEL}/served.json"


@dataclass(frozen=True, slots=True)
class Packages:
    """Packages that one kind of images has, a layer of its own.

    Attributes:
        name: Names their folder and their layer.
        roots: Packages that its programs import; what they need is found out from what is installed here, but for those
            of another lock, whose names are all that is needed.
        lock: Another lock than the project's.
        hint: What to do where the first of them cannot be imported in the base.
    """

    name: str
    roots: tuple[str, ...]
    lock: Path | None = None
    hint: str = ""

    @property
    def folder(self) -> str:
        """Their folder in an image."""
        return f"{LIBRARIES}-{self.name}"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of images.

    Attributes:
        command: What containers run.
        packages: What it has beside the packages that all images share.
        serves: Whether the model is in it.
    """

    command: tuple[str, ...]
    packages: Packages | None = None
    serves: bool = False


LLAMA = Packages("llama", ("xllamacpp",), LLAMA_LOCK, "the base needs Debian's package libgomp1")
LOAD = Packages("load", ("locust", "httptools", "pydantic"))
KINDS: Mapping[str, Kind] = {
    "mocks": Kind(("python3", "-m", "proving_ground.fleet.pod")),
    "servers": Kind(("python3", "-m", "proving_ground.fleet.pod")),
    # The module is the first argument of a container.
    "stand_ins": Kind(("python3", "-m")),
    "inference_servers": Kind(
        ("python3", "-m", "proving_ground.servers.llama", f"--installed=/{SERVED}", "--address=0.0.0.0:8086"),
        LLAMA,
        serves=True,
    ),
    "load_workers": Kind(("python3", "-m", "proving_ground.load.measured.process"), LOAD),
}
