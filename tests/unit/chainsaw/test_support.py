"""The table of what is supported says what the code does."""

from __future__ import annotations

import copy
import re
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from proving_ground.chainsaw import command, configurations, loader
from proving_ground.chainsaw.conformance import load_corpus
from proving_ground.chainsaw.fields import Fields
from proving_ground.chainsaw.support import Group, load_support
from proving_ground.cli import main
from proving_ground.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TESTS = Path(__file__).parents[2]
SUPPORT = load_support()
CASES = {case.name: case for case in load_corpus(TESTS / "integration/chainsaw/conformance")}
HERE = "unit/chainsaw/test_support.py"
NOTHING = "means nothing"
DECISIONS = {one.id for one in SUPPORT.decisions}

_KIND = {"apiVersion": "v1", "kind": "Pod"}
_BODIES: dict[str, dict[str, Any]] = {
    **{name: {"file": "it.yaml"} for name in ("apply", "assert", "create", "delete", "error", "patch", "update")},
    **dict.fromkeys(("describe", "get"), _KIND),
    "events": {},
    "podLogs": {},
    "command": {"entrypoint": "true"},
    "proxy": {**_KIND, "name": "it"},
    "script": {"content": "true"},
    "sleep": {"duration": "1s"},
    "wait": {**_KIND, "for": {"deletion": {}}},
}
_OUTPUT = {"name": "a", "value": "(@)"}
_APPLY = {"file": "it.yaml", "outputs": [_OUTPUT], "expect": [{"check": {}}], "timeout": "1s"}
_DELETE = {"ref": {"apiVersion": "v1", "kind": "ConfigMap"}}
_CONDITION = {**_KIND, "for": {"condition": {"name": "Ready"}}}
_PATH = {**_KIND, "for": {"jsonPath": {"path": "{.a}"}}}
_TRY = ["spec", "steps", 0, "try", 0]
_STEP = {"try": [{"script": {"content": "true"}}]}
_SPEC = {"steps": [_STEP]}

#: Where the fields of a group stand: what is around them, and the way to them.
PLACES: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "Test": (_SPEC, ["spec"]),
    "metadata": (_SPEC, ["metadata"]),
    "step": (_SPEC, ["spec", "steps", 0]),
    "use": ({"steps": [{"use": {"template": "it.yaml"}}]}, ["spec", "steps", 0, "use"]),
    "scenario": ({**_SPEC, "scenarios": [{}]}, ["spec", "scenarios", 0]),
    "binding": ({**_SPEC, "bindings": [{"name": "a", "value": 1}]}, ["spec", "bindings", 0]),
    "cluster entry": ({**_SPEC, "clusters": {"other": {}}}, ["spec", "clusters", "other"]),
    "timeouts": ({**_SPEC, "timeouts": {}}, ["spec", "timeouts"]),
    "try": ({"steps": [{"try": [{}]}]}, _TRY),
    "catch": ({"steps": [{**_STEP, "catch": [{}]}]}, ["spec", "steps", 0, "catch", 0]),
    "output": ({"steps": [{"try": [{"apply": _APPLY}]}]}, [*_TRY, "apply", "outputs", 0]),
    "expectation": ({"steps": [{"try": [{"apply": _APPLY}]}]}, [*_TRY, "apply", "expect", 0]),
    "ref": ({"steps": [{"try": [{"delete": _DELETE}]}]}, [*_TRY, "delete", "ref"]),
    "for": ({"steps": [{"try": [{"wait": {**_KIND, "for": {}}}]}]}, [*_TRY, "wait", "for"]),
    "condition": ({"steps": [{"try": [{"wait": _CONDITION}]}]}, [*_TRY, "wait", "for", "condition"]),
    "jsonPath": ({"steps": [{"try": [{"wait": _PATH}]}]}, [*_TRY, "wait", "for", "jsonPath"]),
    **{name: ({"steps": [{"try": [{name: body}]}]}, [*_TRY, name]) for name, body in _BODIES.items()},
}
_SECOND = ("cleanup", "discovery", "execution", "namespace", "report", "templating", "deletion", "error options")
CONFIGURING = (*_SECOND, "Configuration v1alpha1", "Configuration v1alpha2")
#: Fields of which a mapping has one.
EXCLUSIVE = ({"file", "resource"}, {"file", "ref"}, {"name", "selector"}, {"try", "use"})


