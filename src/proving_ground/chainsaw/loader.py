"""Test and Configuration files: from YAML to `proving_ground.chainsaw.model`, nothing silently ignored."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from proving_ground.chainsaw.documents import Mapping, Node, Scalar, Where, read_documents
from proving_ground.chainsaw.fields import Fields
from proving_ground.chainsaw.model import (
    DEFAULT_TIMEOUTS,
    Apply,
    Assert,
    Configuration,
    Create,
    Delete,
    Error,
    Operation,
    Step,
    Test,
    Timeouts,
)
from proving_ground.chainsaw.notation import parse_marked
from proving_ground.chainsaw.operation_fields import PROPAGATION, bindings, operations
from proving_ground.chainsaw.resources import Resource, load_resources, load_values
from proving_ground.durations import parse_duration
from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "Resource",
    "check_files",
    "load_configuration",
    "load_resources",
    "load_tests",
    "load_values",
    "parse_duration",
]

_GROUP = "chainsaw.kyverno.io"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_COMPILERS = ("compiler", "namespaceTemplateCompiler")


def load_tests(path: Path) -> tuple[Test, ...]:
    """Return the tests of a file.

    Args:
        path: A YAML file with one or more Test documents; names with ``directory`` what is relative to it.

    Returns:
        One for each document, in order.

    Raises:
        ConfigurationError: The file is no such file, or says something that this engine does not do.
    """
    documents = read_documents(path)
    if not documents:
        raise ConfigurationError("holds no Test", where=str(path))
    tests = tuple(_test(document, path, index) for index, document in enumerate(documents))
    seen: dict[str, Where] = {}
    for test in tests:
        if test.name in seen:
            line = seen[test.name].line
            raise ConfigurationError(f"test {test.name!r} again", where=str(test.where), hint=f"first in line {line}")
        seen[test.name] = test.where
    return tests


def check_files(test: Test) -> None:
    """Read every file that a test refers to by a plain name.

    Raises:
        ConfigurationError: One is missing or is not what the operation needs.
    """
    blocks = [
        test.catch,
        *(block for step in test.steps for block in (step.try_, step.catch, step.finally_, step.cleanup)),
    ]
    for step_template, block in _with_template(test, blocks):
        for operation in block:
            _check_file(operation, test, template=step_template)


def _with_template(test: Test, blocks: list[tuple[Operation, ...]]) -> list[tuple[bool, tuple[Operation, ...]]]:
    default = test.template is not False
    own = {id(step.try_): step.template for step in test.steps if step.template is not None}
    return [(own.get(id(block), default), block) for block in blocks]


def _check_file(operation: Operation, test: Test, *, template: bool) -> None:
    if isinstance(operation, Apply | Create | Assert | Error):
        file, where = operation.ref.file, operation.where
    elif isinstance(operation, Delete):
        file, where = operation.file, operation.where
    else:
        return
    if file is None or parse_marked(file) is not None:
        return
    if operation.template is not None:
        template = operation.template
    try:
        load_resources(file, test.directory, tree=isinstance(operation, Assert | Error), template=template)
    except ConfigurationError as error:
        if error.where == str(test.directory):  # the reference is wrong, not what it refers to
            raise ConfigurationError(error.what, where=str(where), hint=error.hint) from None
        raise


def _document(node: Node, path: Path, kind: str, versions: tuple[str, ...]) -> Fields:
    fields = Fields(node, path, f"a {kind}", ("apiVersion", "kind", "metadata", "spec", "status"))
    fields.require("apiVersion", "kind")
    found_version, found_kind = fields.string("apiVersion"), fields.string("kind")
    wanted = tuple(f"{_GROUP}/{version}" for version in versions)
    if found_kind != kind or found_version not in wanted:
        what = f"expected {kind} of {' or '.join(wanted)}, found {found_kind} of {found_version}"
        raise fields.error(what, fields.line("kind" if found_kind != kind else "apiVersion"))
    if fields.given("status"):
        raise fields.error(f"status of a {kind} is not for files", fields.line("status"))
    return fields


def _test(node: Node, path: Path, index: int) -> Test:
    document = _document(node, path, "Test", ("v1alpha1",))
    document.require("metadata", "spec")
    metadata = Fields(
        document.node("metadata"),
        path,
        "metadata",
        ("name", "labels", "annotations", "creationTimestamp"),
        ("namespace",),
    )
    metadata.require("name")
    name = metadata.string("name")
    if _NAME.fullmatch(name) is None:
        hint = "at most 253 letters, digits, '.', '-' and '_', letters or digits at both ends"
        raise metadata.error(f"{name[:80]!r} cannot be the name of a test", metadata.line("name"), hint)
    spec = Fields(document.node("spec"), path, "spec", _TEST_FIELDS, ("cluster", "clusters", "scenarios", *_COMPILERS))
    spec.require("steps")
    return Test(
        where=document.where,
        name=name,
        path=path,
        directory=path.parent,
        index=index,
        labels=metadata.string_map("labels"),
        annotations=metadata.string_map("annotations"),
        description=spec.string("description"),
        fail_fast=spec.boolean("failFast"),
        skip=spec.boolean("skip"),
        concurrent=spec.boolean("concurrent"),
        skip_delete=spec.boolean("skipDelete"),
        template=spec.boolean("template"),
        namespace=spec.string("namespace"),
        namespace_template=spec.template("namespaceTemplate") if spec.given("namespaceTemplate") else None,
        bindings=bindings(spec, "bindings"),
        timeouts=_timeouts(spec),
        steps=tuple(_step(step, path) for step in spec.items("steps")),
        catch=operations(spec, "catch", whole=False),
        propagation=spec.one_of("deletionPropagationPolicy", *PROPAGATION),
        delay_before_cleanup=spec.duration("delayBeforeCleanup", zero=True),
        force_termination_grace_period=spec.duration("forceTerminationGracePeriod", zero=True),
    )


_TEST_FIELDS = (
    *("description", "failFast", "skip", "concurrent", "skipDelete", "template", "namespace", "namespaceTemplate"),
    *("bindings", "timeouts", "steps", "catch", "deletionPropagationPolicy", "delayBeforeCleanup"),
    "forceTerminationGracePeriod",
)
_STEP_FIELDS = (
    *("name", "description", "timeouts", "bindings", "try", "catch", "finally", "cleanup", "template"),
    *("skipDelete", "deletionPropagationPolicy"),
)


def _step(node: Node, path: Path) -> Step:
    fields = Fields(node, path, "a step", _STEP_FIELDS, ("use", "cluster", "clusters", "compiler"))
    fields.require("try")
    return Step(
        where=fields.where,
        name=fields.string("name"),
        description=fields.string("description"),
        timeouts=_timeouts(fields),
        bindings=bindings(fields, "bindings"),
        try_=operations(fields, "try", whole=True),
        catch=operations(fields, "catch", whole=False),
        finally_=operations(fields, "finally", whole=False),
        cleanup=operations(fields, "cleanup", whole=False),
        template=fields.boolean("template"),
        skip_delete=fields.boolean("skipDelete"),
        propagation=fields.one_of("deletionPropagationPolicy", *PROPAGATION),
    )


def _timeouts(fields: Fields) -> Timeouts:
    if not fields.given("timeouts"):
        return Timeouts()
    known = ("apply", "assert", "cleanup", "delete", "error", "exec")
    own = Fields(fields.node("timeouts"), fields.path, "timeouts", known)
    return Timeouts(*(own.duration(name) for name in known))


def load_configuration(path: Path) -> Configuration:
    """Return a Configuration file, of either version.

    Args:
        path: A YAML file with one Configuration document, such as ``.chainsaw.yaml``.

    Raises:
        ConfigurationError: The file is no such file, or says something that this engine does not do.
    """
    documents = read_documents(path)
    if len(documents) != 1:
        where = f"{path}:{documents[1].line}" if documents else str(path)
        raise ConfigurationError(f"expected one Configuration, found {len(documents)}", where=where)
    document = _document(documents[0], path, "Configuration", ("v1alpha1", "v1alpha2"))
    if document.given("metadata"):
        metadata = document.node("metadata")
        Fields(metadata, path, "metadata", ("name", "labels", "annotations", "creationTimestamp"))
    if "spec" not in document.entries:
        document.require("spec")
    spec = document.node("spec")
    if isinstance(spec, Scalar) and spec.value is None:
        spec = Mapping({}, spec.line)
    if document.string("apiVersion").endswith("v1alpha1"):
        return _configuration_1(spec, path, document.where)
    return _configuration_2(spec, path, document.where)


_REPORTS = ("reportFormat", "reportPath", "reportName")
_DISCOVERY = ("fullName", "excludeTestRegex", "includeTestRegex", "testFile", "repeatCount")


def _configuration_1(node: Node, path: Path, where: Where) -> Configuration:
    known = (
        *("timeouts", "skipDelete", "template", "failFast", "parallel", "deletionPropagationPolicy", "namespace"),
        *("namespaceTemplate", "forceTerminationGracePeriod", "delayBeforeCleanup", "catch"),
    )
    spec = Fields(node, path, "spec", known, (*_REPORTS, *_DISCOVERY, "clusters", *_COMPILERS))
    return Configuration(
        where=where,
        timeouts=_timeouts(spec).over(DEFAULT_TIMEOUTS),
        parallel=spec.integer("parallel", 1),
        fail_fast=spec.boolean("failFast"),
        skip_delete=spec.boolean("skipDelete"),
        template=spec.boolean("template"),
        namespace=spec.string("namespace"),
        namespace_template=spec.template("namespaceTemplate") if spec.given("namespaceTemplate") else None,
        delay_before_cleanup=spec.duration("delayBeforeCleanup", zero=True),
        force_termination_grace_period=spec.duration("forceTerminationGracePeriod", zero=True),
        propagation=spec.one_of("deletionPropagationPolicy", *PROPAGATION),
        catch=operations(spec, "catch", whole=False),
    )


def _configuration_2(node: Node, path: Path, where: Where) -> Configuration:
    known = ("cleanup", "deletion", "error", "execution", "namespace", "templating", "timeouts")
    spec = Fields(node, path, "spec", known, ("clusters", "discovery", "report"))

    def part(name: str, known: tuple[str, ...], refused: tuple[str, ...] = ()) -> Fields:
        inner = spec.node(name) if spec.given(name) else Mapping({}, spec.line(name))
        return Fields(inner, path, name, known, refused)

    cleanup = part("cleanup", ("skipDelete", "delayBeforeCleanup"))
    execution = part("execution", ("failFast", "parallel", "forceTerminationGracePeriod"), ("repeatCount",))
    namespace = part("namespace", ("name", "template"), ("compiler",))
    return Configuration(
        where=where,
        timeouts=_timeouts(spec).over(DEFAULT_TIMEOUTS),
        parallel=execution.integer("parallel", 1),
        fail_fast=execution.boolean("failFast"),
        skip_delete=cleanup.boolean("skipDelete"),
        template=part("templating", ("enabled",), ("compiler",)).boolean("enabled"),
        namespace=namespace.string("name"),
        namespace_template=namespace.template("template") if namespace.given("template") else None,
        delay_before_cleanup=cleanup.duration("delayBeforeCleanup", zero=True),
        force_termination_grace_period=execution.duration("forceTerminationGracePeriod", zero=True),
        propagation=part("deletion", ("propagation",)).one_of("propagation", *PROPAGATION),
        catch=operations(part("error", ("catch",)), "catch", whole=False),
    )
