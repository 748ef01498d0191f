from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from proving_ground.chainsaw.assertions import check, parse_tree
from proving_ground.chainsaw.loader import check_files, load_tests
from proving_ground.errors import ConfigurationError
from proving_ground.models import templates
from proving_ground.models.generation import generate, plan
from proving_ground.models.templates import compose, load_templates

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeAlias

    from proving_ground.models.table import Table

    Judges: TypeAlias = tuple[Callable[..., bool], Callable[..., bool]]

ALL = "ghcr.io/silogen,aim-openai-gpt-oss-20b,0.9.0-rc3,unoptimized,hfToken,private,alone"
OBJECT = "aim-openai-gpt-oss-20b-0-9-0-r-638d160"
TEST = "aim-ghcr-io-silogen-aim-openai-gpt-oss-20b-0-9-0-rc3"


@pytest.fixture
def composed(table_of: Callable[..., Table]) -> Callable[..., dict[str, Any]]:
    def make(row: str = ALL, **options: Any) -> dict[str, Any]:
        (made,) = table_of(row).rows
        return {name: yaml.safe_load(text) for name, text in compose(made, load_templates(**options)).items()}

    return make


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A team's folder of templates, as it is upstream: without ours for the inference request."""
    folder = tmp_path / "templates"
    folder.mkdir()
    for name in (*templates.REQUIRED, *templates.FRAGMENTS):
        (folder / name).write_text(templates.packaged_text(name))
    return folder


def steps(files: dict[str, Any]) -> list[str]:
    return [step["name"] for step in files["chainsaw-test.yaml"]["spec"]["steps"]]


def test_a_plain_row_makes_a_plain_service(composed: Callable[..., dict[str, Any]]) -> None:
    assert composed("r,aim-x,1")["service.yaml"] == {
        "apiVersion": "aim.silogen.ai/v1alpha1",
        "kind": "AIMService",
        "metadata": {"name": "aim-r-aim-x-1"},
        "spec": {"model": {"image": "r/aim-x:1"}},
    }


def test_every_flag_adds_its_fragment(composed: Callable[..., dict[str, Any]]) -> None:
    spec = composed()["service.yaml"]["spec"]
    assert spec["template"] == {"allowUnoptimized": True}
    assert spec["imagePullSecrets"] == [{"name": "ghcr-pull-secret"}]
    assert spec["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "hf-token", "key": "token"}


def test_the_test_has_the_folder_s_name_and_the_service_the_short_one(composed: Callable[..., dict[str, Any]]) -> None:
    files = composed()
    assert files["chainsaw-test.yaml"]["metadata"]["name"] == TEST
    assert files["service.yaml"]["metadata"]["name"] == OBJECT


def test_the_steps_come_in_upstream_s_order(composed: Callable[..., dict[str, Any]]) -> None:
    assert steps(composed()) == [
        "Create image pull secret",
        "Create HF token secret",
        "Create service",
        "Check for Degraded or Failed state",
        "Verify service becomes ready",
        "Ask the model",
    ]


def test_secrets_are_applied_from_the_shared_files(composed: Callable[..., dict[str, Any]]) -> None:
    first, second, *_ = composed()["chainsaw-test.yaml"]["spec"]["steps"]
    assert first["try"][0]["apply"]["file"] == "../secret-imagepull.yaml"
    assert second["try"][0]["apply"]["file"] == "../secret-hftoken.yaml"


def test_concurrent_is_written_only_where_it_is_no(composed: Callable[..., dict[str, Any]]) -> None:
    assert composed()["chainsaw-test.yaml"]["spec"]["concurrent"] is False
    assert "concurrent" not in composed("r,aim-x,1")["chainsaw-test.yaml"]["spec"]


def test_the_states_that_end_a_wait_at_once_are_named(composed: Callable[..., dict[str, Any]]) -> None:
    annotations = composed()["chainsaw-test.yaml"]["metadata"]["annotations"]
    assert annotations == {"proving.ground/fail-fast-states": "Failed,Degraded"}


@pytest.mark.parametrize(
    ("group", "condition"), [("aim.silogen.ai", "RuntimeReady"), ("aim.eai.amd.com", "InferenceServiceReady")]
)
def test_ready_is_running_and_the_group_s_condition(
    composed: Callable[..., dict[str, Any]], group: str, condition: str
) -> None:
    assertion = composed(api_group=group)["chainsaw-test.yaml"]["spec"]["steps"][4]["try"][0]["assert"]
    assert assertion["timeout"] == "20m"
    assert assertion["resource"]["apiVersion"] == f"{group}/v1alpha1"
    assert assertion["resource"]["status"] == {
        "status": "Running",
        f"(conditions[?type == '{condition}'])": [{"status": "True"}],
    }


def test_an_unknown_group_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"known are aim\.silogen\.ai, aim\.eai\.amd\.com"):
        load_templates(api_group="aim.example.com")


