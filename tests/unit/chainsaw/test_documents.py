"""YAML as Kubernetes reads it, with lines and bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proving_ground.chainsaw.documents import Mapping, parse_documents, plain, read_documents
from proving_ground.errors import ConfigurationError

FILE = Path("test.yaml")


def value_of(text: str) -> Any:
    (document,) = parse_documents(text, FILE)
    return plain(document)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-1", -1),
        ("+1", 1),
        ("1_000", 1000),
        ("010", 8),
        ("0o10", 8),
        ("0x1F", 31),
        ("0b11", 3),
        ("08", 8),
        ("1.5", 1.5),
        ("1e3", 1000),
        ("1.5e-3", 0.0015),
        ("1e400", "1e400"),
        (".inf", ".inf"),
        ("9" * 60, "9" * 60),
        ("true", True),
        ("True", True),
        ("yes", True),
        ("off", False),
        ("y", "y"),
        ("truE", "truE"),
        ("~", None),
        ("null", None),
        ("2024-01-31", "2024-01-31"),
        ("2024-01-31T12:00:00Z", "2024-01-31T12:00:00Z"),
        ("1:30", "1:30"),
        ("1.2.3", "1.2.3"),
        ("'-'", "-"),
        ("'1'", "1"),
        ('"yes"', "yes"),
        ("!!str 1", "1"),
        ("!!int '1'", 1),
        ("!!float 1", 1.0),
        ("(a == 'b')", "(a == 'b')"),
    ],
)
def test_a_scalar_means_what_it_means_to_kubernetes(text: str, value: Any) -> None:
    result = value_of(f"a: {text}")["a"]

    assert result == value
    assert type(result) is type(value)


def test_documents_keep_their_order_and_empty_ones_are_left_out() -> None:
    documents = parse_documents("---\n---\na: 1\n---\n# nothing\n---\nb: 2\n...\n", FILE)

    assert [plain(document) for document in documents] == [{"a": 1}, {"b": 2}]
    assert [document.line for document in documents] == [3, 7]


def test_every_entry_knows_its_line() -> None:
    (document,) = parse_documents("a:\n  b:\n  - c: 1\n    d: 2\n", FILE)

    assert isinstance(document, Mapping)
    inner = document.entries["a"].node
    assert isinstance(inner, Mapping)
    assert (document.entries["a"].line, inner.entries["b"].line, inner.entries["b"].node.line) == (1, 2, 3)


def test_keys_are_texts_as_in_json() -> None:
    assert value_of("1: a\non: b\nnull: c\n'e': d\n1.50: e") == {
        "1": "a",
        "true": "b",
        "null": "c",
        "e": "d",
        "1.50": "e",
    }
    with pytest.raises(ConfigurationError, match="key 'true' again"):
        value_of("true: a\n'true': b")


def test_aliases_and_merges_work_and_own_keys_win() -> None:
    text = "base: &b {x: 1, y: 2}\nown:\n  y: 3\n  <<: *b\nlater:\n  <<: *b\n  x: 4\nboth:\n  <<: [*b, {z: 5}]\n"

    assert value_of(text) == {
        "base": {"x": 1, "y": 2},
        "own": {"y": 3, "x": 1},
        "later": {"x": 4, "y": 2},
        "both": {"x": 1, "y": 2, "z": 5},
    }


def test_a_scalar_can_be_an_anchor() -> None:
    assert value_of("a: &x hello\nb: *x") == {"a": "hello", "b": "hello"}


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 10)}]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a: 1\nb: 2\na: 3", 3, r"key 'a' again \(first in line 1\)"),
        ("a:\n  b: 1\n  b: 2", 3, "key 'b' again"),
        ("a: {b: 1, b: 2}", 1, "key 'b' again"),
        ("a: [1, 2", 2, "not YAML"),
        ("a:\n\t- b", 2, "not YAML"),
        ("a: b: c", 1, "not YAML"),
        ("a: *nothing", 1, "no anchor &nothing"),
        ("a: &a [*a]", 1, "&a contains itself"),
        ("a: &a {b: {c: *a}}", 1, "&a contains itself"),
        ("a: !python/object:os.system x", 1, "tag .* is not supported"),
        ("a: !custom [1]", 1, "tag .* is not supported"),
        ("a: !!int x", 1, "not of its tag"),
        ("a: !!binary aGk=", 1, "tag .* is not supported"),
        ("? [a, b]\n: c", 1, "a key has to be a text"),
        ("<<: 1", 1, "merges mappings only"),
        (BOMB, 6, "more than 500000 values"),
        ("[" * 10_000, 1, "nested deeper than 100 levels"),
        ("{a: " * 10_000, 1, "nested deeper than 100 levels"),
        ("- " * 10_000 + "a", 1, "nested deeper than 100 levels"),
        ("%YAML 9.9\n---\na: 1", 1, "not YAML"),
        ("a: 1\x01", 1, "not YAML"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_what_is_wrong_is_refused_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        parse_documents(text, FILE)

    assert caught.value.where in (f"{FILE}:{line}", str(FILE))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe\x00\x01", "not text in UTF-8"),
        (b"a: 1\nb: \xe9\n", "test.yaml:2: not text in UTF-8"),
        (b"a: 1\nb: \x00\n", "test.yaml:2: a binary file"),
        (b"\x7fELF\x02\x01\x01\x00", "a binary file"),
        (b"a: " + b"x" * (9 * 2**20), "larger than 8 MiB"),
    ],
    ids=["utf-16", "latin-1", "null", "elf", "huge"],
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "test.yaml"
    path.write_bytes(content)

    with pytest.raises(ConfigurationError, match=reason):
        read_documents(path)


def test_a_byte_order_mark_and_windows_lines_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "test.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: |\r\n  x\r\n  y\r\n")

    assert [plain(document) for document in read_documents(path)] == [{"a": 1, "b": "x\ny\n"}]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"# only a comment\n", b"---\n---\n", b"\xef\xbb\xbf"])
def test_an_empty_file_has_no_documents(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "test.yaml"
    path.write_bytes(content)

    assert read_documents(path) == []


def test_a_missing_file_and_a_directory_are_named(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.yaml", "no such file"), (tmp_path, "cannot be read")):
        with pytest.raises(ConfigurationError, match=reason) as caught:
            read_documents(path)
        assert caught.value.where == str(path)
