"""A kubeconfig whose current context is another one, for programs that know no other way to choose."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


@contextlib.contextmanager
def with_context(path: Path, context: str | None) -> Iterator[Path]:
    """Give the path of a kubeconfig whose current context is a given one: the file itself where it is that already.

    Otherwise a copy that only the owner may read, removed at the end.

    Args:
        path: The kubeconfig.
        context: The context; None: its current one.

    Raises:
        ConfigurationError: The file cannot be read, or has no such context.
    """
    if context is None:
        yield path
        return
    document = _read(path)
    if document.get("current-context") == context:
        yield path
        return
    if context not in {entry.get("name") for entry in document.get("contexts") or []}:
        raise ConfigurationError(f"the kubeconfig has no context {context!r}", where=str(path))
    document["current-context"] = context
    for kind in ("cluster", "user"):
        for entry in document.get(f"{kind}s") or []:
            for key in _PATHS:
                if entry[kind].get(key):
                    entry[kind][key] = str(path.parent / entry[kind][key])
    with tempfile.TemporaryDirectory(prefix="proving-ground-kubeconfig-") as scratch:  # mode 0700
        copy = Path(scratch, "kubeconfig")
        copy.write_text(yaml.safe_dump(document), encoding="utf-8")
        yield copy


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigurationError(f"the kubeconfig cannot be read: {error}", where=str(path)) from error
    if not isinstance(document, dict):
        raise ConfigurationError("the kubeconfig is no mapping", where=str(path))
    return document
