"""What a master pod prints when its load is over, and how it is found among the other lines of its log.

What was measured is compressed and divided into lines that no runtime splits, and ends with its digest: other programs
may print in between, and a log may be cut.
"""

from __future__ import annotations

import base64
import hashlib
import zlib

import pydantic

from proving_ground.errors import InfrastructureError
from proving_ground.load.measured.result import Measured

_PART, _END, _FAILED = "proving-ground-load: part ", "proving-ground-load: end ", "proving-ground-load: failed "
_WIDTH = 4096
_SHOWN = 300


def told_as_lines(measured: Measured) -> str:
    """Return what was measured as lines for a log."""
    packed = zlib.compress(measured.model_dump_json().encode(), 9)
    text = base64.b64encode(packed).decode()
    lines = [f"{_PART}{text[begin : begin + _WIDTH]}" for begin in range(0, len(text), _WIDTH)]
    # A line of its own, whatever was printed before.
    return "\n" + "\n".join([*lines, f"{_END}{hashlib.sha256(packed).hexdigest()}"]) + "\n"


def told_failure(reason: str) -> str:
    """Return why there is no result, as a line for a log."""
    return f"\n{_FAILED}{' '.join(reason.split())}\n"


def silent(log: str) -> bool:
    """Tell whether a log says neither what was measured nor why nothing was."""
    return not any(line.startswith((_END, _FAILED)) for line in log.splitlines())


def read_log(log: str, where: str) -> Measured:
    """Return what was measured.

    Args:
        log: The whole log.
        where: Whose it is, for messages.

    Raises:
        InfrastructureError: The log tells no result, or not all of it.
    """
    lines = log.splitlines()
    failed = [line.removeprefix(_FAILED) for line in lines if line.startswith(_FAILED)]
    if failed:
        raise InfrastructureError(failed[-1][:_SHOWN], where=where)
    ends = [line.removeprefix(_END) for line in lines if line.startswith(_END)]
    if not ends:
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        raise InfrastructureError(f"the load ended with no result: {last[:_SHOWN]}", where=where)
    text = "".join(line.removeprefix(_PART) for line in lines if line.startswith(_PART))
    try:
        return Measured.model_validate_json(_unpacked(text, ends[-1]))
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InfrastructureError(
            f"its result is of another version: {field}: {first['msg']}",
            where=where,
            hint="use the image of this version",
        ) from None
    except (ValueError, zlib.error) as error:
        raise InfrastructureError(f"its result did not come as a whole: {error}", where=where) from error


def _unpacked(text: str, digest: str) -> bytes:
    packed = base64.b64decode(text, validate=True)
    if hashlib.sha256(packed).hexdigest() != digest:
        raise ValueError("its digest is another")
    return zlib.decompress(packed)
