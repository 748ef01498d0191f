"""What a Test file says, typed: ``chainsaw.kyverno.io/v1alpha1`` as far as this engine runs it.

Durations are seconds; a field that was not given is None or empty. Texts that may be ``(expr)`` are kept as
written and rendered when they are needed; everything else that holds expressions is parsed already.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from proving_ground.chainsaw.documents import Where

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from proving_ground.chainsaw.assertions import Tree
    from proving_ground.chainsaw.templates import Template

__all__ = [
    "DEFAULT_REPORT_NAME",
    "DEFAULT_TEST_FILE",
    "DEFAULT_TIMEOUTS",
    "Apply",
    "Assert",
    "Binding",
    "ClusterEntry",
    "Command",
    "Configuration",
    "Create",
    "Delete",
    "Describe",
    "Error",
    "Events",
    "Expectation",
    "Get",
    "ObjectQuery",
    "ObjectRef",
    "Operation",
    "Output",
    "Patch",
    "PodLogs",
    "Proxy",
    "ResourceRef",
    "Script",
    "Sleep",
    "Step",
    "Test",
    "Timeouts",
    "Update",
    "Wait",
    "Where",
]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each kind of operation may take, in seconds; None where an outer level decides."""

    apply: float | None = None
    assert_: float | None = None
    cleanup: float | None = None
    delete: float | None = None
    error: float | None = None
    exec: float | None = None

    def over(self, outer: Timeouts) -> Timeouts:
        """Return these, with the outer ones where these say nothing."""
        return Timeouts(
            *(
                theirs if ours is None else ours
                for ours, theirs in (
                    (self.apply, outer.apply),
                    (self.assert_, outer.assert_),
                    (self.cleanup, outer.cleanup),
                    (self.delete, outer.delete),
                    (self.error, outer.error),
                    (self.exec, outer.exec),
                )
            )
        )


#: Chainsaw's own, see https://kyverno.github.io/chainsaw/latest/configuration/options/timeouts/.
DEFAULT_TIMEOUTS = Timeouts(apply=5.0, assert_=30.0, cleanup=30.0, delete=15.0, error=30.0, exec=5.0)


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
class Apply(_Operation):
    """Create or change resources."""

    kind: ClassVar[str] = "apply"

    ref: ResourceRef
    template: bool | None = None
    expect: tuple[Expectation, ...] = ()
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(_Operation):
    """Create resources, which must not exist."""

    kind: ClassVar[str] = "create"

    ref: ResourceRef
    template: bool | None = None
    expect: tuple[Expectation, ...] = ()
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch(_Operation):
    """Merge into resources, which must exist; ``subresource`` (``status``, ...) takes the patch where it is given."""

    kind: ClassVar[str] = "patch"

    ref: ResourceRef
    subresource: str = ""
    template: bool | None = None
    expect: tuple[Expectation, ...] = ()
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Update(_Operation):
    """Replace resources, which must exist."""

    kind: ClassVar[str] = "update"

    ref: ResourceRef
    template: bool | None = None
    expect: tuple[Expectation, ...] = ()
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Assert(_Operation):
    """Wait until an object is as expected."""

    kind: ClassVar[str] = "assert"

    ref: ResourceRef
    template: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Error(_Operation):
    """Wait until no object is as described."""

    kind: ClassVar[str] = "error"

    ref: ResourceRef
    template: bool | None = None


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
class Script(_Operation):
    """Run ``shell shell_args content``."""

    kind: ClassVar[str] = "script"

    content: str
    shell: str = "sh"
    shell_args: tuple[str, ...] = ("-c",)
    env: tuple[Binding, ...] = ()
    check: Tree | None = None
    skip_log_output: bool = False
    skip_command_output: bool = False
    work_dir: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(_Operation):
    """Run a program."""

    kind: ClassVar[str] = "command"

    entrypoint: str
    args: tuple[str, ...] = ()
    env: tuple[Binding, ...] = ()
    check: Tree | None = None
    skip_log_output: bool = False
    skip_command_output: bool = False
    work_dir: str | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Operations that are tried in order, and what is done when one fails, after them, and at the test's end."""

    where: Where
    name: str = ""
    description: str = ""
    timeouts: Timeouts = field(default_factory=Timeouts)
    cluster: str = ""
    clusters: tuple[ClusterEntry, ...] = ()
    bindings: tuple[Binding, ...] = ()
    try_: tuple[Operation, ...] = ()
    catch: tuple[Operation, ...] = ()
    finally_: tuple[Operation, ...] = ()
    cleanup: tuple[Operation, ...] = ()
    template: bool | None = None
    skip_delete: bool | None = None
    propagation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """A Test document, or one scenario of it.

    Args:
        path: The file.
        directory: What relative files are relative to.
        index: Which document of the file, from 0; empty ones do not count.
        occurrence: Which test of this name the file has here, from 1.
        scenario: Which of the document's scenarios this is, from 1.
        scenarios: How many scenarios the document has; 1 where it names none.
    """

    __test__: ClassVar[bool] = False  # pytest takes names like this for its own

    where: Where
    name: str
    path: Path
    directory: Path
    index: int
    occurrence: int = 1
    scenario: int = 1
    scenarios: int = 1
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    fail_fast: bool | None = None
    skip: bool | None = None
    concurrent: bool | None = None
    skip_delete: bool | None = None
    template: bool | None = None
    namespace: str = ""
    namespace_template: Template | None = None
    cluster: str = ""
    clusters: tuple[ClusterEntry, ...] = ()
    bindings: tuple[Binding, ...] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)
    steps: tuple[Step, ...] = ()
    catch: tuple[Operation, ...] = ()
    propagation: str | None = None
    delay_before_cleanup: float | None = None
    force_termination_grace_period: float | None = None

    @property
    def title(self) -> str:
        """The name, with a number where the file has it again, and the scenario's; unique in its file."""
        again = f"#{self.occurrence}" if self.occurrence > 1 else ""
        scenario = f"[{self.scenario}]" if self.scenarios > 1 else ""
        return f"{self.name}{again}{scenario}"


#: Names of files where nobody gives them, chainsaw's own.
DEFAULT_TEST_FILE = "chainsaw-test"
DEFAULT_REPORT_NAME = "chainsaw-report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What holds for every test unless it says otherwise; either version of a Configuration document.

    Args:
        clusters: Paths of their kubeconfigs are relative to the working directory, as on the command line.
        test_file: Name of test files; without an extension ``.yaml`` is tried, then ``.yml``.
        include_regex: Only tests whose name it is found in are run; empty: all.
        exclude_regex: Tests whose name it is found in are not run; empty: none.
        full_name: Whether a test is called by its folder's whole path.
        report_format: ``JSON``, ``XML``, ``JUNIT-TEST``, ``JUNIT-STEP``, ``JUNIT-OPERATION``; empty: none.
    """

    where: Where | None = None
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    clusters: tuple[ClusterEntry, ...] = ()
    test_file: str = DEFAULT_TEST_FILE
    include_regex: str = ""
    exclude_regex: str = ""
    full_name: bool = False
    repeat_count: int = 1
    report_format: str = ""
    report_path: str = ""
    report_name: str = DEFAULT_REPORT_NAME
    parallel: int | None = None
    fail_fast: bool | None = None
    skip_delete: bool | None = None
    template: bool | None = None
    namespace: str = ""
    namespace_template: Template | None = None
    delay_before_cleanup: float | None = None
    force_termination_grace_period: float | None = None
    propagation: str | None = None
    catch: tuple[Operation, ...] = ()
