"""What the verb `test` prints: the schema that other programs read, and exit codes."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from proving_ground.by_url import telling
from proving_ground.by_url.running import marks_of, platform_of
from proving_ground.contracts.results import LoadTest, SuiteResult, Test
from proving_ground.report.merge import Merged, summarise

LOAD = LoadTest(requests_per_second=12.5, p50_latency_ms=80, p95_latency_ms=150, error_rate=0.001)


def check(name: str, status: str, **more: Any) -> Test:
    began = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    given = {"name": name, "status": status, "duration": 0.5, "id": f"smoke/{name}", "suite": "smoke", "started": began}
    return Test.model_validate({**given, **more})


def merged(*tests: Test, problem: str = "") -> Merged:
    suite = SuiteResult(name="smoke", summary=summarise(tests), problem=problem)
    return Merged(list(tests), [suite], summarise(tests), [])


MIXED = merged(
    check("a", "passed", metrics={"p50_ms": 1.0}),
    check("b", "failed", error="AssertionError: too late"),
    check("c", "error", error="not reached", infrastructure=True),
    check("d", "skipped", reason="the model is random"),
)


def test_the_json_has_the_fields_of_the_schema_and_no_others() -> None:
    told = json.loads(telling.as_json(MIXED, LOAD))
    assert told["summary"] == {"total": 4, "passed": 1, "failed": 2, "duration_seconds": 0.5}
    assert told["tests"] == [
        {"name": "smoke/a", "status": "passed", "duration": 0.5, "metrics": {"p50_ms": 1.0}},
        {"name": "smoke/b", "status": "failed", "duration": 0.5, "error": "AssertionError: too late"},
        {"name": "smoke/c", "status": "failed", "duration": 0.5, "error": "not reached"},
        {"name": "smoke/d", "status": "skipped", "duration": 0.5},
    ]
    assert told["load_test"] == {
        "requests_per_second": 12.5,
        "p50_latency_ms": 80,
        "p95_latency_ms": 150,
        "error_rate": 0.001,
    }


def test_without_a_load_there_is_no_load_test() -> None:
    assert "load_test" not in json.loads(telling.as_json(MIXED, None))


def test_a_server_that_was_refused_is_told_in_the_same_schema() -> None:
    told = json.loads(telling.refused("reachable", "nobody listens"))
    assert told["summary"]["failed"] == 1
    assert told["tests"][0]["error"] == "nobody listens"


@pytest.mark.parametrize(
    ("came", "settings", "code"),
    [
        (merged(check("a", "passed")), {}, 0),
        (merged(check("a", "failed", error="x")), {}, 1),
        (merged(check("a", "error", error="x", infrastructure=True)), {}, 2),
        (merged(problem="it died"), {}, 2),
        (merged(), {}, 3),
        (merged(check("a", "skipped", reason="x")), {}, 3),
        (merged(check("a", "passed")), {"configuration": True}, 3),
        (merged(check("a", "failed", error="x")), {"interrupted": True}, 130),
    ],
)
def test_the_exit_code_is_that_of_the_first_cause(came: Merged, settings: dict[str, bool], code: int) -> None:
    given = {"interrupted": False, "configuration": False, **settings}
    assert telling.exit_code(came, **given) == code


def test_people_see_each_check_and_the_load() -> None:
    text = telling.as_text(MIXED, LOAD)
    assert "failed  smoke/b    0.50 s  AssertionError: too late" in text
    assert "1 passed, 1 failed, 1 errors, 1 skipped" in text
    assert "12.50 requests per second" in text


def test_the_report_of_pytest_has_its_fields_and_our_exit_code() -> None:
    began = dt.datetime.now(dt.UTC)
    told = json.loads(telling.as_pytest_report(MIXED, 2, root=Path("/root"), began=began))
    assert told["exitcode"] == 2
    assert told["summary"] == {"error": 1, "failed": 1, "passed": 1, "skipped": 1, "total": 4, "collected": 4}
    assert [test["outcome"] for test in told["tests"]] == ["passed", "failed", "error", "skipped"]
    assert told["tests"][1]["call"]["crash"]["message"] == "AssertionError: too late"


def test_of_an_interrupted_load_the_part_is_told(tmp_path: Path) -> None:
    level = {
        "value": 1,
        "seconds": 2.0,
        "requests": 3,
        "failed": 0,
        "requests_per_second": 1.5,
        "tokens_per_second": 10,
        "error_rate": 0,
        "goodput": 1.5,
        "good_share": 1,
        "latencies_ms": {"e2e_p50": 5.0, "e2e_p95": 6.0, "e2e_p99": 7.0},
        "counts": {},
    }
    document = {"closed": True, "levels": [level], "client": {"verdict": "interrupted"}}
    (tmp_path / "load").mkdir()
    (tmp_path / "load" / "steady.json").write_text(json.dumps(document))
    found = telling.load_of(merged(), tmp_path)
    assert found is not None
    assert (found.requests_per_second, found.p95_latency_ms) == (1.5, 6.0)
    (tmp_path / "load" / "steady.json").write_text("{")
    assert telling.load_of(merged(), tmp_path) is None


def test_load_by_itself_is_one_steady_load() -> None:
    assert marks_of("load", None) == "pre_merge"
    assert marks_of("smoke", None) == "pre_merge or nightly"
    assert marks_of("load", "weekly") == "pre_merge or nightly or weekly"


def test_a_url_is_a_platform_with_one_endpoint() -> None:
    platform = platform_of("http://127.0.0.1:1", parameters={"model": "m"}, auth="/token")
    assert platform.endpoints["inference"].auth == "/token"
    assert platform.capabilities.promised == ["inference"]
    assert platform.systems["inference"].parameters == {"model": "m"}


@pytest.mark.parametrize(
    ("status", "printed", "expression", "said"),
    [
        (5, "3 deselected in 0.1s", "nothing", "suite smoke: no check matches -k 'nothing'"),
        (5, "3 deselected in 0.1s", "", "suite smoke: no check is of these stages"),
        (4, "no tests ran\nERROR: Wrong expression: and\n\n", "and", "suite smoke: Wrong expression: and"),
        (3, "INTERNALERROR> it broke\n", "", "suite smoke ended early:\nINTERNALERROR> it broke\n"),
    ],
)
def test_a_suite_that_could_not_be_judged_says_why(status: int, printed: str, expression: str, said: str) -> None:
    assert telling.ended_early("smoke", status, printed, expression) == said


def test_a_load_that_was_interrupted_is_marked() -> None:
    assert "load: 12.50 requests" in telling.as_text(MIXED, LOAD)
    assert "load until it was interrupted: 12.50 requests" in telling.as_text(MIXED, LOAD, interrupted=True)
