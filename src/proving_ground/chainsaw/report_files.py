"""Reports as chainsaw writes them: JSON, and JUnit XML with a case for each test, step or operation."""

from __future__ import annotations

import datetime as dt
import json
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proving_ground.errors import InfrastructureError
from proving_ground.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from proving_ground.chainsaw.reporting import Performed


@dataclass(frozen=True, kw_only=True)
class TestReport:
    """How one test ended.

    Attributes:
        name: What it is called.
        folder: Where it lies, as it was named.
        started: Seconds since the epoch.
        seconds: How long it took, clean-up included.
        concurrent: Whether it ran beside others.
        namespace: Its namespace; empty where it had none.
        skipped: Whether it was skipped.
        message: Why it did not pass; empty where it did.
        operations: What it did, in order.
    """

    __test__ = False  # pytest: this is no test class

    name: str
    folder: str
    started: float
    seconds: float
    concurrent: bool = True
    namespace: str = ""
    skipped: bool = False
    message: str = ""
    operations: tuple[Performed, ...] = ()

    @property
    def steps(self) -> dict[str, list[Performed]]:
        """The operations by the name of their step, clean-up and catch with it."""
        steps: dict[str, list[Performed]] = {}
        for operation in self.operations:
            steps.setdefault(step_name(operation.step), []).append(operation)
        return steps

    @property
    def other_failure(self) -> str:
        """Why it did not pass, where no operation says so."""
        return "" if any(operation.failure for operation in self.operations) else self.message


def step_name(told: str) -> str:
    """Return the name of a step as chainsaw has it: ``step-1`` where it has none of its own."""
    text, _, _ = told.rpartition(", ") if told.endswith((", catch", ", finally", ", cleanup")) else (told, "", "")
    if text.startswith('step "') and text.endswith('"'):
        return text[len('step "') : -1]
    return text.replace("step ", "step-", 1)


def write(path: Path, form: str, name: str, tests: Sequence[TestReport]) -> None:
    """Write a report.

    Args:
        path: Where.
        form: ``JSON``, ``XML``, ``JUNIT-TEST``, ``JUNIT-STEP`` or ``JUNIT-OPERATION``.
        name: Of the report.
        tests: What it tells.

    Raises:
        InfrastructureError: The file cannot be written.
    """
    text = as_json(name, tests) if form == "JSON" else as_junit(name, tests, form)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InfrastructureError(f"the report cannot be written: {error.strerror}", where=str(path)) from error


def file_of(directory: Path, folder: str, name: str, form: str) -> Path:
    """Return where a report goes: the name gets an extension where it has none."""
    if not Path(name).suffix:
        name += ".json" if form == "JSON" else ".xml"
    return directory / folder / name


def as_json(name: str, tests: Sequence[TestReport]) -> str:
    """Return a report in chainsaw's own form."""
    document = {"name": name, **_span(tests), "tests": [_test(test) for test in tests]}
    return json.dumps(document, indent=2) + "\n"


def _test(test: TestReport) -> dict[str, Any]:
    found: dict[str, Any] = {
        "basePath": test.folder,
        "name": test.name,
        "concurrent": test.concurrent,
        "startTime": _time(test.started),
        "endTime": _time(test.started + test.seconds),
    }
    if test.namespace:
        found["namespace"] = test.namespace
    if test.skipped:
        found["skipped"] = True
    steps = [_step(name, operations) for name, operations in test.steps.items()]
    if test.other_failure:
        # Chainsaw's form has no place for what belongs to no operation.
        where = {"startTime": found["startTime"], "endTime": found["endTime"]}
        failed = {"name": "test", "type": "test", **where, "failure": {"error": test.other_failure}}
        steps.append({"name": "test", **where, "operations": [failed]})
    if steps:
        found["steps"] = steps
    return found


def _step(name: str, operations: Sequence[Performed]) -> dict[str, Any]:
    return {
        "name": name,
        "startTime": _time(min(each.started for each in operations)),
        "endTime": _time(max(each.started + each.seconds for each in operations)),
        "operations": [_operation(each) for each in operations],
    }


def _operation(operation: Performed) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": f"line {operation.where.line}",
        "type": operation.kind,
        "startTime": _time(operation.started),
        "endTime": _time(operation.started + operation.seconds),
    }
    if operation.failure:
        found["failure"] = {"error": operation.failure}
    return found


def _span(tests: Iterable[TestReport]) -> dict[str, str]:
    spans = [(test.started, test.started + test.seconds) for test in tests] or [(0.0, 0.0)]
    return {"startTime": _time(min(begin for begin, _ in spans)), "endTime": _time(max(end for _, end in spans))}


def _time(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat().replace("+00:00", "Z")


def as_junit(name: str, tests: Sequence[TestReport], form: str) -> str:
    """Return a report as JUnit XML.

    By test: a suite for each folder and a case for each test. By step or operation: a suite for each test.
    """
    root = ET.Element("testsuites", {"name": clean(name)})
    if form in {"XML", "JUNIT-TEST"}:
        for folder in dict.fromkeys(test.folder for test in tests):
            suite = ET.SubElement(root, "testsuite", {"name": clean(folder)})
            for test in tests:
                if test.folder == folder:
                    failures = [each.failure for each in test.operations if each.failure]
                    _case(suite, test.name, folder, test.seconds, _all(failures, test), skipped=test.skipped)
    else:
        for test in tests:
            suite = ET.SubElement(root, "testsuite", {"name": clean(test.name), "package": clean(test.folder)})
            suite.set("timestamp", _time(test.started))
            if test.namespace:
                properties = ET.SubElement(suite, "properties")
                ET.SubElement(properties, "property", {"name": "namespace", "value": test.namespace})
            _parts(suite, test, form)
    for suite in root:
        _count(suite)
    _count(root)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _all(failures: Sequence[str], test: TestReport) -> str:
    return "\n\n".join(failures) or test.message


def _parts(suite: ET.Element, test: TestReport, form: str) -> None:
    if test.skipped:
        _case(suite, test.name, test.folder, test.seconds, "", skipped=True)
        return
    for step, operations in test.steps.items():
        if form == "JUNIT-STEP":
            failure = "\n\n".join(each.failure for each in operations if each.failure)
            _case(suite, step, test.name, sum(each.seconds for each in operations), failure)
            continue
        for each in operations:
            _case(suite, f"{step} / line {each.where.line}", each.kind, each.seconds, each.failure)
    if test.other_failure:
        _case(suite, "test", test.name, test.seconds, test.other_failure)


def _case(suite: ET.Element, name: str, classname: str, seconds: float, failure: str, *, skipped: bool = False) -> None:
    case = ET.SubElement(
        suite, "testcase", {"name": clean(name), "classname": clean(classname), "time": f"{seconds:.6f}"}
    )
    if skipped:
        ET.SubElement(case, "skipped")
    elif failure:
        element = ET.SubElement(case, "failure", {"message": clean(failure.splitlines()[0])})
        element.text = clean(failure)


def _count(element: ET.Element) -> None:
    cases = list(element.iter("testcase"))
    element.set("tests", str(len(cases)))
    element.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    element.set("errors", "0")
    element.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    element.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.6f}")
