"""Test files: from YAML to `proving_ground.chainsaw.model`, nothing silently ignored."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from proving_ground.chainsaw.documents import Mapping, Node, read_documents
from proving_ground.chainsaw.fields import Fields
from proving_ground.chainsaw.model import (
    Apply,
    Assert,
    Binding,
    Create,
    Delete,
    Error,
    Operation,
    Patch,
    Step,
    Test,
    Timeouts,
    Update,
)
from proving_ground.chainsaw.notation import parse_marked
from proving_ground.chainsaw.operation_fields import PROPAGATION, bindings, clusters, operations, refuse_compiler
from proving_ground.chainsaw.remote_files import is_address
from proving_ground.chainsaw.resources import load_resources
from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

_GROUP = "chainsaw.kyverno.io"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")

#: Fields that the metadata of any object may have; only name, labels and annotations mean something in a file.
OBJECT_METADATA = (
    *("name", "namespace", "labels", "annotations", "creationTimestamp", "generateName", "finalizers", "uid"),
    *("ownerReferences", "managedFields", "generation", "resourceVersion", "selfLink", "deletionTimestamp"),
    "deletionGracePeriodSeconds",
)


def load_tests(path: Path) -> tuple[Test, ...]:
    """Return the tests of a file.

    Args:
        path: A YAML file with one or more Test documents; names with ``directory`` what is relative to it.

    Returns:
        One for each document, or for each of its scenarios, in order.

    Raises:
        ConfigurationError: The file is no such file, or says something that this engine does not do.
    """
    tests, problems = load_each(path)
    if problems:
        raise problems[0]
    return tests


def load_each(path: Path) -> tuple[tuple[Test, ...], list[ConfigurationError]]:
    """Return the tests of those documents of a file that can be run, and for each other one why it cannot.

    Raises:
        ConfigurationError: The file is no YAML at all.
    """
    documents = read_documents(path)
    if not documents:
        raise ConfigurationError("holds no Test", where=str(path))
    seen: Counter[str] = Counter()
    tests: list[Test] = []
    problems: list[ConfigurationError] = []
    for index, document in enumerate(documents):
        try:
            test, scenarios = _test(document, path, index)
        except ConfigurationError as error:
            problems.append(error)
            continue
        seen[test.name] += 1
        tests += _scenarios(replace(test, occurrence=seen[test.name]), scenarios)
    return tuple(tests), problems


def check_files(test: Test, *, remote: bool = False) -> None:
    """Read every file that a test refers to by a plain name.

    Args:
        test: The test.
        remote: Whether files at an address are allowed; they are fetched when the test runs.

    Raises:
        ConfigurationError: One is missing or is not what the operation needs.
    """
    for problem in file_problems(test, remote=remote):
        raise problem


def file_problems(test: Test, *, remote: bool = False) -> Iterator[ConfigurationError]:
    """Yield what is wrong with the files that a test refers to by plain names."""
    default = test.template is not False
    blocks = [(test.catch, default)]
    for step in test.steps:
        template = default if step.template is None else step.template
        blocks += [(block, template) for block in (step.try_, step.catch, step.finally_, step.cleanup)]
    for block, template in blocks:
        for operation in block:
            try:
                _check_file(operation, test, template=template, remote=remote)
            except ConfigurationError as error:
                yield error


def _check_file(operation: Operation, test: Test, *, template: bool, remote: bool) -> None:
    if isinstance(operation, Apply | Create | Patch | Update | Assert | Error):
        file, where = operation.ref.file, operation.where
    elif isinstance(operation, Delete):
        file, where = operation.file, operation.where
    else:
        return
    if file is None or parse_marked(file) is not None or (remote and is_address(file)):
        return
    if operation.template is not None:
        template = operation.template
    try:
        load_resources(file, test.directory, tree=isinstance(operation, Assert | Error), template=template)
    except ConfigurationError as error:
        if error.where == str(test.directory):  # the reference is wrong, not what it refers to
            raise ConfigurationError(error.what, where=str(where), hint=error.hint) from None
        raise


def header(node: Node, path: Path, kind: str, versions: tuple[str, ...]) -> Fields:
    """Return the fields of a document of a kind of chainsaw's.

    Raises:
        ConfigurationError: It is of another kind or version.
    """
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


_TEST_FIELDS = (
    *("description", "failFast", "skip", "concurrent", "skipDelete", "template", "namespace", "namespaceTemplate"),
    *("bindings", "timeouts", "steps", "catch", "deletionPropagationPolicy", "delayBeforeCleanup"),
    *("forceTerminationGracePeriod", "cluster", "clusters", "scenarios", "compiler", "namespaceTemplateCompiler"),
)
_STEP_FIELDS = (
    *("name", "description", "timeouts", "bindings", "try", "catch", "finally", "cleanup", "template"),
    *("skipDelete", "deletionPropagationPolicy", "use", "cluster", "clusters", "compiler"),
)


def _test(node: Node, path: Path, index: int) -> tuple[Test, list[tuple[Binding, ...]]]:
    """Return a test and the bindings of each of its scenarios."""
    document = header(node, path, "Test", ("v1alpha1",))
    document.require("spec")
    metadata = Fields(
        document.node("metadata") if document.given("metadata") else Mapping({}, node.line),
        path,
        "metadata",
        OBJECT_METADATA,
    )
    spec = Fields(document.node("spec"), path, "spec", _TEST_FIELDS)
    spec.require("steps")
    for name in ("compiler", "namespaceTemplateCompiler"):
        refuse_compiler(spec, name)
    chosen, registered = clusters(spec)
    test = Test(
        where=document.where,
        name=_name(metadata, path),
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
        namespace=spec.expression_string("namespace"),
        namespace_template=spec.template("namespaceTemplate") if spec.given("namespaceTemplate") else None,
        cluster=chosen,
        clusters=registered,
        bindings=bindings(spec, "bindings"),
        timeouts=timeouts_of(spec),
        steps=tuple(_step(step, path) for step in spec.items("steps")),
        catch=operations(spec, "catch", whole=False),
        propagation=spec.one_of("deletionPropagationPolicy", *PROPAGATION),
        delay_before_cleanup=spec.duration("delayBeforeCleanup", zero=True),
        force_termination_grace_period=spec.duration("forceTerminationGracePeriod", zero=True),
    )
    return test, [
        bindings(Fields(scenario, path, "a scenario", ("bindings",)), "bindings")
        for scenario in spec.items("scenarios")
    ]


def _name(metadata: Fields, path: Path) -> str:
    """Return the name of a test; that of its folder where it has none."""
    name = metadata.string("name") or path.absolute().parent.name
    if _NAME.fullmatch(name) is None:
        hint = "at most 253 letters, digits, '.', '-' and '_', letters or digits at both ends"
        raise metadata.error(f"{name[:80]!r} cannot be the name of a test", metadata.line("name"), hint)
    return name


def _scenarios(test: Test, scenarios: list[tuple[Binding, ...]]) -> Iterator[Test]:
    """Yield a test for each scenario, whose bindings come before those of the test; itself where there are none."""
    if not scenarios:
        yield test
    for number, own in enumerate(scenarios, start=1):
        yield replace(test, bindings=(*own, *test.bindings), scenario=number, scenarios=len(scenarios))


def _step(node: Node, path: Path) -> Step:
    fields = Fields(node, path, "a step", _STEP_FIELDS)
    refuse_compiler(fields)
    chosen, registered = clusters(fields)
    step = replace(
        _blocks(fields),
        name=fields.string("name"),
        description=fields.string("description"),
        timeouts=timeouts_of(fields),
        cluster=chosen,
        clusters=registered,
        template=fields.boolean("template"),
        skip_delete=fields.boolean("skipDelete"),
        propagation=fields.one_of("deletionPropagationPolicy", *PROPAGATION),
    )
    if not fields.given("use"):
        fields.require("try")
        return step
    use = Fields(fields.node("use"), path, "use", ("template", "with"))
    use.require("template")
    arguments: tuple[Binding, ...] = ()
    if use.given("with"):
        arguments = bindings(Fields(use.node("with"), path, "with", ("bindings",)), "bindings")
    used = _step_template(use)
    return replace(
        step,
        bindings=(*step.bindings, *used.bindings, *arguments),  # the last of a name holds
        try_=(*step.try_, *used.try_),
        catch=(*step.catch, *used.catch),
        finally_=(*step.finally_, *used.finally_),
        cleanup=(*step.cleanup, *used.cleanup),
    )


def _blocks(fields: Fields) -> Step:
    """Return what a step and a step template have in common."""
    return Step(
        where=fields.where,
        bindings=bindings(fields, "bindings"),
        try_=operations(fields, "try", whole=True),
        catch=operations(fields, "catch", whole=False),
        finally_=operations(fields, "finally", whole=False),
        cleanup=operations(fields, "cleanup", whole=False),
    )


def _step_template(use: Fields) -> Step:
    """Return the step that a StepTemplate file describes; files that it names are relative to the test."""
    name = use.string("template")
    where = f"{use.path}:{use.line('template')}"
    if not name or Path(name).is_absolute() or "\0" in name:
        raise ConfigurationError(f"template {name!r} has to be a path relative to the test", where=where)
    path = use.path.parent / name
    if not path.is_file():
        raise ConfigurationError(f"template {name!r}: no such file", where=where, hint=f"looked for {path}")
    documents = read_documents(path)
    if len(documents) != 1:
        raise ConfigurationError(f"expected one StepTemplate, found {len(documents)}", where=str(path))
    document = header(documents[0], path, "StepTemplate", ("v1alpha1",))
    if document.given("metadata"):
        Fields(document.node("metadata"), path, "metadata", OBJECT_METADATA)
    document.require("spec")
    known = ("bindings", "try", "catch", "finally", "cleanup")
    spec = Fields(document.node("spec"), path, "spec of a StepTemplate", known)
    spec.require("try")
    return _blocks(spec)


def timeouts_of(fields: Fields) -> Timeouts:
    """Return the ``timeouts`` of a test, a step or a Configuration."""
    if not fields.given("timeouts"):
        return Timeouts()
    known = ("apply", "assert", "cleanup", "delete", "error", "exec")
    own = Fields(fields.node("timeouts"), fields.path, "timeouts", known)
    return Timeouts(*(own.duration(name) for name in known))
