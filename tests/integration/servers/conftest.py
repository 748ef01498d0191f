"""One server for the whole session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .running import Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as up:
        yield up
