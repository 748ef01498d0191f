"""Service templates as the status tells about them: one for each image, optimised or not."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proving_ground.aim.catalogue import Entry
    from proving_ground.aim.observation import Observation

_LONGEST = 63


def template_name(entry: Entry, requested: str = "") -> str:
    """Return the name of an image's template: the one asked for, or one made from the image's name."""
    if requested:
        return requested
    name = re.sub(r"[^a-z0-9]+", "-", entry.image.rsplit("/", 1)[-1].lower()).strip("-")
    digest = hashlib.sha256(entry.image.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST - 9].rstrip('-')}-{digest}"


def reference(kind: str, name: str, namespace: str) -> dict[str, Any]:
    """Return a resolved reference as the status holds it."""
    scope = {"namespace": namespace, "scope": "Namespace"} if namespace else {"scope": "Cluster"}
    return {"name": name, "kind": kind, **scope}


def matching(entry: Entry, seen: Observation) -> list[dict[str, str]]:
    """Return the candidates of template selection and what became of each."""
    name = template_name(entry)
    if seen.unoptimized_refused:
        return [{"name": name, "status": "rejected", "reason": "UnoptimizedTemplateFiltered"}]
    if seen.template_problem:
        return [{"name": name, "status": "rejected", "reason": "ServiceOverridesNotMatched"}]
    return [{"name": name, "status": "chosen", "reason": "BestMatch"}]
