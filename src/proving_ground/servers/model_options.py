"""Options of command lines that choose the model that llama.cpp serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proving_ground.servers.hub import HubFile
from proving_ground.servers.model import DEFAULT, Wanted

if TYPE_CHECKING:
    import argparse


def add_model_options(options: argparse.ArgumentParser, *, prefix: str = "") -> None:
    """Add them to a command line.

    Args:
        options: The command line.
        prefix: Begins the name of each, as ``inference-``.
    """
    start = f"--{prefix}"
    options.add_argument(
        f"{start}model", default="auto", help="auto, random, or path or URL of a GGUF; default: %(default)s"
    )
    options.add_argument(f"{start}model-id", default="", help="what clients call it; default: by its file's name")
    options.add_argument(f"{start}model-sha256", default="", help="what the SHA-256 of a URL's file must be")
    options.add_argument(f"{start}hub-repository", default=DEFAULT.repository, help="default: %(default)s")
    options.add_argument(f"{start}hub-file", default=DEFAULT.file, help="default: %(default)s")
    options.add_argument(f"{start}hub-revision", default=DEFAULT.revision, help="default: %(default)s")


def wanted_model(options: argparse.Namespace, *, prefix: str = "") -> Wanted:
    """Return what they ask for."""
    given = {name: getattr(options, f"{prefix}{name}".replace("-", "_")) for name in _NAMES}
    hub = HubFile(given["hub-repository"], given["hub-file"], given["hub-revision"])
    return Wanted(given["model"], given["model-id"], given["model-sha256"], hub)


_NAMES = ("model", "model-id", "model-sha256", "hub-repository", "hub-file", "hub-revision")
