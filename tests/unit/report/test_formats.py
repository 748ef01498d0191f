from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from proving_ground.contracts.results import Results, Verdict
from proving_ground.report.ctrf import ctrf_json
from proving_ground.report.html import report_html
from proving_ground.report.junit import junit_xml
from proving_ground.report.markdown import summary_md

if TYPE_CHECKING:
    from collections.abc import Callable

    from proving_ground.contracts.platform import Platform


@pytest.fixture
def junit(results: Results) -> ET.Element:
    return ET.fromstring(junit_xml(results))  # noqa: S314 - our own text


def case(junit: ET.Element, name: str) -> ET.Element:
    found = junit.find(f".//testcase[@name='{name}']")
    assert found is not None
    return found


def test_junit_has_a_testsuite_for_each_suite_with_its_counts(junit: ET.Element) -> None:
    (suite,) = junit.findall("testsuite")
    counts = {name: suite.get(name) for name in ("name", "tests", "failures", "errors", "skipped")}
    assert counts == {"name": "aim", "tests": "4", "failures": "1", "errors": "1", "skipped": "1"}


def test_junit_names_outcomes_as_ci_systems_know_them(junit: ET.Element) -> None:
    assert case(junit, "fails").find("failure") is not None
    error, skipped = case(junit, "errs").find("error"), case(junit, "skips").find("skipped")
    assert error is not None
    assert (error.get("type"), error.get("message")) == ("infrastructure", "it broke")
    assert skipped is not None
    assert (skipped.get("type"), skipped.get("message")) == ("row-skipped", "row says so")
    assert [child.tag for child in case(junit, "passes")] == ["properties"]


def test_junit_keeps_properties_time_and_attachments(junit: ET.Element) -> None:
    properties = {p.get("name"): p.get("value") for p in case(junit, "passes").iter("property")}
    assert properties == {
        "id": "aim/passes",
        "mark": "nightly",
        "metric.ready_seconds": "1.25",
        "parameter.image": "r/x:1",
        "attempts": "2",
    }
    assert case(junit, "passes").get("time") == "2.000"
    assert "diagnostics/a b.log" in (case(junit, "fails").findtext("system-out") or "")


def test_junit_shows_control_characters_escaped_and_cuts_very_long_text(junit: ET.Element) -> None:
    text = case(junit, "fails").findtext("failure") or ""
    assert "<script>alert(1)</script> & red \\x00\\x08 ]]> é \U0001f600" in text
    assert "characters left out" in text
    assert len(text) < 110_000


def test_junit_tells_a_suite_that_could_not_be_judged(make_run: Callable[..., Results]) -> None:
    results = make_run()
    suites = [results.suites[0].model_copy(update={"problem": "its process ended"})]
    root = ET.fromstring(junit_xml(results.model_copy(update={"suites": suites})))  # noqa: S314 - our own text
    error = case(root, "suite").find("error")
    assert error is not None
    assert error.get("message") == "its process ended"
    assert root.find("testsuite").get("errors") == "1"  # type: ignore[union-attr]  # it is there, see above


@pytest.fixture
def ctrf(results: Results, platform: Platform) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(ctrf_json(results, platform))
    return made


def test_ctrf_has_the_fields_that_its_schema_requires(ctrf: dict[str, Any]) -> None:
    assert (ctrf["reportFormat"], ctrf["specVersion"]) == ("CTRF", "1.0.0")
    assert ctrf["results"]["tool"]["name"] == "proving-ground"
    number, text = {"type": "integer"}, {"type": "string", "minLength": 1}
    names = ("tests", "passed", "failed", "skipped", "pending", "other", "start", "stop")
    status = {"enum": ["passed", "failed", "skipped", "pending", "other"]}
    suite = {"type": "array", "minItems": 1, "items": {"type": "string"}}
    known = {
        "id": text, "name": text, "status": status, "rawStatus": text, "duration": number, "start": number,
        "stop": number, "suite": suite, "message": text, "trace": text, "tags": {"type": "array"}, "filePath": text,
        "retries": number, "flaky": {"type": "boolean"}, "parameters": {"type": "object"},
        "attachments": {"type": "array"}, "extra": {"type": "object"},
    }  # fmt: skip
    test = {
        "type": "object", "required": ["name", "status", "duration"], "properties": known,
        "additionalProperties": False,
    }  # fmt: skip
    summary = {"type": "object", "required": list(names), "properties": dict.fromkeys(names, number)}
    properties = {"summary": summary, "tests": {"type": "array", "items": test}}
    jsonschema.validate(ctrf["results"], {"type": "object", "properties": properties})


