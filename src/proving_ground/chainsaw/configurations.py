"""Configuration files, of either version: from YAML to `proving_ground.chainsaw.model`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from proving_ground.chainsaw.documents import Mapping, Node, Scalar, Where, read_documents
from proving_ground.chainsaw.fields import Fields
from proving_ground.chainsaw.loader import OBJECT_METADATA, header, timeouts_of
from proving_ground.chainsaw.model import (
    DEFAULT_REPORT_NAME,
    DEFAULT_TEST_FILE,
    DEFAULT_TIMEOUTS,
    ClusterEntry,
    Configuration,
)
from proving_ground.chainsaw.operation_fields import PROPAGATION, clusters, operations, refuse_compiler
from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

REPORT_FORMATS = ("JSON", "XML", "JUNIT-TEST", "JUNIT-STEP", "JUNIT-OPERATION")


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
    document = header(documents[0], path, "Configuration", ("v1alpha1", "v1alpha2"))
    if document.given("metadata"):
        Fields(document.node("metadata"), path, "metadata", OBJECT_METADATA)
    if "spec" not in document.entries:
        document.require("spec")
    spec = document.node("spec")
    if isinstance(spec, Scalar) and spec.value is None:
        spec = Mapping({}, spec.line)
    if document.string("apiVersion").endswith("v1alpha1"):
        return _first_version(spec, path, document.where)
    return _second_version(spec, path, document.where)


def _first_version(node: Node, path: Path, where: Where) -> Configuration:
    known = (
        *("timeouts", "skipDelete", "template", "failFast", "parallel", "deletionPropagationPolicy", "namespace"),
        *("namespaceTemplate", "forceTerminationGracePeriod", "delayBeforeCleanup", "catch", "clusters"),
        *("fullName", "excludeTestRegex", "includeTestRegex", "testFile", "repeatCount"),
        *("reportFormat", "reportPath", "reportName", "compiler", "namespaceTemplateCompiler"),
    )
    spec = Fields(node, path, "spec", known)
    for name in ("compiler", "namespaceTemplateCompiler"):
        refuse_compiler(spec, name)
    return Configuration(
        where=where,
        timeouts=timeouts_of(spec).over(DEFAULT_TIMEOUTS),
        clusters=_clusters(spec),
        test_file=_test_file(spec),
        include_regex=_regex(spec, "includeTestRegex"),
        exclude_regex=_regex(spec, "excludeTestRegex"),
        full_name=spec.boolean("fullName") or False,
        repeat_count=spec.integer("repeatCount", 1) or 1,
        report_format=spec.one_of("reportFormat", *REPORT_FORMATS) or "",
        report_path=spec.string("reportPath"),
        report_name=spec.string("reportName") or DEFAULT_REPORT_NAME,
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


def _second_version(node: Node, path: Path, where: Where) -> Configuration:
    parts = ("cleanup", "clusters", "deletion", "discovery", "error", "execution", "namespace", "report")
    spec = Fields(node, path, "spec", (*parts, "templating", "timeouts"))

    def part(name: str, *known: str) -> Fields:
        inner = spec.node(name) if spec.given(name) else Mapping({}, spec.line(name))
        fields = Fields(inner, path, name, (*known, "compiler") if name in {"namespace", "templating"} else known)
        refuse_compiler(fields, "compiler")
        return fields

    cleanup = part("cleanup", "skipDelete", "delayBeforeCleanup")
    discovery = part("discovery", "excludeTestRegex", "includeTestRegex", "testFile", "fullName")
    execution = part("execution", "failFast", "parallel", "repeatCount", "forceTerminationGracePeriod")
    namespace = part("namespace", "name", "template")
    report = part("report", "format", "path", "name")
    return Configuration(
        where=where,
        timeouts=timeouts_of(spec).over(DEFAULT_TIMEOUTS),
        clusters=_clusters(spec),
        test_file=_test_file(discovery),
        include_regex=_regex(discovery, "includeTestRegex"),
        exclude_regex=_regex(discovery, "excludeTestRegex"),
        full_name=discovery.boolean("fullName") or False,
        repeat_count=execution.integer("repeatCount", 1) or 1,
        report_format=(report.one_of("format", *REPORT_FORMATS) or "JSON") if spec.given("report") else "",
        report_path=report.string("path"),
        report_name=report.string("name") or DEFAULT_REPORT_NAME,
        parallel=execution.integer("parallel", 1),
        fail_fast=execution.boolean("failFast"),
        skip_delete=cleanup.boolean("skipDelete"),
        template=part("templating", "enabled").boolean("enabled"),
        namespace=namespace.string("name"),
        namespace_template=namespace.template("template") if namespace.given("template") else None,
        delay_before_cleanup=cleanup.duration("delayBeforeCleanup", zero=True),
        force_termination_grace_period=execution.duration("forceTerminationGracePeriod", zero=True),
        propagation=part("deletion", "propagation").one_of("propagation", *PROPAGATION),
        catch=operations(part("error", "catch"), "catch", whole=False),
    )


def _clusters(spec: Fields) -> tuple[ClusterEntry, ...]:
    _, entries = clusters(spec)
    return entries


def _test_file(fields: Fields) -> str:
    name = fields.string("testFile") or DEFAULT_TEST_FILE
    if "/" in name or "\\" in name or name in {".", ".."}:
        raise fields.error(f"testFile {name!r} has to be the name of a file, not a path", fields.line("testFile"))
    return name


def _regex(fields: Fields, name: str) -> str:
    text = fields.string(name)
    try:
        re.compile(text)
    except re.error as error:
        raise fields.error(f"{name} is no regular expression: {error}", fields.line(name)) from None
    return text
