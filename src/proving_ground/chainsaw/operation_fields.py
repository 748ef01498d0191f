"""Operations of a Test file: from YAML to `proving_ground.chainsaw.model`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proving_ground.chainsaw.common_fields import (
    PROPAGATION,
    bindings,
    check_resource,
    clusters,
    expectations,
    outputs,
    refuse_compiler,
    resource_ref,
)
from proving_ground.chainsaw.documents import Node, Where
from proving_ground.chainsaw.fields import Fields
from proving_ground.chainsaw.jsonpaths import PathSyntaxError, parse_path, parse_value
from proving_ground.chainsaw.model import (
    Apply,
    Assert,
    Command,
    Create,
    Delete,
    Describe,
    Error,
    Events,
    Get,
    ObjectQuery,
    ObjectRef,
    Operation,
    Patch,
    PodLogs,
    Proxy,
    Script,
    Sleep,
    Update,
    Wait,
)
from proving_ground.chainsaw.notation import parse_marked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["PROPAGATION", "bindings", "check_resource", "clusters", "operations", "refuse_compiler"]

_CLUSTERS = ("cluster", "clusters")


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
    known = {"description", "compiler", *kinds, *(("continueOnError",) if whole else ())}
    refused = {} if whole else dict.fromkeys(("continueOnError", *_TRY_ONLY), "Chainsaw has it in try alone")
    fields = Fields(node, path, f"an operation of {block}", known, refused)
    refuse_compiler(fields)
    kind = fields.require_one(*sorted(kinds))
    common: dict[str, Any] = {
        "where": Where(path, fields.line(kind)),
        "description": fields.string("description"),
        "continue_on_error": fields.boolean("continueOnError") or False if whole else False,
    }
    return _READERS[kind](fields.node(kind), path, common)


def _common(fields: Fields, common: dict[str, Any]) -> dict[str, Any]:
    chosen, registered = clusters(fields)
    return {
        **common,
        "cluster": chosen,
        "clusters": registered,
        "timeout": fields.duration("timeout"),
        "bindings": bindings(fields, "bindings"),
        "outputs": outputs(fields),
    }


_WRITING = (*_CLUSTERS, "bindings", "outputs", "timeout", "file", "resource", "template", "expect", "dryRun")


def _writing(node: Node, path: Path, what: str, *further: str) -> tuple[Fields, dict[str, Any]]:
    fields = Fields(node, path, what, (*_WRITING, *further))
    return fields, {
        "ref": resource_ref(fields, tree=False),
        "template": fields.boolean("template"),
        "expect": expectations(fields),
        "dry_run": fields.boolean("dryRun") or False,
    }


def _apply(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields, own = _writing(node, path, "apply")
    return Apply(**_common(fields, common), **own)


def _create(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields, own = _writing(node, path, "create")
    return Create(**_common(fields, common), **own)


def _patch(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields, own = _writing(node, path, "patch", "subresource")
    return Patch(**_common(fields, common), **own, subresource=fields.string("subresource"))


def _update(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields, own = _writing(node, path, "update")
    return Update(**_common(fields, common), **own)


_COMPARING = (*_CLUSTERS, "bindings", "timeout", "file", "resource", "template")


def _assert(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields = Fields(node, path, "assert", _COMPARING)
    ref = resource_ref(fields, tree=True)
    return Assert(**_common(fields, common), ref=ref, template=fields.boolean("template"))


def _error(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields = Fields(node, path, "error", _COMPARING)
    ref = resource_ref(fields, tree=True)
    return Error(**_common(fields, common), ref=ref, template=fields.boolean("template"))


def _delete(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    known = ("bindings", "timeout", "ref", "file", "template", "expect", "deletionPropagationPolicy")
    fields = Fields(node, path, "delete", (*_CLUSTERS, *known))
    given = fields.require_one("ref", "file")
    return Delete(
        **_common(fields, common),
        ref=_object_ref(fields.node("ref"), path) if given == "ref" else None,
        file=fields.expression_string("file") if given == "file" else None,
        template=fields.boolean("template"),
        expect=expectations(fields),
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


_RUNNING = (
    *(*_CLUSTERS, "bindings", "outputs", "timeout", "env", "check", "skipLogOutput", "skipCommandOutput"),
    "workDir",
)


def _running(fields: Fields) -> dict[str, Any]:
    return {
        "env": bindings(fields, "env"),
        "check": fields.tree("check"),
        "skip_log_output": fields.boolean("skipLogOutput") or False,
        "skip_command_output": fields.boolean("skipCommandOutput") or False,
        "work_dir": fields.optional_string("workDir"),
    }


def _script(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields = Fields(
        node, path, "script", (*_RUNNING, "content", "shell", "shellArgs"), {"file": "write its path into content"}
    )
    fields.require("content")
    own = _running(fields)
    if fields.given("shell"):
        own["shell"] = fields.string("shell")
        if not own["shell"]:
            raise fields.error("shell of script is empty", fields.line("shell"), "leave it out for sh")
    if fields.given("shellArgs"):
        own["shell_args"] = fields.strings("shellArgs")
    return Script(**_common(fields, common), **own, content=fields.string("content"))


def _command(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields = Fields(node, path, "command", (*_RUNNING, "entrypoint", "args"))
    fields.require("entrypoint")
    args = fields.strings("args")
    return Command(**_common(fields, common), **_running(fields), entrypoint=fields.string("entrypoint"), args=args)


def _sleep(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields = Fields(node, path, "sleep", ("duration",))
    fields.require("duration")
    return Sleep(**_common(fields, common), duration=fields.duration("duration", zero=True) or 0.0)


_GOALS = ("condition", "creation", "deletion", "jsonPath")
_QUERY = (*_CLUSTERS, "timeout", "apiVersion", "kind", "name", "namespace", "selector")


_REPLACED = {"resource": "Chainsaw has replaced it by apiVersion and kind"}


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


def _format(fields: Fields) -> str:
    text = fields.expression_string("format")
    if text and text not in {"json", "yaml"} and parse_marked(text) is None:
        found = f"format of {fields.what} has to be one of json, yaml, found {text!r}"
        raise fields.error(found, fields.line("format"))
    return text


def _describe(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields = Fields(node, path, "describe", (*_QUERY, "showEvents"), _REPLACED)
    show = fields.boolean("showEvents")
    return Describe(**_common(fields, common), ref=_query(fields), show_events=show is not False)


def _get(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields = Fields(node, path, "get", (*_QUERY, "format"), _REPLACED)
    return Get(**_common(fields, common), ref=_query(fields), format=_format(fields))


def _events(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields = Fields(node, path, "events", (*_CLUSTERS, "timeout", "name", "namespace", "selector", "format"))
    _name_or_selector(fields)
    return Events(
        **_common(fields, common),
        name=fields.expression_string("name"),
        namespace=fields.expression_string("namespace"),
        selector=fields.expression_string("selector"),
        format=_format(fields),
    )


def _pod_logs(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    known = (*_CLUSTERS, "timeout", "name", "namespace", "selector", "container", "tail")
    fields = Fields(node, path, "podLogs", known)
    _name_or_selector(fields)
    return PodLogs(
        **_common(fields, common),
        name=fields.expression_string("name"),
        namespace=fields.expression_string("namespace"),
        selector=fields.expression_string("selector"),
        container=fields.expression_string("container"),
        tail=fields.integer("tail", -1),
    )


def _wait(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    fields = Fields(node, path, "wait", (*_QUERY, "format", "for"), _REPLACED)
    fields.require("for")
    wanted = Fields(fields.node("for"), path, "for", _GOALS)
    kind = wanted.require_one(*_GOALS)
    own: dict[str, Any] = {}
    if kind in {"creation", "deletion"}:
        Fields(wanted.node(kind), path, kind, ())
        own[kind] = True
    elif kind == "condition":
        own["condition"] = _named(Fields(wanted.node(kind), path, kind, ("name", "value")), "name", "")
    else:
        own["json_path"] = _json_path(Fields(wanted.node(kind), path, kind, ("path", "value")))
    return Wait(**_common(fields, common), **own, ref=_query(fields), format=_format(fields))


def _json_path(fields: Fields) -> tuple[str, str | None]:
    path, value = _named(fields, "path", None)
    for name, written, parse in (("path", path, parse_path), ("value", value, parse_value)):
        if written is not None and parse_marked(written) is None:
            try:
                parse(written)
            except PathSyntaxError as error:
                raise fields.error(f"{name} of {fields.what}: {error}", fields.line(name)) from None
    return path, value


def _named(fields: Fields, name: str, default: str | None) -> tuple[str, str | None]:
    """Return what is waited for and its value."""
    fields.require(name)
    if not fields.given("value"):
        return fields.expression_string(name), default
    value = fields.expression_string("value")
    if not value:
        raise fields.error(f"value of {fields.what} is empty", fields.line("value"), "leave it out")
    return fields.expression_string(name), value


def _proxy(node: Node, path: Path, common: dict[str, Any]) -> Operation:
    known = ("timeout", "outputs", "apiVersion", "kind", "name", "namespace", "port", "path")
    fields = Fields(node, path, "proxy", (*_CLUSTERS, *known), _REPLACED)
    fields.require("apiVersion", "kind", "name")
    for name, possible in (("apiVersion", ("v1",)), ("kind", ("Pod", "Service"))):
        value = fields.expression_string(name)
        if parse_marked(value) is None and value not in possible:
            reason = "only Pod and Service of v1 can be reached through the API server"
            raise fields.error(f"{name} of proxy is {value!r}: {reason}", fields.line(name))
    return Proxy(
        **_common(fields, common),
        api_version=fields.expression_string("apiVersion"),
        object_kind=fields.expression_string("kind"),
        name=fields.expression_string("name"),
        namespace=fields.expression_string("namespace"),
        port=fields.expression_string("port"),
        path=fields.expression_string("path"),
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
    "patch": _patch,
    "podLogs": _pod_logs,
    "proxy": _proxy,
    "script": _script,
    "sleep": _sleep,
    "update": _update,
    "wait": _wait,
}
_TRY_ONLY = ("apply", "assert", "create", "error", "patch", "proxy", "update")
