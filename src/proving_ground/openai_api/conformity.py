"""Verdicts on what a server answers: conform, a tolerated extension, or a violation, each with its place."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from proving_ground.openai_api.differences import Differences

SCHEMAS = Path(__file__).with_name("schemas")
Judged = Literal["conform", "tolerated", "violation"]
_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference from what OpenAI's API reference says.

    Attributes:
        rule: What is broken, by a name that differences are listed by: ``error.code:type``.
        path: Where, as a JSON path: ``$.error.code``.
        reason: What is there, one sentence.
        tolerated: Why it is let through; empty: it is not.
    """

    rule: str
    path: str
    reason: str
    tolerated: str = ""

    def __str__(self) -> str:
        """Return it in one line."""
        known = f" (tolerated: {self.tolerated})" if self.tolerated else ""
        return f"{self.path}: {self.reason} [{self.rule}]{known}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found in one body or event."""

    findings: tuple[Finding, ...] = field(default=())

    @property
    def violations(self) -> tuple[Finding, ...]:
        """What is not let through."""
        return tuple(finding for finding in self.findings if not finding.tolerated)

    @property
    def tolerated(self) -> tuple[Finding, ...]:
        """What is."""
        return tuple(finding for finding in self.findings if finding.tolerated)

    @property
    def judged(self) -> Judged:
        """The verdict in a word."""
        return "violation" if self.violations else "tolerated" if self.findings else "conform"

    def __str__(self) -> str:
        """Return the violations, one a line."""
        return "\n".join(map(str, self.violations)) or self.judged


@functools.cache
def schema(name: str) -> Mapping[str, Any]:
    """Return a schema by its name: ``models``, ``completion``, ``chat-completion``, ``chat-chunk``, ..."""
    found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def schema_names() -> tuple[str, ...]:
    """Return the names of all schemas."""
    return tuple(sorted(path.stem for path in SCHEMAS.glob("*.json")))


@functools.cache
def _validator(name: str) -> Any:
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # noqa: PLC0415 -- costs time

    return Draft202012Validator(dict(schema(name)))


def judge(name: str, document: object, differences: Differences | None = None) -> Verdict:
    """Judge a parsed body or event by a schema.

    Args:
        name: Name of the schema.
        document: The parsed JSON.
        differences: What is known of the server; a violation that it lists is tolerated for the reason it gives.
    """
    extensions: list[Finding] = []
    pruned = _prune(document, schema(name), name, "$", extensions)
    found = [_finding(name, error) for error in sorted(_validator(name).iter_errors(pruned), key=lambda e: e.json_path)]
    unique = list(dict.fromkeys(found))
    if differences is not None:
        unique = [differences.applied(finding) for finding in unique]
    return Verdict((*unique, *extensions))


def rule(name: str, path: str, keyword: str) -> str:
    """Return the name of the rule that a keyword of a schema is at a path: ``error.code:type``."""
    generic = re.sub(r"\[\d+\]", "[]", path.removeprefix("$"))
    return f"{name}{generic}:{keyword}"


def _finding(name: str, error: Any) -> Finding:
    """Return what a ``jsonschema.ValidationError`` tells."""
    path, keyword = error.json_path, str(error.validator)
    if keyword == "required":
        missing = next(
            key for key in error.validator_value if key not in error.instance and f"{key!r}" in error.message
        )
        return Finding(rule(name, f"{path}.{missing}", keyword), f"{path}.{missing}", "is missing")
    shown = json.dumps(error.instance)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
    return Finding(rule(name, path, keyword), path, _expected(keyword, error.validator_value, shown, error.message))


def _expected(keyword: str, wanted: Any, shown: str, otherwise: str) -> str:
    if keyword == "type":
        return f"expected {_words(wanted)}, found {shown}"
    if keyword == "enum":
        return f"expected one of {json.dumps(wanted)}, found {shown}"
    if keyword == "const":
        return f"expected {json.dumps(wanted)}, found {shown}"
    if keyword == "minItems":
        return f"expected at least {wanted}, found none"
    return otherwise


def _words(kinds: str | list[str]) -> str:
    return kinds if isinstance(kinds, str) else " or ".join(kinds)


def _prune(value: Any, shape: Mapping[str, Any], name: str, path: str, found: list[Finding]) -> Any:
    """Return a value without its extensions, which go to `found`."""
    if isinstance(value, list) and "items" in shape:
        return [_prune(item, shape["items"], name, f"{path}[{at}]", found) for at, item in enumerate(value)]
    if not isinstance(value, dict) or "properties" not in shape:
        return value
    return dict(_kept(value, shape, name, path, found))


def _kept(
    value: Mapping[str, Any], shape: Mapping[str, Any], name: str, path: str, found: list[Finding]
) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        place = f"{path}.{key}"
        inner = shape["properties"].get(key)
        if inner is None:
            extension = "further properties do no harm"
            found.append(Finding(rule(name, place, "extension"), place, "is not in the API reference", extension))
        elif item is None and key not in shape.get("required", ()) and not _nullable(inner):
            harmless = "clients take it as absent"
            found.append(Finding(rule(name, place, "null"), place, "is null, where it may be absent only", harmless))
        else:
            yield key, _prune(item, inner, name, place, found)


def _nullable(shape: Mapping[str, Any]) -> bool:
    kinds = shape.get("type", ())
    return "null" in ([kinds] if isinstance(kinds, str) else kinds)
