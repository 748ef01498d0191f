"""Test files: what is taken, and what is refused with file, line and field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proving_ground.chainsaw import model
from proving_ground.chainsaw.loader import check_files, load_tests
from proving_ground.errors import ConfigurationError

HEAD = "apiVersion: chainsaw.kyverno.io/v1alpha1\nkind: Test\nmetadata:\n  name: t\n"

WHOLE = """\
# everything that is supported
apiVersion: chainsaw.kyverno.io/v1alpha1
kind: Test
metadata:
  name: aim-x_1.0
  labels: {model: x}
  annotations:
    proving.ground/fail-fast: Failed,Degraded
  creationTimestamp: null
spec:
  description: A model
  failFast: true
  skip: false
  concurrent: false
  skipDelete: false
  template: true
  namespace: ns
  namespaceTemplate:
    metadata:
      labels: {a: ($values.x)}
  bindings:
  - name: image
    value: (join(':', [$values.a, 'b']))
  timeouts: {apply: 1s, assert: 2m, cleanup: 1h30m, delete: 500ms, error: 3s, exec: 4s}
  deletionPropagationPolicy: Foreground
  delayBeforeCleanup: 0s
  forceTerminationGracePeriod: 5s
  catch:
  - podLogs: {selector: app=x, container: c, tail: 10}
  steps:
  - name: Create
    description: first
    timeouts: {apply: 9s}
    template: false
    skipDelete: true
    deletionPropagationPolicy: Orphan
    bindings:
    - {name: x, value: 1}
    try:
    - description: the service
      continueOnError: true
      apply:
        file: ../service.yaml
        timeout: 10s
        dryRun: true
        bindings: [{name: y, value: [1]}]
        outputs: [{name: z, value: (metadata.uid), match: {kind: Pod}}]
        expect:
        - match: {kind: Pod}
          check: {(spec.x): 1}
    - create:
        resource: {apiVersion: v1, kind: ConfigMap, metadata: {generateName: a-}}
    - assert:
        timeout: 20m
        resource:
          apiVersion: v1
          kind: Pod
          status:
            (phase == 'Running'): true
    - error:
        file: bad-*.yaml
    - delete:
        ref: {apiVersion: v1, kind: Pod, name: ($x), namespace: n, labels: {a: b}}
        deletionPropagationPolicy: Background
    - delete:
        file: service.yaml
    - script:
        content: |
          echo $A
        env: [{name: A, value: ($namespace)}]
        check: {($error == null): true}
        outputs: [{name: out, value: ($stdout)}]
        skipLogOutput: true
        skipCommandOutput: true
        workDir: sub
        shell: bash
        shellArgs: [-e, -c]
        cluster: other
        clusters: {other: {kubeconfig: ./k, context: c}, own: {}}
    - command:
        entrypoint: kubectl
        args: [get, pods]
    - sleep: {duration: 1s}
    - compiler: jp
      patch: {file: a.yaml}
    - update: {file: a.yaml, dryRun: true}
    - wait: {apiVersion: v1, kind: Pod, selector: a=b, for: {condition: {name: Ready}}, format: (f)}
    - wait: {apiVersion: v1, kind: Pod, name: x, for: {jsonPath: {path: '{.status.phase}', value: Running}}}
    - proxy: {apiVersion: v1, kind: Pod, name: x, namespace: n, port: '80', path: /a, outputs: [{name: a, value: b}]}
    catch:
    - wait: {apiVersion: v1, kind: Pod, for: {deletion: {}}, timeout: 3s}
    - describe: {apiVersion: v1, kind: Pod, selector: a=b, showEvents: false}
    - events: {name: x, format: json}
    - get: {apiVersion: v1, kind: Pod, name: x, namespace: n, format: yaml}
    finally:
    - script: {content: 'true'}
    cleanup:
    - delete:
        ref: {apiVersion: v1, kind: Pod}
