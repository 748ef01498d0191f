"""Resources and values that test files refer to: other YAML files, read once as long as they do not change."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proving_ground.chainsaw.assertions import Tree, parse_tree
from proving_ground.chainsaw.common_fields import check_resource
from proving_ground.chainsaw.documents import (
    Items,
    Mapping,
    Node,
    Repeated,
    Where,
    parse_documents,
    plain,
    read_text,
)
from proving_ground.chainsaw.errors import ExpressionError
from proving_ground.chainsaw.file_patterns import matching
from proving_ground.chainsaw.model import ResourceRef
from proving_ground.chainsaw.remote_files import is_address, remote_text
from proving_ground.chainsaw.remote_files import shown as shown_address
from proving_ground.chainsaw.templates import Template, parse_template, render_string
from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping as Bindings
    from collections.abc import Sequence

    from proving_ground.chainsaw.lookups import ClusterCalls


@dataclass(frozen=True)
class Resource:
    """A resource, or an assertion tree, as written: its expressions are not evaluated.

    Args:
        obj: It.
        where: Its first line.
    """

    obj: dict[str, Any]
    where: Where

    @cached_property
    def tree(self) -> Tree:
        """The resource as an assertion tree."""
        return parse_tree(self.obj)

    @cached_property
    def template(self) -> Template:
        """The resource as a template."""
        return parse_template(self.obj)


def load_resources(
    ref: ResourceRef | str,
    directory: Path,
    bindings: Bindings[str, Any] | None = None,
    calls: ClusterCalls | None = None,
    *,
    tree: bool = False,
    template: bool = True,
    remote: bool = False,
) -> tuple[Resource, ...]:
    """Return the resources that an operation refers to.

    Args:
        ref: The reference, or a path or glob alone; may be ``(expr)``.
        directory: What a relative path is relative to: that of the test.
        bindings: What ``$name`` means in it.
        calls: Known answers of the cluster.
        tree: Whether they are assertion trees.
        template: Whether expressions in them count.
        remote: Whether a file at an ``http`` or ``https`` address may be fetched.

    Returns:
        The resources in the order of the files' names and within a file; what has ``items`` is taken apart.

    Raises:
        ConfigurationError: No such file, or what it holds is no resource; names file and line.
        ClusterNeeded: The name asks the cluster something that ``calls`` does not know.
        RemoteNeeded: The file has to be fetched first; `proving_ground.chainsaw.lookups.resolve` does.
    """
    if isinstance(ref, ResourceRef):
        if ref.resource is not None:
            return _inline(ref.resource, ref.where, tree=tree)
        text, where = ref.file or "", str(ref.where)
    else:
        text, where = ref, str(directory)
    try:
        name = render_string(text, bindings or {}, calls)
    except ExpressionError as error:
        raise ConfigurationError(str(error), where=where) from None
    if is_address(name):
        if not remote:
            what = f"file {shown_address(name)!r}: files at an address are fetched only where a run allows it"
            raise ConfigurationError(
                what, where=where, hint="--allow-remote-files does, or keep a copy beside the test"
            )
        return _fetched(name, remote_text(name, where), tree=tree, template=template)
    return tuple(
        resource
        for path in _files(name, directory, where)
        for resource in _read(path, _stamp(path), tree=tree, template=template)
    )


def _inline(obj: dict[str, Any], where: Where, *, tree: bool) -> tuple[Resource, ...]:
    if not tree and _is_list(obj):
        return tuple(Resource(item, where) for item in obj["items"])
    return (Resource(obj, where),)


def _is_list(obj: dict[str, Any]) -> bool:
    return str(obj.get("kind", "")).endswith("List") and isinstance(obj.get("items"), list)


def _files(name: str, directory: Path, where: str) -> list[Path]:
    if not name or Path(name).is_absolute() or "\0" in name:
        raise ConfigurationError(f"file {name!r} has to be a path relative to the test", where=where)
    path = directory / name
    if not any(character in name for character in "*?[\\"):
        if not path.is_file():
            raise ConfigurationError(f"file {name!r}: no such file", where=where, hint=f"looked for {path}")
        return [path]
    try:
        found = matching(name, directory)
    except ValueError as error:
        raise ConfigurationError(f"file {name!r} is not a pattern: {error}", where=where) from None
    for match in found:
        if match.is_dir():
            hint = "a pattern has to match files only: *.yaml instead of *"
            raise ConfigurationError(f"file {name!r} matches the directory {match.name!r}", where=where, hint=hint)
    if not found:
        raise ConfigurationError(f"file {name!r} matches no file", where=where, hint=f"looked in {directory}")
    return found


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=str(path)) from None
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=1024)
def _read(path: Path, _changed: tuple[int, int], *, tree: bool, template: bool) -> tuple[Resource, ...]:
    return _parsed(read_text(path), path, tree=tree, template=template)


@lru_cache(maxsize=256)
def _fetched(address: str, text: str, *, tree: bool, template: bool) -> tuple[Resource, ...]:
    path = Path(shown_address(address))
    try:
        return _parsed(text, path, tree=tree, template=template)
    except ConfigurationError as error:
        where = error.where.replace(str(path), shown_address(address))
        raise ConfigurationError(error.what, where=where, hint=error.hint) from None


def _parsed(text: str, path: Path, *, tree: bool, template: bool) -> tuple[Resource, ...]:
    resources = []
    for document in parse_documents(text, path, []):
        for node in _parts(document):
            check_resource(node, path, tree=tree, template=template)
            resources.append(Resource(plain(node), Where(path, node.line)))
    if not resources:
        raise ConfigurationError("holds no resource", where=str(path))
    return tuple(resources)


def _parts(document: Node) -> list[Node]:
    """Return the items of what has a list of them, as Kubernetes' own decoder does, or the document alone."""
    if isinstance(document, Mapping) and "items" in document.entries:
        items = document.entries["items"].node
        if isinstance(items, Items):
            return items.items
    return [document]


def repeated_keys(path: Path) -> tuple[Repeated, ...]:
    """Return the keys that come again in a file of resources, where the last one counts without a word.

    Raises:
        ConfigurationError: The file cannot be read, or is not YAML.
    """
    repeated: list[Repeated] = []
    parse_documents(read_text(path), path, repeated)
    return tuple(repeated)


def load_values(paths: Sequence[Path]) -> dict[str, Any]:
    """Return the values that tests see as ``$values``.

    Args:
        paths: YAML files; what a later one says replaces what earlier ones say, mapping by mapping.

    Raises:
        ConfigurationError: A file is missing, broken or no mapping; names file and line, never a value.
    """
    values: dict[str, Any] = {}
    for path in paths:
        documents = parse_documents(read_text(path), path)
        if len(documents) > 1:
            where = f"{path}:{documents[1].line}"
            raise ConfigurationError("values have to be one document, found another", where=where)
        for document in documents:
            if not isinstance(document, Mapping):
                where = f"{path}:{document.line}"
                raise ConfigurationError("values have to be a mapping of names to values", where=where)
            values = _merged(values, plain(document))
    return values


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        result[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result