def test_ctrf_counts_an_error_as_failed_and_keeps_its_own_status(ctrf: dict[str, Any]) -> None:
    summary = ctrf["results"]["summary"]
    assert {name: summary[name] for name in ("tests", "passed", "failed", "skipped", "flaky")} == {
        "tests": 4, "passed": 1, "failed": 2, "skipped": 1, "flaky": 1,
    }  # fmt: skip
    test = next(test for test in ctrf["results"]["tests"] if test["name"] == "aim/errs")
    assert (test["status"], test["rawStatus"]) == ("failed", "error")


def test_ctrf_ids_of_a_check_are_the_same_in_every_run(results: Results) -> None:
    other = results.model_copy(update={"run_id": "other"})
    first, second = (json.loads(ctrf_json(r))["results"]["tests"][0]["id"] for r in (results, other))
    assert first == second


def test_the_summary_begins_with_the_verdict_and_escapes_what_checks_say(results: Results) -> None:
    lines = summary_md(results).splitlines()
    assert lines[0].startswith("# Failed: aim/fails: \\<script\\>")
    assert len(lines) < 40
    assert "| aim | 1 | 1 | 1 | 1 | 1 | 2.0s |" in lines
    assert "- aim/errs: it broke" in lines
    assert "- aim/skips: row-skipped row says so" in lines


def test_the_summary_counts_failures_that_it_does_not_name(make_run: Callable[..., Results], make_check: Any) -> None:
    text = summary_md(make_run(*(make_check(f"c{i}", "failed") for i in range(100))))
    assert "- and 75 more, see report.html" in text


@pytest.fixture
def page(results: Results, platform: Platform) -> str:
    return report_html(results, platform)


def test_the_page_needs_nothing_from_elsewhere(page: str) -> None:
    assert not re.search(r"(?:src|href)=\"?(?:https?:|//)|@import|url\(|<script", page)


def test_the_page_tells_the_verdict_before_anything_else(page: str) -> None:
    body = page.partition("<body>")[2]
    assert body.index("<h1>Failed</h1>") < body.index("Failures and errors") < body.index("What ran where")


def test_the_page_escapes_and_cuts_what_checks_say(page: str) -> None:
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; red" in page
    assert "characters left out" in page
    assert "\x1b" not in page
    assert "\x00" not in page


@pytest.mark.parametrize(
    "text",
    ["v1.36.3", "stand in 0.1.0", "real_gpu", "row-skipped", "system not on this platform: skytorch", "ready_seconds",
     'href="diagnostics/a%20b.log"', 'aria-label="Phases and checks over time"'],
)  # fmt: skip
def test_the_page_shows(page: str, text: str) -> None:
    assert text in page


def test_the_page_shows_no_path_of_a_kubeconfig(page: str) -> None:
    assert "/private" not in page


def test_every_tag_of_the_page_is_closed(page: str) -> None:
    for tag in ("details", "summary", "table", "tr", "td", "svg", "g", "div", "p", "pre", "ul", "li", "header", "span"):
        assert len(re.findall(rf"<{tag}[ >]", page)) == page.count(f"</{tag}>"), tag


def test_a_run_in_which_nothing_happened_has_every_report(make_run: Callable[..., Results]) -> None:
    verdict = Verdict(exit_code=2, outcome="infrastructure", cause="create: no room", look_at="phases/create.log")
    empty: dict[str, object] = {
        "verdict": verdict,
        "phases": [],
        "suites": [],
        "not_selected": [],
        "suites_left_out": {},
    }
    results = Results.model_validate(make_run().model_dump() | empty)
    assert "Infrastructure error" in report_html(results)
    assert summary_md(results).startswith("# Infrastructure: create: no room")
    assert json.loads(ctrf_json(results))["results"]["summary"]["tests"] == 0
    assert ET.fromstring(junit_xml(results)).get("tests") == "0"  # noqa: S314 - our own text


def test_a_thousand_checks_draw_the_longest_only(make_run: Callable[..., Results], make_check: Any) -> None:
    page = report_html(make_run(*(make_check(f"c{i}", start=i, duration=1.0 + i / 100) for i in range(1000))))
    assert page.count("<rect") == 402
    assert "600 shorter checks are not drawn" in page
