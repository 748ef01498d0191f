"""``python -m proving_ground.aim``: run the stand-in of the AIM engine against a cluster."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from proving_ground.aim import catalogue, silogen
from proving_ground.aim.operator import serve
from proving_ground.aim.reconciler import Settings
from proving_ground.aim.status import GROUPS
from proving_ground.errors import ConfigurationError, ExitCode, ProvingGroundError
from proving_ground.kube.in_cluster import in_cluster_access
from proving_ground.kube.kubeconfig import read_access

if TYPE_CHECKING:
    from collections.abc import Sequence


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    options = argparse.ArgumentParser(prog="python -m proving_ground.aim", description=__doc__)
    options.add_argument(
        "--kubeconfig", type=Path, help="how to reach the cluster; default: as the service account of this pod"
    )
    options.add_argument(
        "--catalogue", type=Path, required=True, help="model images: .yml, .yaml or .json, or a models.csv"
    )
    options.add_argument("--api-group", default=silogen.GROUP, choices=sorted(GROUPS), help="default: %(default)s")
    options.add_argument(
        "--gpu-resource", default="amd.com/gpu", help="extended resource of a GPU; default: %(default)s"
    )
    options.add_argument("--health", default="", metavar="ADDRESS:PORT", help="serve /healthz and /readyz there")
    options.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    return options


def address(text: str) -> tuple[str, int] | None:
    """Return host and port of ``host:port``, or None for an empty text.

    Raises:
        ConfigurationError: It is neither.
    """
    if not text:
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 2**16:
        raise ConfigurationError(f"expected ADDRESS:PORT, found {text!r}", where="--health")
    return host, int(port)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until a signal comes; return the exit code."""
    options = parser().parse_args(argv)
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    try:
        images = catalogue.read(options.catalogue)
        access = read_access(options.kubeconfig) if options.kubeconfig else in_cluster_access()
        settings = Settings(group=options.api_group, gpu_resource=options.gpu_resource)
        health = address(options.health)
        logging.getLogger(__name__).info("%s, %d images, %s", options.api_group, len(images), access.server)
        asyncio.run(serve(access, images, settings, health=health))
    except ProvingGroundError as error:
        sys.stderr.write(f"{error}\n")
        return int(error.exit_code)
    except asyncio.CancelledError:
        return int(ExitCode.PASSED)
    return int(ExitCode.PASSED)


if __name__ == "__main__":
    sys.exit(main())
