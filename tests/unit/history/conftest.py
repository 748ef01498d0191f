from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.history.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.in_memory() as opened:
        yield opened
