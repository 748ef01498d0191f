from __future__ import annotations

import pytest

from proving_ground.aim.__main__ import address
from proving_ground.errors import ConfigurationError


@pytest.mark.parametrize("text", ["8082", ":8082", "host:", "host:x", "host:0", "host:70000", "host:٣"])
def test_a_health_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="expected ADDRESS:PORT"):
        address(text)


def test_a_health_address_is_host_and_port() -> None:
    assert address("127.64.0.1:8082") == ("127.64.0.1", 8082)
    assert address("") is None