def document(group: Group, name: str) -> tuple[str, dict[str, Any]]:
    """Return kind and content of a file that has a field, and as little else as possible."""
    value = SUPPORT.example(group, name)
    head = {"apiVersion": "chainsaw.kyverno.io/v1alpha1", "kind": "Test", "metadata": {"name": "it"}}
    if group.name == "StepTemplate":
        spec = {"try": [{"script": {"content": "true"}}], name: value or []}
        spec["try"] = spec["try"] or [{"script": {"content": "true"}}]
        return "StepTemplate", {**head, "kind": "StepTemplate", "spec": spec}
    if group.name == "Configuration v1alpha1":
        return "Configuration", {**head, "kind": "Configuration", "spec": {name: value}}
    if group.name == "Configuration v1alpha2" or group.name in _SECOND:
        part = group.name.removesuffix(" options")
        spec = {name: value} if group.name == "Configuration v1alpha2" else {part: {name: value}}
        return "Configuration", {
            **head,
            "apiVersion": "chainsaw.kyverno.io/v1alpha2",
            "kind": "Configuration",
            "spec": spec,
        }
    around, way = PLACES[group.name]
    whole = copy.deepcopy({**head, "spec": around})
    inner: dict[str, Any] = reduce(lambda part, key: part[key], way, whole)
    for pair in EXCLUSIVE:
        if name in pair:
            for other in pair - {name}:
                inner.pop(other, None)
    inner[name] = value
    if group.name in {"try", "catch"} and name in {"description", "continueOnError", "compiler"}:
        inner["script"] = {"content": "true"}
    return "Test", whole


def load(group: Group, name: str, folder: Path) -> None:
    kind, content = document(group, name)
    template = {
        "apiVersion": "chainsaw.kyverno.io/v1alpha1",
        "kind": "StepTemplate",
        "spec": {"try": [{"script": {"content": "true"}}]},
    }
    (folder / "it.yaml").write_text(yaml.safe_dump(content if kind == "StepTemplate" else template))
    if kind == "StepTemplate":
        content = {**content, "kind": "Test", "spec": PLACES["use"][0], "metadata": {"name": "it"}}
    file = folder / "chainsaw-test.yaml"
    file.write_text(yaml.safe_dump(content))
    if kind == "Configuration":
        configurations.load_configuration(file)
    else:
        loader.load_tests(file)


def by_name(groups: Iterable[Group]) -> list[Any]:
    return [pytest.param(group, id=group.name) for group in groups]


def refusals(group: Group, names: Iterable[str], folder: Path) -> dict[str, str]:
    """Return what the loader says against fields."""
    found = {}
    for name in names:
        try:
            load(group, name, folder)
        except ConfigurationError as error:
            found[name] = str(error)
    return found


@pytest.mark.parametrize("group", by_name(SUPPORT.groups))
def test_fields_that_are_supported_are_accepted(group: Group, tmp_path: Path) -> None:
    assert refusals(group, group.fields, tmp_path) == {}


@pytest.mark.parametrize("group", by_name(group for group in SUPPORT.groups if group.refused))
def test_fields_that_are_refused_are_refused_with_that_reason(group: Group, tmp_path: Path) -> None:
    told = refusals(group, group.refused, tmp_path)

    assert told.keys() == group.refused.keys()
    assert all(f"{name} of" in text and group.refused[name] in text for name, text in told.items())


