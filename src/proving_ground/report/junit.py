"""JUnit XML, as CI systems read it: one testsuite for each suite."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from proving_ground.report.text import clean, first_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proving_ground.contracts.results import Results, SuiteResult, Summary, Test


def junit_xml(results: Results) -> str:
    """Return the results as JUnit XML in the form that Jenkins, GitLab and pytest share."""
    root = ET.Element("testsuites", _counts(results.summary) | {"name": f"{results.stage} {results.run_id}"})
    for suite in results.suites:
        _suite(root, suite, [test for test in results.tests if test.suite == suite.name], results)
    known = {suite.name for suite in results.suites}
    for name in dict.fromkeys(test.suite for test in results.tests if test.suite not in known):
        tests = [test for test in results.tests if test.suite == name]
        element = ET.SubElement(root, "testsuite", {"name": clean(name), "tests": str(len(tests))})
        for test in tests:
            _case(element, test)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, suite: SuiteResult, tests: list[Test], results: Results) -> None:
    element = ET.SubElement(root, "testsuite", {"name": clean(suite.name)} | _counts(suite.summary))
    element.set("timestamp", min((t.started for t in tests if t.started), default=results.started).isoformat())
    element.set("hostname", clean(results.inventory))
    about = {"run_id": results.run_id, "stage": results.stage, "inventory": results.inventory}
    _properties(element, about.items())
    if suite.problem:
        case = ET.SubElement(element, "testcase", {"name": "suite", "classname": clean(suite.name), "time": "0"})
        ET.SubElement(case, "error", {"message": first_line(suite.problem), "type": "infrastructure"})
        for count in ("tests", "errors"):
            element.set(count, str(int(element.get(count, "0")) + 1))
    for test in tests:
        _case(element, test)


def _counts(summary: Summary) -> dict[str, str]:
    return {
        "tests": str(summary.total),
        "failures": str(summary.failed),
        "errors": str(summary.errors),
        "skipped": str(summary.skipped),
        "time": f"{summary.duration_seconds:.3f}",
    }


def _properties(element: ET.Element, pairs: Iterable[tuple[str, str]]) -> None:
    pairs = list(pairs)
    if pairs:
        properties = ET.SubElement(element, "properties")
        for name, value in pairs:
            ET.SubElement(properties, "property", {"name": clean(name), "value": clean(value)})


def _case(parent: ET.Element, test: Test) -> None:
    attributes = {"name": clean(test.name), "classname": clean(test.suite), "time": f"{test.duration:.3f}"}
    case = ET.SubElement(parent, "testcase", attributes)
    pairs = [("id", test.id), *test.properties.items()]
    pairs += [("mark", mark) for mark in test.marks]
    pairs += [(f"metric.{name}", repr(value)) for name, value in test.metrics.items()]
    pairs += [(f"parameter.{name}", str(value)) for name, value in test.parameters.items()]
    if test.attempts > 1:
        pairs.append(("attempts", str(test.attempts)))
    _properties(case, pairs)
    message = first_line(test.error or "")
    if test.status == "skipped":
        ET.SubElement(case, "skipped", {"message": first_line(test.reason), "type": clean(test.reason_code)})
    elif test.status == "failed":
        ET.SubElement(case, "failure", {"message": message, "type": "failure"}).text = clean(test.detail)
    elif test.status == "error":
        kind = "infrastructure" if test.infrastructure else "error"
        ET.SubElement(case, "error", {"message": message, "type": kind}).text = clean(test.detail)
    if test.attachments:
        texts = [f"--- {a.name}\n{a.text}" + (f"\nsee {a.path}" if a.path else "") for a in test.attachments]
        ET.SubElement(case, "system-out").text = clean("\n".join(texts))
