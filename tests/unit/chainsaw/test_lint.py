from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent, indent

import pytest

from proving_ground.chainsaw import lint
from proving_ground.chainsaw.lint_rules import CODES
from proving_ground.cli import main
from proving_ground.errors import ConfigurationError

TEST = """\
apiVersion: chainsaw.kyverno.io/v1alpha1
kind: Test
metadata: {name: %s}
spec:
  timeouts: {apply: 1m, assert: 1m}
%s"""
MAP = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str, name: str = "one", folder: str = "") -> Path:
    """Write a test; the text is what stands below its spec."""
    path = Path(folder or name, "chainsaw-test.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TEST % (name, indent(dedent(text), "  ")))
    return path


def operations(*lines: str, field: str = "") -> str:
    return f"{field}\nsteps:\n- try:\n" + "".join(f"  - {line.replace('@MAP', MAP)}\n" for line in lines)


def warned(*roots: str) -> dict[str, int]:
    """Return the line of the first warning of each code."""
    found = lint.lint([Path(root) for root in roots or (".",)])
    assert not found.refusals
    return {warning.code: warning.where.line for warning in reversed(found.warnings)}


CASES = {
    "error-on-absent": (
        operations("error: {resource: @MAP}}"),
        operations("apply: {resource: @MAP}}", "error: {resource: @MAP, data: {a: b}}}"),
    ),
    "sleep": (operations("sleep: {duration: 5s}"), operations("command: {entrypoint: sync}")),
    "script-status": (
        operations("script: {content: 'false; true'}"),
        operations("script: {content: 'set -eu; false; true'}", "script: {content: 'true'}"),
    ),
    "fixed-namespace": (
        operations("apply: {resource: {apiVersion: v1, kind: Pod, metadata: {name: p, namespace: prod}}}"),
        operations(
            "apply: {resource: {apiVersion: v1, kind: Pod, metadata: {name: p, namespace: prod}}}",
            field="concurrent: false",
        ),
    ),
    "skipped": (operations("sleep: {duration: 5s}", field="skip: true"), operations("command: {entrypoint: sync}")),
    "exists-only": (
        operations("assert: {resource: @MAP}}"),
        operations("assert: {resource: @MAP, data: {a: b}}}"),
    ),
    "whole-list": (
        operations("assert: {resource: {apiVersion: v1, kind: Pod, status: {conditions: [{type: Ready}]}}}"),
        operations(
            "assert: {resource: {apiVersion: v1, kind: Pod, status: "
            "{\"(conditions[?type == 'Ready'])\": [{status: 'True'}]}}}"
        ),
    ),
    "never-equal": (
        operations("assert: {resource: {apiVersion: apps/v1, kind: Deployment, status: {replicas: '2'}}}"),
        operations("assert: {resource: {apiVersion: apps/v1, kind: Deployment, status: {replicas: 2}}}"),
    ),
    "empty-iteration": (
        operations("assert: {resource: {apiVersion: v1, kind: Pod, spec: {~.containers: {image: x}}}}"),
        operations(
            "assert: {resource: {apiVersion: v1, kind: Pod, spec: "
            "{~.containers: {image: x}, (length(containers) > `0`): true}}}"
        ),
    ),
    "default-timeout": (
        operations("assert: {resource: @MAP, data: {a: b}}}", field="timeouts: {apply: 1m}"),
        operations("assert: {timeout: 1m, resource: @MAP, data: {a: b}}}", field="timeouts: {apply: 1m}"),
    ),
}


@pytest.mark.parametrize("code", CASES)
def test_what_surprises_is_warned_of_and_its_remedy_is_not(code: str) -> None:
    surprising, plain = CASES[code]
    path = write(surprising)
    if "timeouts" in surprising:
        path.write_text(path.read_text().replace("  timeouts: {apply: 1m, assert: 1m}\n", ""))
    assert code in warned()

    path = write(plain)
    if "timeouts" in plain:
        path.write_text(path.read_text().replace("  timeouts: {apply: 1m, assert: 1m}\n", ""))
    assert code not in warned()


def test_a_configuration_with_time_outs_answers_the_warning_about_them() -> None:
    path = write(operations("assert: {resource: @MAP, data: {a: b}}}"))
    path.write_text(path.read_text().replace("  timeouts: {apply: 1m, assert: 1m}\n", ""))
    Path(".chainsaw.yaml").write_text(
        "apiVersion: chainsaw.kyverno.io/v1alpha2\nkind: Configuration\nspec: {timeouts: {assert: 2m}}\n"
    )

    assert warned() == {}


def test_a_number_where_a_text_has_to_be_is_warned_of() -> None:
    write(operations("assert: {resource: @MAP, data: {a: 1, b: true, c: '1'}}}"))

    found = lint.lint([Path()])

    assert [warning.what for warning in found.warnings] == [
        "data.a is a text, never the value 1",
        "data.b is a text, never the value true",
    ]


def test_objects_without_a_namespace_that_two_tests_write_are_told() -> None:
    role = "apply: {resource: {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: %s}}}"
    write(operations(role % "r"), "one")
    write(operations(role % "r"), "two")
    write(operations(role % "other"), "three")
    write(operations(role % "r", field="concurrent: false"), "four")

    (found,) = lint.lint([Path()]).warnings

    assert found.code == "shared-object"
    assert found.what == "ClusterRole r is written by 'one' at one/chainsaw-test.yaml:1, too"
    assert str(found.where) == "two/chainsaw-test.yaml:9"


def test_a_name_that_two_tests_have_is_told() -> None:
    write(operations("command: {entrypoint: sync}"), "one", "a")
    write(operations("command: {entrypoint: sync}"), "one", "b")
    write(operations("command: {entrypoint: sync}"), "two", "c")

    assert warned() == {"duplicate-name": 1}


def test_a_file_that_nothing_names_is_told() -> None:
    write(operations("apply: {file: 'maps-*.yaml'}", "script: {content: kubectl apply -f ./scripted.yaml}"))
    for name in ("maps-1", "scripted", "map-2", "values-ci"):
        Path("one", f"{name}.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n")

    (found,) = lint.lint([Path()]).warnings

    assert (found.code, found.where.file.name) == ("unused-file", "map-2.yaml")


def test_a_key_that_comes_again_in_a_manifest_is_told() -> None:
    write(operations("apply: {file: map.yaml}"))
    Path("one/map.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {}\nkind: ConfigMap\n")

    assert warned() == {"repeated-key": 5}


def test_all_that_cannot_be_run_is_told_at_least_once_a_document() -> None:
    write(operations("apply: {fil: x}"), "one")
    write(operations("apply: {file: absent.yaml}", "assert: {file: gone.yaml}"), "two")
    Path("two/chainsaw-test.yaml").write_text(
        Path("two/chainsaw-test.yaml").read_text() + "---\n" + TEST % ("third", "  stepz: []\n")
    )
    Path("four").mkdir()
    Path("four/chainsaw-test.yaml").write_text("a: [\n")
    Path(".chainsaw.yaml").write_text(
        "apiVersion: chainsaw.kyverno.io/v1alpha2\nkind: Configuration\nspec: {paralel: 1}\n"
    )

    found = lint.lint([Path()])

    assert sorted(error.where.replace(f"{Path.cwd()}/", "") for error in found.refusals) == [
        ".chainsaw.yaml:3",
        "four/chainsaw-test.yaml:2",
        "one/chainsaw-test.yaml:9",
        "two/chainsaw-test.yaml:10",
        "two/chainsaw-test.yaml:17",
        "two/chainsaw-test.yaml:9",
    ]
    assert "refused one/chainsaw-test.yaml:9: unknown field 'fil'" in lint.as_text(found)


def test_the_json_form_holds_what_the_text_does() -> None:
    write(operations("apply: {fil: x}"), "one")
    write(operations("sleep: {duration: 5s}"), "two")

    found = json.loads(lint.as_json(lint.lint([Path()])))

    (refusal,), (warning,) = found["refusals"], found["warnings"]
    assert (refusal["file"], refusal["line"]) == ("one/chainsaw-test.yaml", 9)
    assert refusal["what"].startswith("unknown field 'fil'")
    assert (warning["code"], warning["file"], warning["line"]) == ("sleep", "two/chainsaw-test.yaml", 9)
    assert (found["files"], found["tests"]) == (2, 1)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 0),
        (("--strict",), 1),
        (("--strict", "--ignore", "sleep"), 0),
        (("--ignore", "sleeep"), 3),
        (("absent",), 3),
    ],
    ids=str,
)
def test_the_exit_code_tells_refusals_and_with_strict_warnings(
    arguments: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    write(operations("sleep: {duration: 5s}"))

    assert main(["chainsaw", "lint", *arguments]) == code

    told = capsys.readouterr()
    assert "Traceback" not in told.err
    assert bool(told.err) is (code == 3)


def test_a_refusal_is_exit_code_three(capsys: pytest.CaptureFixture[str]) -> None:
    write(operations("apply: {fil: x}"))

    assert main(["chainsaw", "lint"]) == 3
    assert "unknown field 'fil'" in capsys.readouterr().out


def test_a_folder_without_tests_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no test file"):
        lint.lint([Path()])


def test_numbered_files_are_linted_as_the_test_that_they_make() -> None:
    Path("steps").mkdir()
    Path("steps/00-assert.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n")

    assert warned() == {"default-timeout": 1, "exists-only": 1}


def test_every_code_has_a_case() -> None:
    elsewhere = {"shared-object", "duplicate-name", "unused-file", "repeated-key"}

    assert CASES.keys() | elsewhere == CODES.keys()
