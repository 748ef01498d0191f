"""Operations of a Test file: from YAML to `proving_ground.chainsaw.model`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from proving_ground.chainsaw.documents import Mapping, Node, Where, plain
from proving_ground.chainsaw.fields import Fields, template_of, tree_of
from proving_ground.chainsaw.model import (
    Apply,
    Assert,
    Binding,
    Command,
    Create,
    Delete,
    Describe,
    Error,
    Events,
    Expectation,
    Get,
    ObjectQuery,
    ObjectRef,
    Operation,
    Output,
    PodLogs,
    ResourceRef,
    Script,
    Sleep,
)
from proving_ground.chainsaw.notation import parse_marked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_CLUSTERS = ("cluster", "clusters")
_NOT_YET = ("patch", "update", "wait", "proxy")
PROPAGATION = ("Orphan", "Background", "Foreground")
_NAME = re.compile(r"\w+", re.ASCII)


def operations(fields: Fields, name: str, *, whole: bool) -> tuple[Operation, ...]:
    """Return the operations of a list.

    Args:
        fields: The step or test that has it.
        name: ``try``, ``catch``, ``finally`` or ``cleanup``.
        whole: Whether every kind may stand in it, as in ``try``.

    Raises:
        ConfigurationError: One is wrong or not supported.
    """
    return tuple(_operation(node, fields.path, name, whole=whole) for node in fields.items(name))


def _operation(node: Node, path: Path, block: str, *, whole: bool) -> Operation:
    kinds = _READERS.keys() if whole else _READERS.keys() - _TRY_ONLY
    known = {"description", "continueOnError", *kinds} if whole else {"description", *kinds}
    what = f"an operation of {block}"
    fields = Fields(
        node, path, what, known, ("compiler", *_NOT_YET, *(() if whole else ("continueOnError", *_TRY_ONLY)))
    )
    kind = fields.require_one(*sorted(kinds))
    common: dict[str, Any] = {
        "where": Where(path, fields.line(kind)),
        "description": fields.string("description"),
        "continue_on_error": fields.boolean("continueOnError") or False if whole else False,
    }
    return _READERS[kind](fields.node(kind), path, common)


def _common(fields: Fields, common: dict[str, Any]) -> dict[str, Any]:
    return {
        **common,
        "timeout": fields.duration("timeout"),
        "bindings": bindings(fields, "bindings"),
        "outputs": _outputs(fields),
    }


def bindings(fields: Fields, name: str) -> tuple[Binding, ...]:
    """Return the bindings, or environment variables, of a list."""
    result = []
    for node in fields.items(name):
        binding = Fields(node, fields.path, "a binding", ("name", "value"), ("compiler",))
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


def _outputs(fields: Fields) -> tuple[Output, ...]:
    result = []
    for node in fields.items("outputs"):
        output = Fields(node, fields.path, "an output", ("name", "value", "match"), ("compiler",))
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


def _expectations(fields: Fields) -> tuple[Expectation, ...]:
    result = []
    for node in fields.items("expect"):
        expectation = Fields(node, fields.path, "an expectation", ("match", "check"))
        expectation.require("check")
        check = tree_of(expectation.node("check"), fields.path)
        result.append(Expectation(match=expectation.tree("match"), check=check, where=expectation.where))
    return tuple(result)


def _resource_ref(fields: Fields, *, tree: bool) -> ResourceRef:
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


_WRITING = ("bindings", "outputs", "timeout", "file", "resource", "template", "expect", "dryRun")


def _writing(node: Node, path: Path, what: str) -> tuple[Fields, dict[str, Any]]:
    fields = Fields(node, path, what, _WRITING, _CLUSTERS)
    return fields, {
        "ref": _resource_ref(fields, tree=False),
        "template": fields.boolean("template"),
        "expect": _expectations(fields),
        "dry_run": fields.boolean("dryRun") or False,
    }


def _apply(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields, own = _writing(node, path, "apply")
    return Apply(**_common(fields, common), **own)


def _create(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields, own = _writing(node, path, "create")
    return Create(**_common(fields, common), **own)


_COMPARING = ("bindings", "timeout", "file", "resource", "template")


def _assert(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields = Fields(node, path, "assert", _COMPARING, _CLUSTERS)
    ref = _resource_ref(fields, tree=True)
    return Assert(**_common(fields, common), ref=ref, template=fields.boolean("template"))


def _error(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields = Fields(node, path, "error", _COMPARING, _CLUSTERS)
    ref = _resource_ref(fields, tree=True)
    return Error(**_common(fields, common), ref=ref, template=fields.boolean("template"))


def _delete(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    known = ("bindings", "timeout", "ref", "file", "template", "expect", "deletionPropagationPolicy")
    fields = Fields(node, path, "delete", known, _CLUSTERS)
    given = fields.require_one("ref", "file")
    return Delete(
        **_common(fields, common),
        ref=_object_ref(fields.node("ref"), path) if given == "ref" else None,
        file=fields.expression_string("file") if given == "file" else None,
        template=fields.boolean("template"),
        expect=_expectations(fields),
        propagation=fields.one_of("deletionPropagationPolicy", *PROPAGATION),
    )


def _object_ref(node: Node, path: Path) -> ObjectRef:
    fields = Fields(node, path, "ref", ("apiVersion", "kind", "name", "namespace", "labels"))
    fields.require("apiVersion", "kind")
    return ObjectRef(
        api_version=fields.expression_string("apiVersion"),
        kind=fields.expression_string("kind"),
        name=fields.expression_string("name"),
        namespace=fields.expression_string("namespace"),
        labels=fields.string_map("labels", expressions=True),
        where=fields.where,
    )


_RUNNING = ("bindings", "outputs", "timeout", "env", "check", "skipLogOutput", "skipCommandOutput", "workDir")


def _running(fields: Fields) -> dict[str, Any]:
    return {
        "env": bindings(fields, "env"),
        "check": fields.tree("check"),
        "skip_log_output": fields.boolean("skipLogOutput") or False,
        "skip_command_output": fields.boolean("skipCommandOutput") or False,
        "work_dir": fields.optional_string("workDir"),
    }


def _script(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields = Fields(node, path, "script", (*_RUNNING, "content"), (*_CLUSTERS, "shell", "shellArgs", "file"))
    fields.require("content")
    return Script(**_common(fields, common), **_running(fields), content=fields.string("content"))


def _command(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields = Fields(node, path, "command", (*_RUNNING, "entrypoint", "args"), _CLUSTERS)
    fields.require("entrypoint")
    args = fields.strings("args")
    return Command(**_common(fields, common), **_running(fields), entrypoint=fields.string("entrypoint"), args=args)


def _sleep(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields = Fields(node, path, "sleep", ("duration",))
    fields.require("duration")
    return Sleep(**_common(fields, common), duration=fields.duration("duration", zero=True) or 0.0)


_QUERY = ("timeout", "apiVersion", "kind", "name", "namespace", "selector")


def _query(fields: Fields) -> ObjectQuery:
    fields.require("apiVersion", "kind")
    _name_or_selector(fields)
    return ObjectQuery(
        api_version=fields.expression_string("apiVersion"),
        kind=fields.expression_string("kind"),
        name=fields.expression_string("name"),
        namespace=fields.expression_string("namespace"),
        selector=fields.expression_string("selector"),
        where=fields.where,
    )


def _name_or_selector(fields: Fields) -> None:
    if fields.given("name") and fields.given("selector"):
        raise fields.error(f"{fields.what} has both name and selector", fields.line("selector"), "give one of them")


def _describe(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields = Fields(node, path, "describe", (*_QUERY, "showEvents"), (*_CLUSTERS, "resource"))
    show = fields.boolean("showEvents")
    return Describe(**_common(fields, common), ref=_query(fields), show_events=show is not False)


def _get(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields = Fields(node, path, "get", (*_QUERY, "format"), (*_CLUSTERS, "resource"))
    return Get(**_common(fields, common), ref=_query(fields), format=fields.one_of("format", "json", "yaml") or "")


def _events(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields = Fields(node, path, "events", ("timeout", "name", "namespace", "selector", "format"), _CLUSTERS)
    _name_or_selector(fields)
    return Events(
        **_common(fields, common),
        name=fields.expression_string("name"),
        namespace=fields.expression_string("namespace"),
        selector=fields.expression_string("selector"),
        format=fields.one_of("format", "json", "yaml") or "",
    )


def _pod_logs(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    known = ("timeout", "name", "namespace", "selector", "container", "tail")
    fields = Fields(node, path, "podLogs", known, _CLUSTERS)
    _name_or_selector(fields)
    return PodLogs(
        **_common(fields, common),
        name=fields.expression_string("name"),
        namespace=fields.expression_string("namespace"),
        selector=fields.expression_string("selector"),
        container=fields.expression_string("container"),
        tail=fields.integer("tail", -1),
    )


_READERS: dict[str, Callable[[Node, Path, dict[str, Any]], Operation]] = {
    "apply": _apply,
    "assert": _assert,
    "command": _command,
    "create": _create,
    "delete": _delete,
    "describe": _describe,
    "error": _error,
    "events": _events,
    "get": _get,
    "podLogs": _pod_logs,
    "script": _script,
    "sleep": _sleep,
}
_TRY_ONLY = ("apply", "assert", "create", "error")
