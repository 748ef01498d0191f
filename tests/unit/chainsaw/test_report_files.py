from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from proving_ground.chainsaw.binary import parse_report
from proving_ground.chainsaw.documents import Where
from proving_ground.chainsaw.report_files import TestReport, as_json, as_junit, file_of, step_name, write
from proving_ground.chainsaw.reporting import Performed
from proving_ground.errors import InfrastructureError

WHERE = Where(Path("suite/one/chainsaw-test.yaml"), 7)
TESTS = (
    TestReport(
        name="one",
        folder="suite/one",
        started=1_700_000_000.0,
        seconds=2.5,
        namespace="chainsaw-x",
        operations=(
            Performed('step "look"', "apply", WHERE, 1_700_000_000.0, 0.5),
            Performed('step "look"', "assert", WHERE, 1_700_000_000.5, 1.0, "assert failed\n\x1b[31mwhy < & >"),
            Performed('step "look", catch', "events", WHERE, 1_700_000_001.5, 0.25),
            Performed("step 2", "script", WHERE, 1_700_000_002.0, 0.25),
        ),
        message="assert failed",
    ),
    TestReport(name="two", folder="suite/two", started=1_700_000_001.0, seconds=0.0, skipped=True),
    TestReport(
        name="three", folder="suite/two", started=1_700_000_001.0, seconds=1.0, message="left behind: namespace x"
    ),
)


def junit(form: str) -> dict[str, tuple[str, str]]:
    root = ET.fromstring(as_junit("report", TESTS, form))  # noqa: S314  # our own
    assert root.attrib["tests"] == str(len(list(root.iter("testcase"))))
    return {
        f"{suite.attrib['name']}: {case.attrib['name']}": (
            case.attrib["classname"],
            next((child.tag for child in case), "passed"),
        )
        for suite in root
        for case in suite.iter("testcase")
    }


def test_the_json_form_is_one_that_chainsaws_own_reader_takes() -> None:
    found = parse_report(as_json("report", TESTS))

    one, two, three = (found[str(Path(test.folder).resolve()), test.name] for test in TESTS)
    assert one.seconds == 2.5
    assert one.namespace == "chainsaw-x"
    assert one.failures == ('assert failed, step "look": assert failed\n\x1b[31mwhy < & >',)
    assert two.skipped
    assert three.failures == ('test failed, step "test": left behind: namespace x',)
    assert [step["name"] for step in json.loads(as_json("report", TESTS))["tests"][0]["steps"]] == ["look", "step-2"]


def test_a_case_for_each_test() -> None:
    assert junit("JUNIT-TEST") == junit("XML")
    assert junit("XML") == {
        "suite/one: one": ("suite/one", "failure"),
        "suite/two: two": ("suite/two", "skipped"),
        "suite/two: three": ("suite/two", "failure"),
    }


def test_a_case_for_each_step() -> None:
    assert junit("JUNIT-STEP") == {
        "one: look": ("one", "failure"),
        "one: step-2": ("one", "passed"),
        "two: two": ("suite/two", "skipped"),
        "three: test": ("three", "failure"),
    }


def test_a_case_for_each_operation() -> None:
    found = ET.fromstring(as_junit("report", TESTS, "JUNIT-OPERATION"))  # noqa: S314  # our own

    kinds = [case.attrib["classname"] for case in found.iter("testcase")]
    assert kinds == ["apply", "assert", "events", "script", "suite/two", "three"]
    assert found.attrib["failures"] == "2"


@pytest.mark.parametrize(
    ("told", "name"),
    [('step "a, b"', "a, b"), ('step "a", finally', "a"), ("step 3", "step-3"), ("step 3, cleanup", "step-3")],
)
def test_steps_have_chainsaws_names(told: str, name: str) -> None:
    assert step_name(told) == name


@pytest.mark.parametrize(
    ("name", "form", "expected"),
    [("r", "JSON", "r.json"), ("r", "JUNIT-STEP", "r.xml"), ("r.txt", "XML", "r.txt")],
)
def test_a_name_gets_an_extension_where_it_has_none(name: str, form: str, expected: str) -> None:
    assert file_of(Path("/a"), "b", name, form) == Path("/a/b", expected)


def test_a_report_of_nothing_is_one(tmp_path: Path) -> None:
    write(tmp_path / "below" / "r.json", "JSON", "r", ())

    assert json.loads((tmp_path / "below" / "r.json").read_text())["tests"] == []


def test_a_report_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(InfrastructureError, match="the report cannot be written"):
        write(tmp_path / "file" / "r.json", "JSON", "r", ())
