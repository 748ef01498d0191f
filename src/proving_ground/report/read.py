"""Finding and reading the results of a run."""

from __future__ import annotations

from pathlib import Path

import pydantic

from proving_ground.contracts.results import Results
from proving_ground.errors import ConfigurationError


def find(run: str, artifacts: Path) -> Path:
    """Return the results.json of a run, given as its id, its directory or the file itself.

    Raises:
        ConfigurationError: There is none.
    """
    candidates = [Path(run), Path(run) / "results.json", artifacts / run / "results.json"]
    for path in candidates:
        if path.is_file():
            return path
    known = sorted(path.parent.name for path in artifacts.glob("*/results.json"))
    hint = f"the latest are {', '.join(known[-3:])}" if known else f"no run has results under {artifacts}"
    raise ConfigurationError(f"no run {run!r}", hint=hint)


def load(run: str, artifacts: Path) -> Results:
    """Return the results of a run.

    Raises:
        ConfigurationError: There are none, or the file is broken.
    """
    path = find(run, artifacts)
    try:
        return Results.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigurationError(f"{field}: {first['msg']}", where=str(path)) from None
