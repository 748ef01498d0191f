from __future__ import annotations

import base64
from pathlib import Path

import pytest

from proving_ground.errors import ConfigurationError
from proving_ground.plugin.event_log import EventLog, Masking, read_masks


def test_values_are_masked_in_strings_keys_and_lists() -> None:
    masking = Masking(["secret"])
    assert masking.data({"a secret": ["x", {"k": "secret secret"}], "n": 1}) == {
        "a ***": ["x", {"k": "*** ***"}],
        "n": 1,
    }


def test_the_longest_value_wins() -> None:
    assert Masking(["abc", "abcdef"]).text("abcdef abc") == "*** ***"


def test_base64_of_a_value_is_masked() -> None:
    assert Masking(["token"]).text(base64.b64encode(b"token").decode()) == "***"


def test_blank_values_mask_nothing() -> None:
    assert Masking(["", "  "]).text("a b") == "a b"


def test_patterns_in_values_are_taken_literally() -> None:
    assert Masking([".*"]).text("abc .*") == "abc ***"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_is_not_text_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mask"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="the values to mask cannot be read"):
        read_masks([path])


def test_an_empty_file_holds_no_values(tmp_path: Path) -> None:
    (tmp_path / "mask").write_text("")
    assert read_masks([tmp_path / "mask"]) == []


def test_a_log_without_a_path_takes_events_and_forgets_them() -> None:
    EventLog(None, Masking()).close()
