from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from proving_ground.errors import ConfigurationError
from proving_ground.models import values

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from proving_ground.models.table import Table

PRIVATE, GATED, PLAIN = "r,aim-a,1,private", "r,aim-b,1,hfToken", "r,aim-c,1"
CONFIG = json.dumps({"auths": {"ghcr.io": {"auth": "c2VjcmV0"}}})
SECRET = "hf_very_secret"


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str, mode: int = 0o600) -> Path:
        path = tmp_path / "values.yaml"
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


def test_no_file_is_needed_where_no_active_row_needs_one(table_of: Callable[..., Table], tmp_path: Path) -> None:
    rows = table_of(PLAIN, f"{GATED},skip").rows
    assert values.check([tmp_path / "values.yaml"], rows) == []


def test_a_missing_file_names_the_row_that_needs_it(table_of: Callable[..., Table], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no values file, and line 3 \(aim-b\) needs hfToken") as caught:
        values.check([tmp_path / "values.yaml"], table_of(PLAIN, GATED).rows)
    assert "values.yaml.example" in caught.value.hint


def test_what_a_command_line_gives_needs_no_file(table_of: Callable[..., Table]) -> None:
    assert values.check([], table_of(GATED).rows, given=["hfToken"]) == []


def test_values_that_rows_need_are_accepted(table_of: Callable[..., Table], file: Callable[..., Path]) -> None:
    path = file(f"imagePullSecret: '{CONFIG}'\nhfToken: {SECRET}\n")
    assert values.check([path], table_of(PRIVATE, GATED).rows) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("imagePullSecret: ''\n", "imagePullSecret is missing, line 2"),
        ("other: 1\n", "imagePullSecret is missing, line 2"),
        ("imagePullSecret: {auths: {}}\n", "expected a string"),
        ("imagePullSecret: '{\"auths\": '\n", "expected a Docker config in JSON, broken at its line 1"),
        ("imagePullSecret: '{}'\n", "expected a Docker config with auths"),
        ("imagePullSecret: '[1]'\n", "expected a Docker config with auths"),
        ("- 1\n", "expected a mapping"),
        ("", "expected a mapping"),
        ("imagePullSecret: 'hf_very_secret\n", r"values\.yaml:2:1: is not valid YAML"),
        ("a: b\n\tc: hf_very_secret\n", r"values\.yaml:2:1: is not valid YAML"),
    ],
)
def test_a_broken_file_is_refused_in_one_line_without_its_values(
    table_of: Callable[..., Table], file: Callable[..., Path], text: str, problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem) as caught:
        values.check([file(text)], table_of(PRIVATE).rows)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_is_refused(table_of: Callable[..., Table], tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    path.chmod(0o600)
    with pytest.raises(ConfigurationError):
        values.check([path], table_of(PRIVATE).rows)


@pytest.mark.parametrize("token", ["[1]", "two words", "7"])
def test_a_token_is_one_word(table_of: Callable[..., Table], file: Callable[..., Path], token: str) -> None:
    with pytest.raises(ConfigurationError, match="hfToken: expected"):
        values.check([file(f"hfToken: {token}\n")], table_of(GATED).rows)


def test_a_file_that_others_may_read_is_made_private(table_of: Callable[..., Table], file: Callable[..., Path]) -> None:
    path = file(f"hfToken: {SECRET}\n", 0o644)
    (warning,) = values.check([path], table_of(GATED).rows)
    assert warning.endswith("others could read it (mode 0644), now 0600")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_made_up_values_are_private_fit_and_stay(table_of: Callable[..., Table], tmp_path: Path) -> None:
    path = tmp_path / "state/values.yaml"
    first = values.write_once(path, values.made_up(["ghcr.io/silogen", "amdenterpriseai"]))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert values.check([path], table_of(PRIVATE, GATED).rows) == []
    assert list(json.loads(first["imagePullSecret"])["auths"]) == ["ghcr.io", "https://index.docker.io/v1/"]
    assert values.write_once(path, values.made_up([])) == first
    assert [entry.name for entry in path.parent.iterdir()] == ["values.yaml"]


def test_what_must_be_masked_are_tokens_and_passwords_but_no_user() -> None:
    made = values.made_up(["ghcr.io/silogen"])
    host = json.loads(made["imagePullSecret"])["auths"]["ghcr.io"]
    texts = values.secret_texts(made)
    assert {host["password"], made["hfToken"], made["imagePullSecret"]} == set(texts)
