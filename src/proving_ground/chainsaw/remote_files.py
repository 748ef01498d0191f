"""Files at an address: fetched once in a process, only where a run allows it, within a time and a size.

As with questions to the cluster, what needs a file that is not there yet stops with `RemoteNeeded`;
`proving_ground.chainsaw.lookups.resolve` fetches it beside the event loop and computes again.
"""

from __future__ import annotations

import re
import threading
import time
import urllib.parse

from proving_ground.errors import ConfigurationError, InfrastructureError

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.:-]*://")
_LARGEST = 8 * 1024 * 1024  # bytes, as of any other file
_SECONDS = 10.0  # for one attempt to connect, and for each read
_PAUSES = (0.5, 1.0)  # seconds before each further attempt
_GONE_FOR_GOOD = range(400, 500)  # but not these: asked again, they may answer
_MAY_ANSWER = frozenset((408, 425, 429))

_texts: dict[str, str] = {}
_lock = threading.Lock()


class RemoteNeeded(Exception):  # noqa: N818  # a signal, answered by resolve
    """A file that is not fetched yet."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address


def is_address(name: str) -> bool:
    """Return whether a name of a file is an address."""
    return _ADDRESS.match(name) is not None


def shown(address: str) -> str:
    """Return an address without credentials and query, for people."""
    scheme, _, rest = re.split(r"[?#]", address, maxsplit=1)[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def remote_text(address: str, where: str) -> str:
    """Return the text of a file that was fetched.

    Args:
        address: Its address.
        where: File and line that name it.

    Raises:
        ConfigurationError: The address is none of HTTP.
        RemoteNeeded: It is not fetched yet.
    """
    try:
        parts = urllib.parse.urlsplit(address)
        fits = parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
    except ValueError:
        fits = False
    if not fits:
        raise ConfigurationError(f"file {shown(address)!r}: only http and https addresses are fetched", where=where)
    with _lock:
        text = _texts.get(address)
    if text is None:
        raise RemoteNeeded(address)
    return text


def fetch(address: str) -> None:
    """Fetch a file, so that `remote_text` has it; blocks.

    Raises:
        InfrastructureError: It cannot be had; names the address and the last reason.
    """
    import http.client  # noqa: PLC0415  # not for free, and few files are remote
    import urllib.error  # noqa: PLC0415

    reason = ""
    for pause in (*_PAUSES, None):
        try:
            text = _attempt(address)
        except urllib.error.HTTPError as error:
            reason = f"HTTP {error.code} {error.reason}"
            if error.code in _GONE_FOR_GOOD and error.code not in _MAY_ANSWER:
                break
        except (OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        except ValueError as error:
            reason = str(error)
            break
        else:
            with _lock:
                _texts[address] = text
            return
        if pause is not None:
            time.sleep(pause)
    raise InfrastructureError(f"cannot be fetched: {reason}", where=shown(address))


def _attempt(address: str) -> str:
    import urllib.request  # noqa: PLC0415  # not for free, and few files are remote

    opener = urllib.request.OpenerDirector()  # no files, no FTP, also behind a redirection
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    request = urllib.request.Request(address, headers={"Accept": "*/*"})  # noqa: S310  # remote_text checks it
    response = opener.open(request, timeout=_SECONDS)
    if response is None:
        raise ValueError("no answer")
    with response:
        content: bytes = response.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f"larger than {_LARGEST // 2**20} MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("not text in UTF-8") from None