"""


@pytest.fixture
def load(tmp_path: Path) -> Any:
    def load_text(text: str) -> tuple[model.Test, ...]:
        path = tmp_path / "chainsaw-test.yaml"
        path.write_text(text)
        return load_tests(path)

    return load_text


def step(text: str) -> str:
    """Return a test whose one step, in lines from 7, is ``text``."""
    return HEAD + "spec:\n  steps:\n" + "".join(f"  {line}\n" for line in text.splitlines())


def test_everything_that_is_supported_is_typed(load: Any, tmp_path: Path) -> None:
    (test,) = load(WHOLE)

    assert (test.name, test.description, test.index) == ("aim-x_1.0", "A model", 0)
    assert test.directory == tmp_path
    assert test.labels == {"model": "x"}
    assert test.annotations == {"proving.ground/fail-fast": "Failed,Degraded"}
    assert (test.fail_fast, test.skip, test.concurrent, test.skip_delete, test.template) == (
        *(True, False, False, False, True),
    )
    assert test.namespace == "ns"
    assert test.timeouts == model.Timeouts(1.0, 120.0, 5400.0, 0.5, 3.0, 4.0)
    assert (test.propagation, test.delay_before_cleanup, test.force_termination_grace_period) == (
        "Foreground",
        0.0,
        5.0,
    )
    assert isinstance(test.catch[0], model.PodLogs)
    assert test.catch[0].tail == 10
    (only,) = test.steps
    assert (only.name, only.template, only.skip_delete, only.propagation) == ("Create", False, True, "Orphan")
    assert [operation.kind for operation in only.try_] == [
        *("apply", "create", "assert", "error", "delete", "delete", "script", "command", "sleep"),
        *("patch", "update", "wait", "wait", "proxy"),
    ]
    assert [operation.kind for operation in only.catch] == ["wait", "describe", "events", "get"]
    assert [operation.kind for operation in (*only.finally_, *only.cleanup)] == ["script", "delete"]


def test_operations_keep_what_they_say(load: Any) -> None:
    apply, create, assertion, error, delete, _, script, command, sleep, *_ = load(WHOLE)[0].steps[0].try_

    assert (apply.description, apply.continue_on_error, apply.timeout, apply.dry_run) == (
        "the service",
        True,
        10.0,
        True,
    )
    assert (apply.ref.file, apply.ref.resource) == ("../service.yaml", None)
    assert (apply.outputs[0].name, len(apply.expect), apply.bindings[0].name) == ("z", 1, "y")
    assert create.ref.resource["metadata"] == {"generateName": "a-"}
    assert (assertion.timeout, assertion.where.line) == (1200.0, WHOLE.splitlines().index("    - assert:") + 1)
    assert error.ref.file == "bad-*.yaml"
    assert (delete.ref.name, delete.ref.labels, delete.propagation) == ("($x)", {"a": "b"}, "Background")
    assert (script.content, script.skip_log_output, script.work_dir) == ("echo $A\n", True, "sub")
    assert (command.entrypoint, command.args) == ("kubectl", ("get", "pods"))
    assert sleep.duration == 1.0


def test_waits_proxies_and_clusters_keep_what_they_say(load: Any) -> None:
    *_, script, _, _, _, update, condition, path, proxy = load(WHOLE)[0].steps[0].try_
    gone = load(WHOLE)[0].steps[0].catch[0]

    assert (script.shell, script.shell_args, script.cluster) == ("bash", ("-e", "-c"), "other")
    assert [(c.name, c.kubeconfig, c.context) for c in script.clusters] == [("other", "./k", "c"), ("own", "", "")]
    assert (update.ref.file, update.dry_run) == ("a.yaml", True)
    assert (condition.condition, condition.json_path, condition.ref.selector) == (("Ready", ""), None, "a=b")
    assert (path.json_path, path.condition, path.ref.name) == (("{.status.phase}", "Running"), None, "x")
    assert (gone.deletion, gone.condition, gone.timeout, condition.format) == (True, None, 3.0, "(f)")
    assert (proxy.api_version, proxy.object_kind, proxy.name, proxy.namespace) == ("v1", "Pod", "x", "n")
    assert (proxy.port, proxy.path, proxy.outputs[0].name) == ("80", "/a", "a")


def test_what_was_not_given_is_none_so_that_outer_levels_decide(load: Any) -> None:
    (test,) = load(HEAD + "spec:\n  steps: []\n")

    assert (test.skip, test.concurrent, test.template, test.fail_fast) == (None, None, None, None)
    assert test.timeouts == model.Timeouts()
    assert test.timeouts.over(model.DEFAULT_TIMEOUTS) == model.DEFAULT_TIMEOUTS


def test_inner_timeouts_win_one_by_one() -> None:
    inner, outer = model.Timeouts(apply=1.0), model.Timeouts(apply=2.0, assert_=3.0)

    assert inner.over(outer) == model.Timeouts(apply=1.0, assert_=3.0)


def test_a_file_may_hold_several_tests(load: Any) -> None:
    tests = load(HEAD + "spec: {steps: []}\n---\n" + HEAD.replace("name: t", "name: u") + "spec: {steps: []}\n")

    assert [(test.name, test.index, test.where.line) for test in tests] == [("t", 0, 1), ("u", 1, 7)]


SPEC = HEAD + "spec:\n"
EMPTY = "spec: {steps: []}\n"
REFUSED: list[tuple[str, int, str]] = [
    # the document
    ("a: 1\n", 1, "unknown field 'a' of a Test"),
    ("[]\n", 1, "a Test has to be a mapping, found a list"),
    ("just text\n", 1, "a Test has to be a mapping, found the text"),
    ("apiVersion: v1\nkind: Pod\n", 2, "expected Test of chainsaw.kyverno.io/v1alpha1, found Pod of v1"),
    ("apiVersion: chainsaw.kyverno.io/v1alpha2\nkind: Test\n", 1, "expected Test of"),
    ("kind: Test\n", 1, "a Test has no apiVersion"),
    (HEAD, 1, "a Test has no spec"),
    (HEAD + "status: {}\n", 5, "status of a Test is not for files"),
    (HEAD.replace(": t\n", ": 3\n") + EMPTY, 4, "name of metadata has to be a text, found the number 3"),
    (HEAD.replace("name: t", "name: ../../etc") + EMPTY, 4, "cannot be the name of a test"),
    (HEAD.replace("name: t", 'name: "a\\nb"') + EMPTY, 4, "cannot be the name of a test"),
    (HEAD.replace("name: t", "name: " + "a" * 300) + EMPTY, 4, "cannot be the name of a test"),
    (HEAD.replace("name: t", "name: '()'") + EMPTY, 4, "cannot be the name of a test"),
    (
        HEAD.replace("name: t", "name: t\n  lables: {}") + EMPTY,
        5,
        r"unknown field 'lables' of metadata \(did you mean labels",
    ),
    # the spec
    (SPEC + "  description: x\n", 6, "spec has no steps"),
    (SPEC + "  steps: {}\n", 6, "steps of spec has to be a list, found a mapping"),
    (SPEC + "  stepps: []\n", 6, r"unknown field 'stepps' of spec \(did you mean steps"),
    (SPEC + "  scenarios: [{binding: []}]\n  steps: []\n", 6, r"unknown field 'binding' of a scenario"),
    (SPEC + "  scenarios: [{bindings: [{name: a}]}]\n  steps: []\n", 6, "a binding has no value"),
    (SPEC + "  cluster: ''\n  steps: []\n", 6, "cluster of spec is empty"),
    (SPEC + "  clusters: [a]\n  steps: []\n", 6, "clusters of spec has to map names"),
    (SPEC + "  compiler: cel\n  steps: []\n", 6, "compiler of spec is 'cel': expressions can be JMESPath only"),
    (SPEC + "  namespaceTemplateCompiler: cel\n  steps: []\n", 6, "namespaceTemplateCompiler of spec is 'cel'"),
    (SPEC + "  concurrent: 'no'\n  steps: []\n", 6, "concurrent of spec has to be true or false, found the text 'no'"),
    (SPEC + "  concurrent: 0\n  steps: []\n", 6, "concurrent of spec has to be true or false, found the number 0"),
    (SPEC + "  skip: maybe\n  steps: []\n", 6, "skip of spec has to be true or false"),
    (SPEC + "  timeouts: {assert: 10}\n  steps: []\n", 6, "assert of timeouts has to be a text"),
    (SPEC + "  timeouts: {assert: 10 minutes}\n  steps: []\n", 6, "found '10 minutes'"),
    (SPEC + "  timeouts: {assert: 0s}\n  steps: []\n", 6, "has to be longer than 0"),
    (SPEC + "  timeouts: {assert: -5s}\n  steps: []\n", 6, "has to be longer than 0"),
    (SPEC + "  timeouts: {asert: 5s}\n  steps: []\n", 6, "did you mean assert"),
    (SPEC + "  deletionPropagationPolicy: foreground\n  steps: []\n", 6, "has to be one of Orphan"),
    (SPEC + "  bindings: [{name: a-b, value: 1}]\n  steps: []\n", 6, "'a-b' is not a name"),
    (SPEC + "  bindings: [{value: 1}]\n  steps: []\n", 6, "a binding has no name"),
    (SPEC + "  bindings: [{name: a}]\n  steps: []\n", 6, "a binding has no value"),
    (SPEC + "  bindings: [{name: a, value: (b ==)}]\n  steps: []\n", 6, "ends too early"),
    (SPEC + "  catch: [{apply: {file: x}}]\n  steps: []\n", 6, "catch is not supported: Chainsaw has it in try"),
    # steps and operations
    (step("- name: x"), 7, "a step has no try"),
    (step("- use: {template: x}"), 7, "template 'x': no such file"),
    (step("- use: {template: /etc/x}"), 7, "has to be a path relative to the test"),
    (step("- use: {with: {}}"), 7, "use has no template"),
    (step("- use: {template: x, bindings: []}"), 7, "unknown field 'bindings' of use"),
    (step("- compiler: cel\n  try: []"), 7, "compiler of a step is 'cel'"),
    (step("- try:\n  - aply: {file: x}"), 8, "did you mean apply"),
    (step("- try:\n  - {}"), 8, "needs exactly one of .*, has none"),
    (step("- try:\n  - apply: {file: x}\n    assert: {file: x}"), 8, "has apply and assert"),
    (step("- try:\n  - wait: {}"), 8, "wait has no for"),
    (step("- try:\n  - wait: {for: {}, apiVersion: v1, kind: Pod}"), 8, "for needs exactly one of condition, creation"),
    (step("- try:\n  - wait: {for: {deletion: {x: 1}}}"), 8, "unknown field 'x' of deletion"),
    (step("- try:\n  - wait: {for: {deletion: {}}}"), 8, "wait has no apiVersion"),
    (step("- try:\n  - wait: {for: {condition: {}}}"), 8, "condition has no name"),
    (step("- try:\n  - wait: {for: {condition: {name: a, value: ''}}}"), 8, "value of condition is empty"),
    (step("- try:\n  - wait: {for: {jsonPath: {value: a}}}"), 8, "jsonPath has no path"),
    (step("- try:\n  - wait: {for: {jsonPath: {path: '{..a}'}}}"), 8, "path of jsonPath: .* name the fields"),
    (step("- try:\n  - wait: {for: {jsonPath: {path: '{.a}{.b}'}}}"), 8, "path of jsonPath: .* has to be one path"),
    (step("- try:\n  - wait: {for: {jsonPath: {path: '.a', value: b=c}}}"), 8, "value of jsonPath: kubectl takes no ="),
    (step("- try:\n  - proxy: {apiVersion: apps/v1, kind: Deployment, name: x}"), 8, "only Pod and Service of v1"),
    (step("- try:\n  - proxy: {apiVersion: v1, kind: Node, name: x}"), 8, "kind of proxy is 'Node'"),
    (step("- try:\n  - wait: {for: {condition: {name: a}, deletion: {}}}"), 8, "has condition and deletion"),
    (step("- try:\n  - wait: {resource: pods, for: {}}"), 8, "replaced it by apiVersion and kind"),
    (step("- try:\n  - patch: {}"), 8, "patch needs exactly one of file, resource"),
    (step("- try:\n  - update: {file: a, ref: b}"), 8, "unknown field 'ref' of update"),
    (step("- try:\n  - proxy: {apiVersion: v1, kind: Pod}"), 8, "proxy has no name"),
    (step("- try:\n  - proxy: {apiVersion: v1, kind: Pod, name: x, port: 80}"), 8, "port of proxy has to be a text"),
    (step("- try:\n  - compiler: cel\n    sleep: {duration: 1s}"), 8, "expressions can be JMESPath only"),
    (step("- try:\n  - compiler: jq\n    sleep: {duration: 1s}"), 8, "there is no such language"),
    (step("- try: []\n  catch:\n  - patch: {file: a}"), 9, "Chainsaw has it in try alone"),
    (step("- try: []\n  catch:\n  - proxy: {name: a}"), 9, "Chainsaw has it in try alone"),
    (step("- try:\n  - apply: {}"), 8, "apply needs exactly one of file, resource, has none"),
    (step("- try:\n  - apply: file.yaml"), 8, "apply has to be a mapping, found the text 'file.yaml'"),
    (step("- try:\n  - apply: {file: a, resource: {}}"), 8, "has file and resource"),
    (step("- try:\n  - apply: {file: [a]}"), 8, "file of apply has to be a text, found a list"),
    (step("- try:\n  - apply:\n      resource: {kind: Pod}"), 9, "a resource has no apiVersion"),
    (step("- try:\n  - apply:\n      resource: {apiVersion: v1, kind: Pod}"), 9, "a resource has no metadata"),
    (step("- try:\n  - apply:\n      resource: {apiVersion: v1, kind: Pod, metadata: {}}"), 9, "metadata has no name"),
    (step("- try:\n  - apply: {file: a, cluster: ''}"), 8, "cluster of apply is empty"),
    (step("- try:\n  - apply: {file: a, clusters: [b]}"), 8, "clusters of apply has to map names"),
    (step("- try:\n  - apply: {file: a, clusters: {b: c}}"), 8, "cluster 'b' has to be a mapping, found the text 'c'"),
    (step("- try:\n  - apply: {file: a, clusters: {b: {ctx: c}}}"), 8, "unknown field 'ctx' of cluster 'b'"),
    (step("- try:\n  - sleep: {duration: 1s, cluster: b}"), 8, "unknown field 'cluster' of sleep"),
    (step("- try:\n  - assert: {file: a, expect: []}"), 8, "unknown field 'expect' of assert"),
    (step("- try:\n  - assert: {file: a, timeout: soon}"), 8, "found 'soon'"),
    (
        step("- try:\n  - assert:\n      resource:\n        spec:\n          (a ==): 1"),
        11,
        "expression .a ==., character 5",
    ),
    (step("- try:\n  - assert:\n      resource:\n        spec:\n          a: (b ==)"), 11, "expression .b ==."),
    (step("- try:\n  - assert:\n      resource:\n        a: 1\n        b: 'x -> y'"), 11, "only a key may"),
    (
        step(
            "- try:\n  - apply:\n      resource:\n        apiVersion: v1\n        kind: Pod\n"
            "        metadata: {name: (a ==)}"
        ),
        12,
        "expression .a ==.",
    ),
    (step("- try:\n  - assert:\n      resource:\n        (lenght(a)): 1"), 10, "did you mean length"),
    (step("- try:\n  - script: {}"), 8, "script has no content"),
    (step("- try:\n  - script: {content: x, shell: ''}"), 8, "shell of script is empty"),
    (step("- try:\n  - script: {content: x, shellArgs: -c}"), 8, "shellArgs of script has to be a list"),
    (step("- try:\n  - script: {content: x, file: y}"), 8, "write its path into content"),
    (step("- try:\n  - script: {content: x, timout: 5s}"), 8, "did you mean timeout"),
    (step("- try:\n  - script: {content: [x]}"), 8, "content of script has to be a text"),
    (step("- try:\n  - script: {content: x, check: {(a ==): 1}}"), 8, "ends too early"),
    (step("- try:\n  - command: {entrypoint: x, args: [1]}"), 8, "has to be a list of texts, found the number 1"),
    (step("- try:\n  - delete: {}"), 8, "delete needs exactly one of ref, file"),
    (step("- try:\n  - delete: {ref: {kind: Pod}}"), 8, "ref has no apiVersion"),
    (
        step("- try:\n  - delete: {ref: {apiVersion: v1, kind: Pod, labels: {a: 1}}}"),
        8,
        "has to hold texts, a is the number",
    ),
    (step("- try:\n  - sleep: {}"), 8, "sleep has no duration"),
    (step("- try:\n  - podLogs: {name: a, selector: b}"), 8, "has both name and selector"),
    (step("- try:\n  - podLogs: {tail: 1.5}"), 8, "tail of podLogs has to be an integer"),
    (step("- try:\n  - describe: {kind: Pod}"), 8, "describe has no apiVersion"),
    (step("- try:\n  - get: {apiVersion: v1, kind: Pod, format: xml}"), 8, "one of json, yaml, found 'xml'"),
    (
        step("- try: []\n  catch:\n  - continueOnError: true\n    script: {content: x}"),
        9,
        "continueOnError of an operation",
    ),
    (step("- try: []\n  finally:\n  - assert: {file: x}"), 9, "finally is not supported: Chainsaw has it in try"),
    (step("- try: []\n  try: []"), 8, "key 'try' again"),
]


@pytest.mark.parametrize(("text", "line", "reason"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_not_understood_is_refused_with_file_line_and_field(
    load: Any, tmp_path: Path, text: str, line: int, reason: str
) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        load(text)

    assert caught.value.where == f"{tmp_path / 'chainsaw-test.yaml'}:{line}"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "---\n", "# nothing\n"])
def test_a_file_without_a_test_is_refused(load: Any, text: str) -> None:
    with pytest.raises(ConfigurationError, match="holds no Test"):
        load(text)


def test_a_missing_file_of_an_operation_is_found_at_collection(load: Any, tmp_path: Path) -> None:
    (test,) = load(step("- try:\n  - apply:\n      file: none.yaml"))

    with pytest.raises(ConfigurationError, match=r"file 'none.yaml': no such file") as caught:
        check_files(test)

    assert caught.value.where == f"{tmp_path / 'chainsaw-test.yaml'}:8"


def test_a_broken_file_of_an_operation_is_found_at_collection(load: Any, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata:\n  name: (a ==)\n")
    (test,) = load(step("- try:\n  - apply: {file: a.yaml}"))

    with pytest.raises(ConfigurationError, match="ends too early") as caught:
        check_files(test)

    assert caught.value.where == f"{tmp_path / 'a.yaml'}:4"


@pytest.mark.parametrize(
    "text",
    [
        step("- try:\n  - apply: {file: a.yaml, template: false}"),
        step("- template: false\n  try:\n  - apply: {file: a.yaml}"),
        (SPEC + "  template: false\n  steps:\n  - try:\n    - apply: {file: a.yaml}\n"),
    ],
)
def test_expressions_that_will_not_be_evaluated_are_not_checked(load: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata:\n  name: (a ==)\n")

    check_files(load(text)[0])


def test_a_file_whose_name_is_computed_is_left_for_the_run(load: Any) -> None:
    check_files(load(step("- try:\n  - apply: {file: ($x)}"))[0])


def test_a_name_may_come_again_in_a_file_and_is_numbered_then(load: Any) -> None:
    document = SPEC + "  steps: []\n"

    tests = load("---\n".join([document] * 3))

    assert [test.title for test in tests] == ["t", "t#2", "t#3"]
    assert {test.name for test in tests} == {"t"}


def test_a_label_without_a_value_is_empty(load: Any) -> None:
    (test,) = load(HEAD + "  labels: {quick: , all: ''}\nspec: {steps: []}\n")

    assert test.labels == {"quick": "", "all": ""}
