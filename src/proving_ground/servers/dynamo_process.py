"""A script of the environment `dynamo`: becomes one of Dynamo's programs, or the broker of their events.

Its arguments are a file that gets the id of the process, ``broker`` or the name of a module, and what that is told.
"""

from __future__ import annotations

import importlib
import os
import pathlib
import runpy
import sys

BROKER = "broker"


def broker(publishers: str, subscribers: str) -> None:
    """Pass events from publishers on to subscribers; without one, each publisher listens on every address."""
    zmq = importlib.import_module("zmq")
    context = zmq.Context()
    taking, giving = context.socket(zmq.XSUB), context.socket(zmq.XPUB)
    taking.bind(publishers)
    giving.bind(subscribers)
    zmq.proxy(taking, giving)


def main() -> None:
    """Run it, until it is told to end."""
    file, program, *arguments = sys.argv[1:]
    # Dynamo keeps what it read of models in ~/.cache, wherever its home is.
    pathlib.Path(os.environ["HOME"]).mkdir(parents=True, exist_ok=True)
    path = pathlib.Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{os.getpid()}\n", encoding="ascii")
    if program == BROKER:
        broker(*arguments)
    else:
        sys.argv[1:] = arguments
        runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
