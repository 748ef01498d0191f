"""What load may be sent to: the machine itself, and what belongs to a platform."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection

    from proving_ground.contracts.platform import Platform


def check_target(url: str, allowed: Collection[str] = ()) -> SplitResult:
    """Return the parts of a URL that load may be sent to.

    Args:
        url: Base URL of an inference server.
        allowed: Hosts, names or addresses, that belong to a platform.

    Raises:
        ConfigurationError: It is no http or https URL, or its host is neither loopback nor allowed. A name is never
            resolved for this: what it resolves to can change.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigurationError(f"{url[:200]!r} is not a URL: {error}") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ConfigurationError(f"expected a URL such as http://127.0.0.1:8000, found {url[:200]!r}")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigurationError(f"expected a URL without credentials, query or fragment, found {url[:200]!r}")
    if not (is_loopback(host) or host in {name.lower() for name in allowed}):
        raise ConfigurationError(
            f"load is not sent to {host}: it is not this machine and does not belong to the platform",
            hint="name its platform with --platform FILE, or use a loopback address",
        )
    return parts


def is_loopback(host: str) -> bool:
    """Tell whether a host, name or address, is the machine itself."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def hosts_of(platform: Platform) -> set[str]:
    """Return the hosts that belong to a platform: its machines, and those of its endpoints."""
    hosts = {host.name for host in platform.hosts}
    hosts |= {str(host.declared["address"]) for host in platform.hosts if host.declared.get("address")}
    for endpoint in platform.endpoints.values():
        try:
            hosts.add(urlsplit(endpoint.url).hostname or "")
        except ValueError:
            continue
    return {host.lower() for host in hosts if host}
