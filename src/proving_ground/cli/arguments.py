"""Types of arguments that several verbs have."""

from __future__ import annotations

import argparse

from proving_ground.durations import parse_wait


def waiting_time(text: str) -> float:
    """Return the seconds of a duration such as ``30s``, for ``type=`` of an argument.

    Raises:
        ArgumentTypeError: It is not one that somebody is to wait; see `parse_wait`.
    """
    try:
        return parse_wait(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
