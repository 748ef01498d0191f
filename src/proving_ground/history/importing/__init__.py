"""Reading measurements of other tools, of runs, and of another history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from proving_ground.errors import ConfigurationError
from proving_ground.history.importing import aiperf, guidellm, own, results, vllm
from proving_ground.history.importing.origin import Origin, json_of

if TYPE_CHECKING:
    from pathlib import Path

    from proving_ground.history.records import Record

Form = Literal["auto", "history", "results", "guidellm", "vllm", "aiperf"]
FORMS: tuple[Form, ...] = ("auto", "history", "results", "guidellm", "vllm", "aiperf")


class _Reader(Protocol):
    def fits(self, content: object) -> bool: ...

    def read(self, content: Any, origin: Origin) -> list[Record]: ...


# The order counts: results.json is the most particular.
_READERS: dict[str, _Reader] = {"results": results, "guidellm": guidellm, "vllm": vllm, "aiperf": aiperf}


def read(origin: Origin, form: Form = "auto") -> list[Record]:
    """Return the records of a file.

    Raises:
        ConfigurationError: It cannot be read, or is none of the known forms, or has no measurement.
    """
    path = origin.path
    if form == "history" or (form == "auto" and _is_export(path)):
        return list(own.records(path))
    content = json_of(path)
    names = list(_READERS) if form == "auto" else [form]
    reader = next((_READERS[name] for name in names if _READERS[name].fits(content)), None)
    if reader is None:
        raise ConfigurationError(
            "is no results.json, and no result of guidellm, vllm bench serve or aiperf"
            if form == "auto"
            else f"is no result of {form}",
            where=str(path),
            hint="see the reference of history for what can be imported",
        )
    found = reader.read(content, origin)
    if not any(record.measurements for record in found):
        raise ConfigurationError("has no measurement that could be compared", where=str(path))
    return found


def _is_export(path: Path) -> bool:
    """Return whether a file is an export of a history, by its first line."""
    try:
        with path.open("rb") as stream:
            start = stream.readline(4096)
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=str(path)) from None
    return start.lstrip().startswith(b"{") and b'"configuration_hash"' in start


__all__ = ["FORMS", "Form", "Origin", "read"]
