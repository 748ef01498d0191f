"""What several operations, steps and tests have in common: from YAML to `proving_ground.chainsaw.model`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from proving_ground.chainsaw.documents import Mapping, Node, Scalar, Where, plain
from proving_ground.chainsaw.fields import Fields, template_of, tree_of
from proving_ground.chainsaw.model import Binding, ClusterEntry, Expectation, Output, ResourceRef
from proving_ground.chainsaw.notation import parse_marked

if TYPE_CHECKING:
    from pathlib import Path

PROPAGATION = ("Orphan", "Background", "Foreground")
_NAME = re.compile(r"\w+", re.ASCII)
_COMPILER = "jp"


def refuse_compiler(fields: Fields, name: str = "compiler") -> None:
    """Take a field that names the language of expressions: only the default, JMESPath, can be run.

    Raises:
        ConfigurationError: It names another one.
    """
    chosen = fields.optional_string(name)
    if chosen is not None and chosen != _COMPILER:
        reason = "expressions can be JMESPath only" if chosen == "cel" else "there is no such language"
        hint = f"{name}: {_COMPILER}, or leave it out"
        raise fields.error(f"{name} of {fields.what} is {chosen!r}: {reason}", fields.line(name), hint)


def clusters(fields: Fields) -> tuple[str, tuple[ClusterEntry, ...]]:
    """Return the cluster that is meant (empty: the outer one; may be ``(expr)``), and those that are registered.

    Args:
        fields: What may have ``cluster`` and ``clusters``: an operation, a step, a test, a Configuration.

    Raises:
        ConfigurationError: An entry has no name, or is not what it should be.
    """
    chosen = fields.expression_string("cluster")
    if fields.given("cluster") and not chosen:
        raise fields.error(f"cluster of {fields.what} is empty", fields.line("cluster"), "leave it out")
    if not fields.given("clusters"):
        return chosen, ()
    node, found = fields.node("clusters"), []
    if not isinstance(node, Mapping):
        raise fields.error(f"clusters of {fields.what} has to map names to kubeconfigs", node.line)
    for name, entry in node.entries.items():
        if not name:
            raise fields.error(f"clusters of {fields.what} has an entry without a name", entry.line)
        inner = entry.node
        if isinstance(inner, Scalar) and inner.value is None:
            inner = Mapping({}, entry.line)
        one = Fields(inner, fields.path, f"cluster {name!r}", ("kubeconfig", "context"))
        found.append(
            ClusterEntry(
                name=name,
                kubeconfig=one.expression_string("kubeconfig"),
                context=one.expression_string("context"),
                where=Where(fields.path, entry.line),
            )
        )
    return chosen, tuple(found)


def bindings(fields: Fields, name: str) -> tuple[Binding, ...]:
    """Return the bindings, or environment variables, of a list."""
    result = []
    for node in fields.items(name):
        binding = Fields(node, fields.path, "a binding", ("name", "value", "compiler"))
        refuse_compiler(binding)
        binding.require("name")
        if "value" not in binding.entries:
            binding.require("value")
        result.append(Binding(name=_binding_name(binding), value=binding.template("value"), where=binding.where))
    return tuple(result)


def _binding_name(binding: Fields) -> str:
    name = binding.expression_string("name")
    if parse_marked(name) is None and _NAME.fullmatch(name) is None:
        hint = "letters, digits and underscores"
        raise binding.error(f"{name!r} is not a name of {binding.what}", binding.line("name"), hint)
    return name


def outputs(fields: Fields) -> tuple[Output, ...]:
    """Return the outputs of an operation."""
    result = []
    for node in fields.items("outputs"):
        output = Fields(node, fields.path, "an output", ("name", "value", "match", "compiler"))
        refuse_compiler(output)
        output.require("name", "value")
        result.append(
            Output(
                name=_binding_name(output),
                value=output.template("value"),
                match=output.tree("match"),
                where=output.where,
            )
        )
    return tuple(result)


def expectations(fields: Fields) -> tuple[Expectation, ...]:
    """Return what the result of an operation is held against."""
    result = []
    for node in fields.items("expect"):
        expectation = Fields(node, fields.path, "an expectation", ("match", "check"))
        expectation.require("check")
        check = tree_of(expectation.node("check"), fields.path)
        result.append(Expectation(match=expectation.tree("match"), check=check, where=expectation.where))
    return tuple(result)


def resource_ref(fields: Fields, *, tree: bool) -> ResourceRef:
    """Return where an operation's resources come from; inline ones have their expressions checked."""
    if fields.require_one("file", "resource") == "file":
        return ResourceRef(file=fields.expression_string("file"), resource=None, where=fields.where)
    node = fields.node("resource")
    check_resource(node, fields.path, tree=tree, template=fields.boolean("template") is not False)
    return ResourceRef(file=None, resource=plain(node), where=Where(fields.path, node.line))


def check_resource(node: Node, path: Path, *, tree: bool, template: bool = True) -> None:
    """Refuse a resource that cannot be one.

    Args:
        node: The resource.
        path: Its file.
        tree: Whether it is an assertion tree; those may have no kind.
        template: Whether its expressions count.

    Raises:
        ConfigurationError: It is no mapping, has no kind or name, or an expression in it is none.
    """
    fields = _any_fields(node, path, "a resource")
    if tree:
        tree_of(node, path)
    else:
        fields.require("apiVersion", "kind")
        if not fields.string("kind").endswith("List"):
            _check_name(fields)
        if template:
            template_of(node, path)
    for name in ("apiVersion", "kind"):
        fields.string(name)
    if fields.given("metadata"):
        metadata = _any_fields(fields.node("metadata"), path, "metadata")
        for name in ("name", "namespace"):
            metadata.string(name)


def _any_fields(node: Node, path: Path, what: str) -> Fields:
    """Return a mapping whose fields may have any name."""
    return Fields(node, path, what, node.entries if isinstance(node, Mapping) else ())


def _check_name(fields: Fields) -> None:
    fields.require("metadata")
    metadata = _any_fields(fields.node("metadata"), fields.path, "metadata")
    if not metadata.given("generateName"):
        metadata.require("name")
