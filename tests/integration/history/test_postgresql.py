"""What only a server can refuse."""

from __future__ import annotations

import pytest

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.history.store import Store


def test_a_database_that_does_not_exist_is_told(server: str) -> None:
    with pytest.raises((ConfigurationError, InfrastructureError), match="does not exist") as caught:
        Store.open(server % "absent")
    assert "\n" not in str(caught.value)


def test_a_server_that_is_not_there_is_infrastructure(tmp_path: object) -> None:
    with pytest.raises(InfrastructureError, match="cannot be reached"):
        Store.open(f"postgresql://tester@/x?host={tmp_path}")
