"""What a Test file says, typed: ``chainsaw.kyverno.io/v1alpha1`` as far as this engine runs it.

Durations are seconds; a field that was not given is None or empty. Texts that may be ``(expr)`` are kept as
written and rendered when they are needed; everything else that holds expressions is parsed already.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from proving_ground.chainsaw.documents import Where
from proving_ground.chainsaw.operation_model import (
    Apply,
    Assert,
    Binding,
    ClusterEntry,
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
    Patch,
    PodLogs,
    Proxy,
    ResourceRef,
    Script,
    Sleep,
    Update,
    Wait,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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
