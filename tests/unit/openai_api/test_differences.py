"""Known differences of servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.errors import ConfigurationError
from proving_ground.openai_api.conformity import Finding
from proving_ground.openai_api.differences import FILE, differences_of, read

if TYPE_CHECKING:
    from pathlib import Path


def test_the_file_of_the_package_can_be_read_and_every_entry_has_a_reason() -> None:
    assert all(len(known.reason) > 10 for known in read(FILE))


def test_brackets_in_a_rule_stand_for_themselves() -> None:
    known = differences_of("llama.cpp")
    assert known.reason("chat-completion.choices[].logprobs:required")
    assert not known.reason("chat-completion.choicesx.logprobs:required")


def test_what_is_listed_for_another_server_is_not_tolerated() -> None:
    assert differences_of("llama.cpp").reason("request-id")
    assert not differences_of("fleet").reason("request-id")
    assert not differences_of("").reason("request-id")


def test_a_finding_that_is_tolerated_already_keeps_its_reason() -> None:
    finding = Finding("request-id", "$", "none", "known elsewhere")
    assert differences_of("llama.cpp").applied(finding).tolerated == "known elsewhere"


@pytest.mark.parametrize(
    "text",
    ["", "differences: [", "differences: {}", "differences: [{servers: [a], rules: [b]}]", "other: []"],
    ids=["empty", "no-yaml", "no-list", "no-reason", "unknown-field"],
)
def test_a_bad_file_is_refused_with_its_place(tmp_path: Path, text: str) -> None:
    path = tmp_path / "differences.yml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"differences\.yml"):
        read(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        read(tmp_path / "none.yml")
