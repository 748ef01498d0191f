from __future__ import annotations

import pytest

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.fleet.addresses import AddressPool
from proving_ground.fleet.listen import require_loopback


def test_addresses_are_taken_in_turn_and_not_reused_at_once() -> None:
    pool = AddressPool("127.64.128.1/17")
    assert pool.take() == "127.64.128.1"
    pool.release("127.64.128.1")
    assert pool.take() == "127.64.128.2"


def test_a_claimed_address_is_not_given_away() -> None:
    pool = AddressPool("127.64.128.0/29")
    pool.claim("127.64.128.1")
    assert pool.take() == "127.64.128.2"


def test_an_exhausted_pool_says_so() -> None:
    pool = AddressPool("127.64.128.0/30")
    pool.take()
    pool.take()
    with pytest.raises(InfrastructureError, match="all 2 pod addresses are taken"):
        pool.take()


@pytest.mark.parametrize("network", ["10.0.0.0/8", "127.0.0.1", "126.0.0.0/7", "::1/64", "nonsense", "", "0.0.0.0/0"])
def test_a_network_outside_loopback_is_refused(network: str) -> None:
    with pytest.raises(ConfigurationError):
        AddressPool(network)


@pytest.mark.parametrize("address", ["169.254.0.1", "10.0.0.1", "128.0.0.1", "::1", "localhost", "", "127.0.0.1\n"])
def test_an_address_outside_loopback_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="expected an address in 127"):
        require_loopback(address, where="x")
