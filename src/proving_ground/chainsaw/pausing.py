"""Waiting for a key after a failure, before anything is removed (``--pause-on-failure``)."""

from __future__ import annotations

import asyncio
import sys


async def pause(name: str, failure: str) -> None:
    """Tell a failure and wait until ENTER is pressed, or the input ends.

    Args:
        name: The test.
        failure: How it failed.
    """
    loop = asyncio.get_running_loop()
    pressed = asyncio.Event()
    source = sys.__stdin__
    screen = sys.__stderr__
    if source is None or screen is None:
        return

    def read() -> None:
        source.readline()
        pressed.set()

    screen.write(f"\n{failure}\n{name} failed; nothing is removed yet. Press ENTER to go on. ")
    screen.flush()
    loop.add_reader(source.fileno(), read)
    try:
        await pressed.wait()
    finally:
        loop.remove_reader(source.fileno())
