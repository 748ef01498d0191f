"""Where results go: what cannot be written is refused before anything is measured."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


def make_folder(folder: Path, option: str) -> None:
    """Have a folder that files can be written into.

    Args:
        folder: The folder.
        option: What names it, for messages.

    Raises:
        ConfigurationError: It cannot be made, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be made: {error.strerror}", where=option) from error
    _check_writable(folder, option)


def check_file(file: Path, option: str) -> None:
    """Refuse a file that cannot be written.

    Args:
        file: The file.
        option: What names it, for messages.

    Raises:
        ConfigurationError: Its folder is not there, nothing can be written there, or it is a folder itself.
    """
    if file.is_dir():
        raise ConfigurationError(f"expected a file, found the folder {file}", where=option)
    if not file.parent.is_dir():
        raise ConfigurationError(f"there is no folder {file.parent}", where=option)
    _check_writable(file.parent, option)


def _check_writable(folder: Path, option: str) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(f"nothing can be written to {folder}", where=option)
