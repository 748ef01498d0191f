"""``python -m proving_ground.fleet.pod``: what the images of the project run, in a pod of a real cluster."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn


def _leave(*_: object) -> NoReturn:
    """End at once: nothing in such a container is worth a grace period."""
    os._exit(0)


# The first process of a container ignores what it does not handle; so do this before all that takes time.
signal.signal(signal.SIGTERM, _leave)
signal.signal(signal.SIGINT, _leave)

import asyncio  # noqa: E402
import gc  # noqa: E402

from proving_ground.errors import ProvingGroundError  # noqa: E402
from proving_ground.fleet.pod import own, place  # noqa: E402
from proving_ground.fleet.pod.part import Part, part_of  # noqa: E402
from proving_ground.fleet.pod.serving import Container  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """Run until the end that the pod was told, or a signal; returns the exit code.

    Args:
        arguments: Arguments of the container; those of this process if None.
    """
    given = sys.argv[1:] if arguments is None else arguments
    spot = place.here()

    def ask() -> own.Told:
        api = own.ApiServer()
        try:
            return own.read_own(api, spot, given)
        finally:
            api.close()

    def look() -> Part | None:
        try:
            return part_of(ask(), os.environ)
        except own.OwnPodError:
            return None

    try:
        told = ask()
    except own.OwnPodError as error:
        told = own.alone(spot, given, os.environ, str(error))
    container = Container(told, part_of(told, os.environ), None if told.lacking else look)
    gc.freeze()
    try:
        return asyncio.run(container.run())
    except ProvingGroundError as error:
        print(error, file=sys.stderr)  # noqa: T201 -- the one line for people
        return int(error.exit_code)


if __name__ == "__main__":
    raise SystemExit(main())
