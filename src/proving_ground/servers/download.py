"""A file of an ordinary web server: resumed where it was left, verified, whole or absent."""

from __future__ import annotations

import hashlib
import http
import http.client
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from proving_ground.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_CHUNK = 1 << 20
_SILENCE_SECONDS = 20.0
_TELL_SECONDS = 15.0
_TRIES = 3


def download(url: str, target: Path, *, sha256: str = "", say: Callable[[str], None]) -> Path:
    """Fetch a file unless it is there.

    What was fetched before is gone on with, if the server says by an entity tag that it is still the same file.

    Args:
        url: An http or https URL.
        target: Where it goes.
        sha256: What its SHA-256 must be; empty takes what comes.
        say: Told what takes long.

    Raises:
        InfrastructureError: It cannot be fetched, or is not what it should be.
    """
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    tag = target.with_name(f".{target.name}.tag")
    say(f"fetching {url}")
    reason = ""
    for _ in range(_TRIES):
        try:
            _fetch(url, part, tag, say)
        except urllib.error.HTTPError as error:
            error.close()
            reason = f"HTTP {error.code} {error.reason}"
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                part.unlink(missing_ok=True)
            elif error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR:
                break
        except (OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", "") or error) or type(error).__name__
        else:
            _verify(url, part, sha256)
            tag.unlink(missing_ok=True)
            return part.replace(target)
    raise InfrastructureError(
        f"cannot be fetched: {reason}", where=url, hint="what came is kept: the next try goes on from there"
    )


def _fetch(url: str, part: Path, tag: Path, say: Callable[[str], None]) -> None:
    size = part.stat().st_size if part.is_file() and tag.is_file() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "proving-ground"})  # noqa: S310 - the model's option says which
    if size:
        request.add_header("Range", f"bytes={size}-")
        request.add_header("If-Range", tag.read_text(encoding="utf-8"))
    with urllib.request.urlopen(request, timeout=_SILENCE_SECONDS) as response:  # noqa: S310
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            size = 0
        entity = response.headers.get("ETag") or ""
        if entity and not entity.startswith("W/"):
            tag.write_text(entity, encoding="utf-8")
        else:
            tag.unlink(missing_ok=True)
        length = response.headers.get("Content-Length")
        expected = None if length is None else size + int(length)
        told = time.monotonic()
        with part.open("r+b" if size else "wb") as stream:
            stream.seek(size)
            while chunk := response.read(_CHUNK):
                stream.write(chunk)
                if time.monotonic() - told > _TELL_SECONDS:
                    told = time.monotonic()
                    say(f"still fetching: {stream.tell() >> 20} MiB of {(expected or 0) >> 20 or '?'}")
            size = stream.tell()
    if expected is not None and size != expected:
        raise http.client.IncompleteRead(b"", expected - size)


def _verify(url: str, part: Path, sha256: str) -> None:
    if not sha256:
        return
    with part.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256.lower():
        part.unlink()
        raise InfrastructureError(f"expected SHA-256 {sha256.lower()}, found {found}; the file was removed", where=url)