@pytest.mark.parametrize("group", templates.API_GROUPS)
@pytest.mark.parametrize("row", [ALL, "r,aim-x,1", "r,aim-1e5,1,hfToken"])
def test_the_engine_takes_what_is_generated(
    table_of: Callable[..., Table], tmp_path: Path, row: str, group: str
) -> None:
    made = plan(table_of(row), load_templates(api_group=group), tmp_path / "out")
    generate(made)
    for folder in made.tests:
        (test,) = load_tests(folder.path / "chainsaw-test.yaml")
        check_files(test)


def test_a_team_s_templates_without_the_request_make_tests_without_it(
    composed: Callable[..., dict[str, Any]], own: Path
) -> None:
    assert steps(composed(directory=own))[-1] == "Verify service becomes ready"


def test_a_last_line_without_newline_does_not_run_into_the_next_template(
    composed: Callable[..., dict[str, Any]], own: Path
) -> None:
    header = own / "chainsaw-test-header.yaml"
    header.write_text(header.read_text().rstrip("\n"))
    assert len(steps(composed(directory=own))) == 5


def test_a_doubled_dollar_keeps_a_shell_variable(composed: Callable[..., dict[str, Any]], own: Path) -> None:
    header = own / "chainsaw-test-header.yaml"
    header.write_text(header.read_text().replace("Model ${IMAGE}", "Model $${HOME}"))
    assert composed(directory=own)["chainsaw-test.yaml"]["spec"]["description"].startswith("Model ${HOME}")


def test_an_unknown_variable_is_refused_with_file_and_line(own: Path) -> None:
    (own / "service-base.yaml").write_text("a: 1\nb: ${MODEL}\n")
    with pytest.raises(ConfigurationError, match=r"service-base\.yaml:2: unknown variable \$\{MODEL\}"):
        load_templates(own)


def test_a_missing_required_template_is_refused(own: Path) -> None:
    (own / "chainsaw-test-error-check.yaml").unlink()
    with pytest.raises(ConfigurationError, match=r"template chainsaw-test-error-check\.yaml is missing"):
        load_templates(own)


def test_a_missing_fragment_is_refused_only_where_a_row_needs_it(
    composed: Callable[..., dict[str, Any]], own: Path
) -> None:
    (own / "service-hftoken.yaml").unlink()
    composed("r,aim-x,1", directory=own)
    with pytest.raises(ConfigurationError, match=r"template service-hftoken\.yaml is missing"):
        composed(directory=own)


def test_a_header_without_spec_is_refused(own: Path) -> None:
    (own / "chainsaw-test-header.yaml").write_text("kind: Test\n")
    with pytest.raises(ConfigurationError, match="expected a line spec:"):
        load_templates(own)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such folder of templates"):
        load_templates(tmp_path / "nothing")


def test_a_broken_fragment_is_refused_before_anything_is_written(
    table_of: Callable[..., Table], own: Path, tmp_path: Path
) -> None:
    (own / "service-hftoken.yaml").write_text("  env: [\n")
    with pytest.raises(ConfigurationError, match=r"service\.yaml of .* is broken: line"):
        plan(table_of(ALL), load_templates(own), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def answers(composed: Callable[..., dict[str, Any]]) -> Judges:
    """How the two checks of the request judge what the model's endpoint said."""
    listing, chat = composed()["chainsaw-test.yaml"]["spec"]["steps"][-1]["try"]

    def judge(script: dict[str, Any], stdout: str, error: str | None = None) -> bool:
        return not check(parse_tree(script["script"]["check"]), None, {"stdout": stdout, "error": error})

    return lambda stdout, error=None: judge(listing, stdout, error), lambda stdout, error=None: judge(
        chat, stdout, error
    )


def test_the_listed_model_is_the_image_s_whatever_its_spelling(answers: Judges) -> None:
    listing, _ = answers
    assert listing('{"object": "list", "data": [{"id": "openai/gpt-oss-20b"}]}')
    assert listing('{"object": "list", "data": [{"id": "OpenAI/GPT-OSS-20B"}]}')


@pytest.mark.parametrize(
    ("stdout", "error"),
    [
        ('{"object": "list", "data": [{"id": "openai/gpt-oss-120b"}]}', None),
        ('{"object": "list", "data": []}', None),
        ("{}", "exit status 22"),
        ('{"object": "list", "data": [{"id": "openai/gpt-oss-20b"}]}', "exit status 28"),
    ],
)
def test_another_listing_fails_the_check(answers: Judges, stdout: str, error: str | None) -> None:
    listing, _ = answers
    assert not listing(stdout, error)


CHAT = '{"object": "chat.completion", "model": "openai/gpt-oss-20b", "choices": [{"message": {"content": "Hello"}}]}'


def test_a_completion_of_the_model_passes(answers: Judges) -> None:
    _, chat = answers
    assert chat(CHAT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("chat.completion", "text_completion"),
        ("gpt-oss-20b", "other"),
        ('"Hello"', "null"),
        ('"Hello"', '""'),
        ('"Hello"', "7"),
        ('[{"message": {"content": "Hello"}}]', "[]"),
        ('[{"message": {"content": "Hello"}}]', "null"),
    ],
)
def test_any_other_answer_fails_the_check(answers: Judges, old: str, new: str) -> None:
    _, chat = answers
    assert old in CHAT
    assert not chat(CHAT.replace(old, new))
