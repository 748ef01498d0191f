from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from proving_ground.contracts.platform import Clock, Platform, System
from proving_ground.errors import ConfigurationError
from proving_ground.plugin.activation import override
from proving_ground.plugin.suite_files import SuiteFiles, read_suite

PLATFORM = Platform(
    run_id="r",
    inventory="i",
    clock=Clock(started=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
    systems={name: System(implementation="stand_in", parameters={"k": 1}) for name in ("aim", "dynamo")},
)


def test_a_key_alone_is_for_every_system_and_a_dotted_one_for_its_own() -> None:
    changed = override(PLATFORM, ["k=2", "aim.j={a: b}"]).systems
    assert changed["aim"].parameters == {"k": 2, "j": {"a": "b"}}
    assert changed["dynamo"].parameters == {"k": 2}
    assert PLATFORM.systems["aim"].parameters == {"k": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [("k", "expected KEY=VALUE"), ("=v", "expected KEY=VALUE"), ("k=[", "is not YAML"), ("no.k=1", "no system 'no'")],
)
def test_what_cannot_be_understood_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        override(PLATFORM, [text])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Input should be"),
        (b"name: [", "is not YAML"),
        (b"\xff\xfe", "cannot be read"),
        (b"- a", "Input should be"),
        (b"name: ../x\ndescription: d", "name: String should match"),
        (b"name: x\ndescription: d\nparallel: 0", "parallel: Input should be greater"),
        (b"name: x\ndescription: d\nfaults: {f: {description: d, must_fail: []}}", "must_fail: List should have"),
    ],
)
def test_a_broken_suite_file_names_itself_and_the_field(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "suite.yml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=said) as caught:
        read_suite(path)
    assert str(path) in caught.value.where


def test_a_folder_belongs_to_the_nearest_suite_above_it(tmp_path: Path) -> None:
    (tmp_path / "suite.yml").write_text("name: outer\ndescription: d")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "suite.yml").write_text("name: inner\ndescription: d")
    files = SuiteFiles()
    names = [suite.name if (suite := files.of(folder)) else "" for folder in (tmp_path / "a", inner, tmp_path.parent)]
    assert names == ["outer", "inner", ""]
