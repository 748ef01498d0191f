from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.proving.ground.plugins.module_utils.platform_document import converge, merged


def test_mappings_are_merged() -> None:
    assert merged({"a": {"b": 1}}, {"a": {"c": 2}}) == {"a": {"b": 1, "c": 2}}


def test_lists_get_what_is_new() -> None:
    assert merged(["gpu"], ["gpu", "fleet"]) == ["gpu", "fleet"]


def test_an_item_of_the_same_name_is_replaced() -> None:
    assert merged([{"name": "a", "groups": ["x"]}], [{"name": "a"}]) == [{"name": "a"}]


def test_defaults_do_not_replace_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "platform.json"
    converge(file, {}, {"clock": {"started": "first"}}, check=False)
    result = converge(file, {}, {"clock": {"started": "second"}}, check=False)
    assert not result["changed"]
    assert json.loads(file.read_text())["clock"] == {"started": "first"}


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    assert converge(tmp_path / "platform.json", {"a": 1}, {}, check=True)["changed"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00"])
def test_a_broken_file_is_not_replaced(tmp_path: Path, content: str) -> None:
    file = tmp_path / "platform.json"
    file.write_text(content)
    with pytest.raises(ValueError):  # noqa: PT011 - the message is the parser's
        converge(file, {"a": 1}, {}, check=False)
    assert file.read_text() == content


def test_fragments_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    file = tmp_path / "platform.json"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: converge(file, {"endpoints": {f"e{n}": n}}, {}, check=False), range(24)))
    assert len(json.loads(file.read_text())["endpoints"]) == 24
