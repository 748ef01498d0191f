"""Which requests go through the proxy that knows the names of Services."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_SERVICE = re.compile(r"[a-z0-9-]+\.[a-z0-9-]+(?:\.svc(?:\.cluster\.local)?)?\.?", re.IGNORECASE)


def needs_names(url: str) -> bool:
    """Return whether a URL's host is the name of a Service, which only the cluster can resolve.

    Such names are ``NAME.NAMESPACE``, with ``.svc`` or ``.svc.cluster.local`` or without. Addresses are not.
    """
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _SERVICE.fullmatch(host) is not None
    return False