@pytest.mark.parametrize("group", by_name(group for group in SUPPORT.groups if "compiler" in group.fields))
def test_a_compiler_is_jmespath(group: Group, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(SUPPORT.examples, "compiler", "cel")

    assert "JMESPath only" in refusals(group, ["compiler"], tmp_path)["compiler"]


@pytest.mark.parametrize("group", by_name(group for group in SUPPORT.groups if group.name in CONFIGURING))
def test_a_field_of_a_configuration_changes_it(group: Group, tmp_path: Path) -> None:
    file = tmp_path / ".chainsaw.yaml"

    def loaded(content: dict[str, Any]) -> Any:
        file.write_text(yaml.safe_dump(content))
        return configurations.load_configuration(file)

    names = [name for name in group.fields if not name.lower().endswith("compiler") and SUPPORT.example(group, name)]
    contents = {name: document(group, name)[1] for name in names}
    same = [name for name, content in contents.items() if loaded(content) == loaded({**content, "spec": None})]

    assert same == []


def takes(group: Group, monkeypatch: pytest.MonkeyPatch, folder: Path) -> set[str]:
    """Return which fields the mapping of a group takes, as the loader says when it reads one."""
    called, right, found = CALLED.get(group.name, group.name), Fields.__init__, set[str]()

    def noted(self: Any, node: Any, path: Path, what: str, known: Any, refused: Any = ()) -> None:
        right(self, node, path, what, known, refused)
        if what == called:
            found.update(known)

    with monkeypatch.context() as patch:
        patch.setattr(Fields, "__init__", noted)
        load(group, next(iter(group.fields)), folder)
    return found


#: What the loader calls the mapping of a group.
CALLED = {
    "Test": "spec",
    "step": "a step",
    "StepTemplate": "spec of a StepTemplate",
    "scenario": "a scenario",
    "binding": "a binding",
    "output": "an output",
    "expectation": "an expectation",
    "cluster entry": "cluster 'other'",
    "use": "use",
    "try": "an operation of try",
    "catch": "an operation of catch",
    "Configuration v1alpha1": "spec",
    "Configuration v1alpha2": "spec",
    "error options": "error",
}


@pytest.mark.parametrize("group", by_name(SUPPORT.groups))
def test_no_field_of_the_loader_is_missing(group: Group, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert takes(group, monkeypatch, tmp_path) == set(group.fields)


def text_of(what: str) -> str:
    """Return the text of a test file, or of all files of a case with the options that the corpus runs it with."""
    if what.endswith(".py"):
        return (TESTS / what).read_text(encoding="utf-8")
    case = CASES[what]
    files = "".join(path.read_text(encoding="utf-8") for path in case.folder.rglob("*.y*ml"))
    return files + ("--shard-count --shard-index" if case.expected.shards else "")


def test_what_shows_a_field_or_an_option_names_it() -> None:
    shown = [(SUPPORT.shown_by(group, name), name) for group in SUPPORT.groups for name in group.fields]
    shown += [(what, name) for name, what in SUPPORT.options.items() if not what.startswith(NOTHING)]
    texts = {what: text_of(what) for what, _ in shown if what != HERE}

    assert [(what, name) for what, name in shown if what != HERE and name not in texts[what]] == []


def test_every_difference_of_a_case_is_a_decision() -> None:
    used = {case.expected.differs.decision for case in CASES.values() if case.expected.differs}

    assert used <= DECISIONS


OPTIONS = {
    "--deletion-propagation-policy": "Orphan",
    "--report-format": "XML",
    "--engine": "chainsaw",
    "--cluster": "other=it",
    "--set": "a=b",
    "--set-string": "a=b",
    "--kube-request-timeout": "3s",
}


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return what a command line asks for."""
    calls: list[Any] = []

    def run(asked: Any) -> int:
        calls.append(asked)
        return 0

    monkeypatch.setattr(command, "run", run)
    for stream in ("stdin", "stderr", "stdout"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)

    def asked(*arguments: str) -> Any:
        assert main(["chainsaw", "test", *arguments]) == 0
        return calls.pop()

    return asked


def test_an_option_asks_for_something(call: Callable[..., Any]) -> None:
    nothing = call()
    options = [name for name, what in SUPPORT.options.items() if not what.startswith(NOTHING)]

    def asks(option: str) -> bool:
        value = OPTIONS.get(option, "3s" if option.endswith(("-timeout", "-delay", "-period")) else "3")
        return bool(call(option, *([] if option in FLAGS else [value])) != nothing)

    assert [option for option in options if option != "--default-compiler" and not asks(option)] == []


def test_every_option_of_the_parser_is_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["chainsaw", "test", "--help"])
    options = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out.split("options:", 1)[1]))

    assert set(SUPPORT.options) <= options
    assert options - set(SUPPORT.options) <= {"--help", "--flag"}


def test_the_default_compiler_is_jmespath(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chainsaw", "test", "--default-compiler", "cel"]) == ExitCode.CONFIGURATION
    assert "JMESPath" in capsys.readouterr().err


FLAGS = {
    *("--full-name", "--fail-fast", "--skip-delete", "--template", "--pause-on-failure", "--no-cluster"),
    *("--kube-insecure-skip-tls-verify", "--no-color", "--quiet", "--silent"),
}
