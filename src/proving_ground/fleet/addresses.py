"""The addresses of pods: taken in turn, so that one that was just left is not soon someone else's."""

from __future__ import annotations

import ipaddress

from proving_ground.errors import ConfigurationError, InfrastructureError

_SMALLEST = 4
"""The first and the last address of a network stay free, and a fleet needs more than one."""
_LOOPBACK = ipaddress.IPv4Network("127.0.0.0/8")


class AddressPool:
    """The addresses of a network, in 127.0.0.0/8.

    Args:
        network: The network in CIDR notation; host bits are allowed, as in ``127.64.128.1/17``.

    Raises:
        ConfigurationError: It is no such network.
    """

    def __init__(self, network: str) -> None:
        try:
            self._network = ipaddress.IPv4Network(network, strict=False)
        except ValueError as error:
            raise ConfigurationError(f"expected a network, found {network!r}", where="pod network") from error
        if not self._network.subnet_of(_LOOPBACK) or self._network.num_addresses < _SMALLEST:
            raise ConfigurationError(f"expected a network in 127.0.0.0/8, found {network!r}", where="pod network")
        self._first = int(self._network.network_address) + 1
        self._size = self._network.num_addresses - 2
        self._next = 0
        self._taken: set[str] = set()

    def __contains__(self, address: str) -> bool:
        """Say whether an address lies in the network, taken or not."""
        return ipaddress.ip_address(address) in self._network

    def take(self) -> str:
        """Take a free address.

        Raises:
            InfrastructureError: All are taken.
        """
        for _ in range(self._size):
            address = str(ipaddress.IPv4Address(self._first + self._next))
            self._next = (self._next + 1) % self._size
            if address not in self._taken:
                self._taken.add(address)
                return address
        raise InfrastructureError(f"all {self._size} pod addresses are taken", where=str(self._network))

    def claim(self, address: str) -> None:
        """Note that an address is in use: a pod brought it from before."""
        self._taken.add(address)

    def release(self, address: str) -> None:
        """Give an address back."""
        self._taken.discard(address)
