"""What is known to surprise in Chainsaw tests, and stays as it is for compatibility's sake: rules over one test."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proving_ground.chainsaw.model import (
    DEFAULT_TIMEOUTS,
    Apply,
    Assert,
    Command,
    Create,
    Error,
    Patch,
    Script,
    Sleep,
    Update,
)
from proving_ground.chainsaw.notation import parse_marked
from proving_ground.chainsaw.resources import load_resources
from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proving_ground.chainsaw.documents import Where
    from proving_ground.chainsaw.model import Configuration, Operation, Step, Test
    from proving_ground.chainsaw.resources import Resource

#: Codes of warnings, and what each is about.
CODES = {
    "error-on-absent": "an `error` passes when the object never existed",
    "default-timeout": "the default time-outs are short for a busy cluster",
    "whole-list": "a list in an assertion is compared whole and in order",
    "sleep": "a fixed time is too long or too short",
    "script-status": "a script's status is that of its last command",
    "fixed-namespace": "tests that run at once meet in a namespace",
    "shared-object": "tests that run at once write one cluster-scoped object",
    "skipped": "the test is not run",
    "duplicate-name": "reports cannot tell tests of one name apart",
    "exists-only": "an assertion holds as soon as the object exists",
    "never-equal": "a number and a text are never equal",
    "empty-iteration": "`~` holds for an empty list",
    "unused-file": "no operation names the file",
    "repeated-key": "the last of two equal keys counts, without a word",
}

_CLUSTER_KINDS = frozenset(
    (
        "Namespace",
        "CustomResourceDefinition",
        "PersistentVolume",
        "StorageClass",
        "PriorityClass",
        "IngressClass",
        "RuntimeClass",
        "APIService",
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "MutatingAdmissionPolicy",
        "CSIDriver",
        "DeviceClass",
        "FlowSchema",
    )
)
_NUMBERS = frozenset(
    (
        "replicas",
        "readyReplicas",
        "availableReplicas",
        "updatedReplicas",
        "currentReplicas",
        "desiredReplicas",
        "minReplicas",
        "maxReplicas",
        "observedGeneration",
        "generation",
        "containerPort",
        "nodePort",
        "restartCount",
        "completions",
        "parallelism",
        "backoffLimit",
        "numberReady",
        "desiredNumberScheduled",
        "terminationGracePeriodSeconds",
        "revisionHistoryLimit",
    )
)
_TEXTS = frozenset(("labels", "annotations", "matchLabels", "nodeSelector", "stringData"))
_SAFE = re.compile(r"\bset\s+(?:-[a-zA-Z]*e|-o\s+errexit)|^#!\S+.*\s-[a-zA-Z]*e", re.MULTILINE)
_CONTINUED = re.compile(r"\\\n")


@dataclass(frozen=True, slots=True)
class Surprise:
    """Something that may surprise.

    Attributes:
        code: One of `CODES`.
        where: Its line.
        what: One sentence.
        hint: What to do about it.
    """

    code: str
    where: Where
    what: str
    hint: str = ""


def warnings_of(test: Test, configuration: Configuration | None) -> Iterator[Surprise]:
    """Yield the warnings about one test by itself.

    Args:
        test: The test.
        configuration: The Configuration that holds for it.
    """
    if test.skip:
        yield Surprise("skipped", test.where, f"test {test.name!r} is skipped", "remove it, or say why in description")
    yield from _timeouts(test, configuration)
    known: set[tuple[str, str]] = set()
    programs = False
    for step in test.steps:
        for operation in (*step.try_, *step.catch, *step.finally_, *step.cleanup):
            found = list(resources_of(operation, test, step))
            if isinstance(operation, Error) and not programs:
                yield from _never_seen(operation, found, known)
            known |= {_identity(resource.obj) for resource in found if not isinstance(operation, Error)}
            programs = programs or isinstance(operation, Script | Command)
            yield from _operation(operation)
            for resource in found:
                yield from _resource(operation, resource, test)


def resources_of(operation: Operation, test: Test, step: Step) -> Iterator[Resource]:
    """Yield the resources that an operation names plainly; what only a run can tell is left out."""
    if not isinstance(operation, Apply | Create | Patch | Update | Assert | Error):
        return
    if operation.ref.file is not None and parse_marked(operation.ref.file) is not None:
        return
    template = next((each for each in (operation.template, step.template, test.template) if each is not None), True)
    tree = isinstance(operation, Assert | Error)
    try:
        yield from load_resources(operation.ref, test.directory, tree=tree, template=template)
    except ConfigurationError:
        return  # told as a refusal


def is_cluster_scoped(obj: dict[str, Any]) -> bool:
    """Return whether objects of this kind are known to be in no namespace."""
    kind = str(obj.get("kind") or "")
    return kind in _CLUSTER_KINDS or (kind.startswith("Cluster") and kind != "Cluster")


def name_of(obj: dict[str, Any]) -> str:
    """Return the name of an object; empty where it has none, or only an expression tells it."""
    metadata = obj.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) and parse_marked(name) is None else ""


def _identity(obj: dict[str, Any]) -> tuple[str, str]:
    return str(obj.get("kind") or ""), name_of(obj)


def _timeouts(test: Test, configuration: Configuration | None) -> Iterator[Surprise]:
    outer = configuration.timeouts if configuration is not None else DEFAULT_TIMEOUTS
    for field, kinds in (("assert_", Assert), ("apply", Apply)):
        default = getattr(DEFAULT_TIMEOUTS, field)
        if getattr(outer, field) != default or getattr(test.timeouts, field) is not None:
            continue
        for step in test.steps:
            bare = [each for each in step.try_ if isinstance(each, kinds) and each.timeout is None]
            if bare and getattr(step.timeouts, field) is None:
                kind = bare[0].kind
                yield Surprise(
                    "default-timeout",
                    bare[0].where,
                    f"{kind} has {default:g} s, chainsaw's default, which a busy cluster may exceed",
                    f"set timeouts.{kind} for the test or in .chainsaw.yaml",
                )
                break


def _never_seen(operation: Error, found: list[Resource], known: set[tuple[str, str]]) -> Iterator[Surprise]:
    for resource in found:
        kind, name = _identity(resource.obj)
        if kind and not any(kind == other and (not name or not there or name == there) for other, there in known):
            yield Surprise(
                "error-on-absent",
                operation.where,
                f"passes where no {kind} {name or 'of these labels'} exists, and nothing before makes or asserts one",
                "assert first that it is there, or that what would have made it is done",
            )


def _operation(operation: Operation) -> Iterator[Surprise]:
    if isinstance(operation, Sleep):
        yield Surprise(
            "sleep",
            operation.where,
            f"sleeps {operation.duration:g} s: too long on an idle cluster, too short on a busy one",
            "assert or wait for what it is waiting for",
        )
    elif isinstance(operation, Script) and not _stops_at_errors(operation):
        yield Surprise(
            "script-status",
            operation.where,
            "only the last command decides whether the script failed",
            "begin it with set -e",
        )


def _stops_at_errors(script: Script) -> bool:
    lines = [line.strip() for line in _CONTINUED.sub(" ", script.content).splitlines()]
    commands = [line for line in lines if line and not line.startswith("#")]
    several = len(commands) > 1 or any(";" in line for line in commands)
    strict = any(word.startswith("-") and "e" in word.lstrip("-") for word in script.shell_args if word != "-c")
    return not several or strict or _SAFE.search(script.content) is not None


def _resource(operation: Operation, resource: Resource, test: Test) -> Iterator[Surprise]:
    where, obj = resource.where, resource.obj
    if not isinstance(operation, Assert | Error):
        metadata = obj.get("metadata")
        namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
        if (
            isinstance(namespace, str)
            and namespace
            and parse_marked(namespace) is None
            and test.concurrent is not False
            and namespace != test.namespace
        ):
            yield Surprise(
                "fixed-namespace",
                where,
                f"{obj.get('kind')} {name_of(obj)} goes to the namespace {namespace}, where other tests may be at work",
                "leave metadata.namespace out, or say concurrent: false",
            )
        return
    if isinstance(operation, Assert) and _says_nothing(obj):
        yield Surprise(
            "exists-only",
            where,
            f"holds as soon as a {obj.get('kind')} {name_of(obj) or 'of any name'} exists",
            "say what it has to be like",
        )
    yield from _tree(obj, "", where)


def _says_nothing(obj: dict[str, Any]) -> bool:
    metadata = obj.get("metadata") or {}
    return (
        bool(obj.get("kind"))
        and obj.keys() <= {"apiVersion", "kind", "metadata"}
        and isinstance(metadata, dict)
        and metadata.keys() <= {"name", "namespace", "labels"}
    )


def _tree(value: Any, path: str, where: Where, *, filtered: bool = False) -> Iterator[Surprise]:
    """Yield the warnings about an assertion tree; a list that a filter gives is meant to be compared whole."""
    if isinstance(value, list) and value and not filtered:
        yield Surprise(
            "whole-list",
            where,
            f"{path} has to be exactly this list, of {len(value)}, in this order",
            "~.key: iterates, (key[?name == 'x']): picks",
        )
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict):
                yield from _mapping(item, f"{path}[{index}]", where)
    elif isinstance(value, dict):
        yield from _mapping(value, path, where)


def _mapping(value: dict[str, Any], path: str, where: Where) -> Iterator[Surprise]:
    for key, inner in value.items():
        below = f"{path}.{key}" if path else key
        if key.startswith("~") and "length(" not in "".join(value):
            yield Surprise(
                "empty-iteration", where, f"{below} holds for an empty list, too", "add a (length(...) > `0`): true"
            )
        text_is_number = isinstance(inner, str) and inner.isdecimal() and key in _NUMBERS
        if text_is_number:
            yield Surprise(
                "never-equal", where, f"{below} is a number, never the text {inner!r}", "leave out the quotes"
            )
        if key in _TEXTS or (key == "data" and not path):
            yield from _texts(inner, below, where)
        yield from _tree(inner, below, where, filtered=key.startswith("("))


def _texts(value: Any, path: str, where: Where) -> Iterator[Surprise]:
    for key, inner in value.items() if isinstance(value, dict) else ():
        if isinstance(inner, bool | int | float) and not key.startswith(("(", "~")):
            shown = str(inner).lower() if isinstance(inner, bool) else inner
            yield Surprise("never-equal", where, f"{path}.{key} is a text, never the value {shown}", "quote it")
