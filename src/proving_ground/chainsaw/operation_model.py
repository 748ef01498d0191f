"""What operations of a Test file say, typed; see `proving_ground.chainsaw.model` for the rest and for its rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proving_ground.chainsaw.assertions import Tree
    from proving_ground.chainsaw.documents import Where
    from proving_ground.chainsaw.templates import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A name for a value; ``name`` may be ``(expr)``. Also an environment variable of a script."""

    name: str
    value: Template
    where: Where


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A binding that later operations of the step see, where ``match`` holds for the result."""

    name: str
    value: Template
    match: Tree | None
    where: Where


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the result of an operation has to be, where ``match`` holds for it."""

    match: Tree | None
    check: Tree
    where: Where


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRef:
    """Where resources come from: exactly one of a file (a path or a glob, may be ``(expr)``) and a resource."""

    file: str | None
    resource: dict[str, Any] | None
    where: Where


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRef:
    """Objects to delete: of a kind, by name, else by labels, else all in the namespace. Texts may be ``(expr)``."""

    api_version: str
    kind: str
    name: str
    namespace: str
    labels: Mapping[str, str]
    where: Where


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectQuery:
    """Objects to show: of a kind, by name or by a label selector. Texts may be ``(expr)``."""

    api_version: str
    kind: str
    name: str
    namespace: str
    selector: str
    where: Where


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterEntry:
    """A cluster that is registered under a name.

    Args:
        name: What ``cluster`` fields call it.
        kubeconfig: Path relative to the test's folder; empty: the kubeconfig of the run. May be ``(expr)``.
        context: Context in it; empty: its current one. May be ``(expr)``.
        where: Its line.
    """

    name: str
    kubeconfig: str
    context: str
    where: Where


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operation:
    """What every operation has."""

    kind: ClassVar[str] = ""

    where: Where
    cluster: str = ""
    clusters: tuple[ClusterEntry, ...] = ()
    description: str = ""
    continue_on_error: bool = False
    timeout: float | None = None
    bindings: tuple[Binding, ...] = ()
    outputs: tuple[Output, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writing(_Operation):
    """What operations have that write resources."""

    ref: ResourceRef
    template: bool | None = None
    expect: tuple[Expectation, ...] = ()
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looking(_Operation):
    """What operations have that compare resources."""

    ref: ResourceRef
    template: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running(_Operation):
    """What operations have that start a program."""

    env: tuple[Binding, ...] = ()
    check: Tree | None = None
    skip_log_output: bool = False
    skip_command_output: bool = False
    work_dir: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Apply(_Writing):
    """Create or change resources."""

    kind: ClassVar[str] = "apply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(_Writing):
    """Create resources, which must not exist."""

    kind: ClassVar[str] = "create"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch(_Writing):
    """Merge into resources, which must exist; ``subresource`` (``status``, ...) takes the patch where it is given."""

    kind: ClassVar[str] = "patch"

    subresource: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update(_Writing):
    """Replace resources, which must exist."""

    kind: ClassVar[str] = "update"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assert(_Looking):
    """Wait until an object is as expected."""

    kind: ClassVar[str] = "assert"


@dataclass(frozen=True, slots=True, kw_only=True)
class Error(_Looking):
    """Wait until no object is as described."""

    kind: ClassVar[str] = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete(_Operation):
    """Delete objects and wait until they are gone; exactly one of ``ref`` and ``file`` is given."""

    kind: ClassVar[str] = "delete"

    ref: ObjectRef | None = None
    file: str | None = None
    template: bool | None = None
    expect: tuple[Expectation, ...] = ()
    propagation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Script(_Running):
    """Run ``shell shell_args content``."""

    kind: ClassVar[str] = "script"

    content: str
    shell: str = "sh"
    shell_args: tuple[str, ...] = ("-c",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(_Running):
    """Run a program."""

    kind: ClassVar[str] = "command"

    entrypoint: str
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleep(_Operation):
    """Wait, whatever happens."""

    kind: ClassVar[str] = "sleep"

    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Describe(_Operation):
    """Show objects with their events."""

    kind: ClassVar[str] = "describe"

    ref: ObjectQuery
    show_events: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Get(_Operation):
    """Show objects; ``format`` is json, yaml or empty."""

    kind: ClassVar[str] = "get"

    ref: ObjectQuery
    format: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Events(_Operation):
    """Show events of a namespace."""

    kind: ClassVar[str] = "events"

    name: str = ""
    namespace: str = ""
    selector: str = ""
    format: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodLogs(_Operation):
    """Show logs of pods."""

    kind: ClassVar[str] = "podLogs"

    name: str = ""
    namespace: str = ""
    selector: str = ""
    container: str = ""
    tail: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(_Operation):
    """Wait for a condition, a JSON path, the creation or the deletion of objects, as ``kubectl wait`` does.

    Args:
        condition: Type and wanted status of the condition (status empty: ``True``); None: not waited for.
        json_path: Path and wanted value (value None: any); None: not waited for.
        creation: Whether there has to be one.
        deletion: Whether the objects have to go.
        format: Of what is shown at the end: json, yaml or empty.
    """

    kind: ClassVar[str] = "wait"

    ref: ObjectQuery
    condition: tuple[str, str] | None = None
    json_path: tuple[str, str | None] | None = None
    creation: bool = False
    deletion: bool = False
    format: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy(_Operation):
    """Ask a pod or service through the API server's proxy; texts may be ``(expr)``."""

    kind: ClassVar[str] = "proxy"

    api_version: str
    object_kind: str
    name: str
    namespace: str
    port: str
    path: str


Operation = (
    Apply
    | Create
    | Patch
    | Update
    | Assert
    | Error
    | Delete
    | Script
    | Command
    | Sleep
    | Describe
    | Get
    | Events
    | PodLogs
    | Wait
    | Proxy
)
