"""``python -m proving_ground.images``: build the project's images and say where their archive is."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from proving_ground.errors import ProvingGroundError
from proving_ground.images.base import Source
from proving_ground.images.build import Wanted, build, report
from proving_ground.images.kinds import KINDS
from proving_ground.models import table
from proving_ground.servers import llama
from proving_ground.servers.environment import ensure
from proving_ground.servers.model import Model, provide
from proving_ground.servers.model_options import add_model_options, wanted_model
from proving_ground.servers.speaking import speaker

MODEL_PREFIX = "inference-"


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    options = argparse.ArgumentParser(prog="python -m proving_ground.images", description=__doc__)
    options.add_argument("--cache", type=Path, required=True, help="folder that keeps what was built")
    options.add_argument("--lock", type=Path, required=True, help="requirements lock that pins the packages")
    options.add_argument("--output", type=Path, help="the archive; default: in the cache")
    options.add_argument("--base-image", default="", help="image of a registry that has Python; default: Debian")
    options.add_argument("--release", default="trixie", help="release of Debian; default: %(default)s")
    options.add_argument("--mirror", default="", help="URL of a Debian archive; default: Debian's own")
    options.add_argument("--podman", action="append", help="how podman is called, a word each; default: podman")
    for kind in KINDS:
        options.add_argument(f"--{kind.replace('_', '-')}", action="append", default=[], metavar="IMAGE")
    options.add_argument("--models", type=Path, action="append", default=[], help="models.csv whose images are servers")
    add_model_options(options, prefix=MODEL_PREFIX)
    options.add_argument("--progress-file", type=Path, help="file that gets lines about what takes long")
    return options


def model_of(options: argparse.Namespace) -> Model:
    """Return the model that images of inference servers get, fetched or written where the cache lacks it.

    Raises:
        ProvingGroundError: It cannot be had.
    """
    say = speaker("images", options.progress_file, known_as="inference server")
    cache = llama.cache_of_user()
    environment = ensure(llama.LOCK, cache, say=say)
    return provide(wanted_model(options, prefix=MODEL_PREFIX), cache, python=environment.python, say=say)


def main(argv: list[str] | None = None) -> int:
    """Build; returns the exit code."""
    options = parser().parse_args(argv)
    try:
        names = {kind: list(getattr(options, kind)) for kind in KINDS}
        for models in options.models:
            names["servers"] += [row.image for row in table.read(models).rows]
        source = Source(options.base_image, options.release, options.mirror, tuple(options.podman or ["podman"]))
        model = model_of(options) if names["inference_servers"] else None
        built = build(Wanted(options.cache, options.lock, source, names, options.output, model))
    except ProvingGroundError as error:
        print(error, file=sys.stderr)  # noqa: T201 -- the one line for people
        return int(error.exit_code)
    print(report(built))  # noqa: T201 -- read by the role project_images
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
