from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.models.table import TableError, read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from proving_ground.models.table import Row, Table

HEADER = "skip,registry,name,version,unoptimized,hfToken,private,timeout,concurrent\n"
ROW = "no,ghcr.io/silogen,aim-openai-gpt-oss-20b,0.9.0-rc3,yes,no,yes,10m,yes\n"


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Table]:
    def make(content: str | bytes) -> Table:
        path = tmp_path / "models.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read(path)

    return make


def only(table: Table) -> Row:
    (row,) = table.rows
    return row


def problems(table: Callable[..., Table], content: str | bytes) -> list[str]:
    with pytest.raises(TableError) as caught:
        table(content)
    assert caught.value.exit_code == 3
    lines = caught.value.lines()
    assert all("\n" not in line for line in [*lines, str(caught.value)])
    return [line.partition("models.csv")[2].removeprefix(":") for line in lines]


def test_a_row_has_every_column_and_its_derived_names(table: Callable[..., Table]) -> None:
    row = only(table(HEADER + ROW))
    assert (row.line, row.skip, row.registry, row.name, row.version) == (
        2, False, "ghcr.io/silogen", "aim-openai-gpt-oss-20b", "0.9.0-rc3",
    )  # fmt: skip
    assert (row.unoptimized, row.hf_token, row.private, row.concurrent) == (True, False, True, True)
    assert (row.timeout, row.timeout_text) == (600.0, "10m")
    assert row.image == "ghcr.io/silogen/aim-openai-gpt-oss-20b:0.9.0-rc3"
    assert row.folder == "aim-ghcr-io-silogen-aim-openai-gpt-oss-20b-0-9-0-rc3"


def test_optional_columns_have_the_documented_defaults_when_absent(table: Callable[..., Table]) -> None:
    row = only(table("registry,name,version\namdenterpriseai,aim-x,1\n"))
    assert (row.skip, row.unoptimized, row.hf_token, row.private, row.concurrent) == (False, False, False, False, True)
    assert row.timeout_text == "10m"


def test_optional_columns_have_the_same_defaults_when_empty(table: Callable[..., Table]) -> None:
    row = only(table(HEADER + ",amdenterpriseai,aim-x,1,,,,,\n"))
    assert (row.skip, row.unoptimized, row.hf_token, row.private, row.concurrent) == (False, False, False, False, True)


def test_columns_may_come_in_any_order(table: Callable[..., Table]) -> None:
    row = only(table("version,name,registry,skip\n1,aim-x,amdenterpriseai,yes\n"))
    assert (row.image, row.skip) == ("amdenterpriseai/aim-x:1", True)


@pytest.mark.parametrize("word", ["yes", "YES", "Yes", " yes "])
def test_yes_counts_in_any_case(table: Callable[..., Table], word: str) -> None:
    assert only(table(f"registry,name,version,private\nr,aim-x,1,{word}\n")).private


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("\ufeff" + HEADER + ROW, id="byte order mark"),
        pytest.param((HEADER + ROW).replace("\n", "\r\n"), id="CRLF"),
        pytest.param((HEADER + ROW).rstrip("\n"), id="no last newline"),
        pytest.param(HEADER + '\n# a comment, with "a quote\n  # and another\n' + ROW, id="comments and blank lines"),
        pytest.param(HEADER + ",,,,,,,,\n" + ROW, id="empty row"),
        pytest.param(HEADER.replace(",", " , ") + ROW.replace(",", " , "), id="spaces"),
        pytest.param(HEADER + ",".join(f'"{value}"' for value in ROW.strip().split(",")), id="quotes"),
        pytest.param(HEADER + ROW.rstrip("\n") + ",,\n", id="commas at the end"),
    ],
)  # fmt: skip
def test_the_same_row_is_read_from(table: Callable[..., Table], content: str | bytes) -> None:
    assert only(table(content)).image == "ghcr.io/silogen/aim-openai-gpt-oss-20b:0.9.0-rc3"


def test_lines_are_counted_as_an_editor_does(table: Callable[..., Table]) -> None:
    assert [row.line for row in table(f"# one\n\n{HEADER}{ROW}\n# six\nno,r,aim-b,1\n").rows] == [4, 7]


def test_a_comma_inside_quotes_does_not_split_a_value(table: Callable[..., Table]) -> None:
    assert problems(table, HEADER + 'no,r,"aim-a,b",1\n')[0].startswith("2: column name: 'aim-a,b' is not part")


def test_an_unknown_column_names_the_nearest_known_one(table: Callable[..., Table]) -> None:
    assert problems(table, "registry,name,version,hf_token\n") == [
        "1: unknown column 'hf_token' (did you mean hfToken?)"
    ]


def test_a_missing_required_column_is_refused(table: Callable[..., Table]) -> None:
    (line,) = problems(table, "registry,name\nr,aim-x\n")
    assert line.startswith("1: column version is missing")


def test_a_doubled_column_is_refused(table: Callable[..., Table]) -> None:
    assert problems(table, "registry,name,version,name\n") == ["1: column name is there 2 times"]


def test_semicolons_are_named_as_the_problem(table: Callable[..., Table]) -> None:
    assert problems(table, HEADER.replace(",", ";")) == [
        "1: is separated by semicolons (separate the columns by commas)"
    ]


@pytest.mark.parametrize("word", ["true", "1", "y", "ja"])
def test_anything_but_yes_and_no_is_refused(table: Callable[..., Table], word: str) -> None:
    assert problems(table, f"registry,name,version,skip\nr,aim-x,1,{word}\n") == [
        f"2: column skip: expected yes or no, found '{word}'"
    ]


@pytest.mark.parametrize("timeout", ["10", "0s", "-5m", "10 m", "ten", "25h", "1e9s", "٣m"])
def test_a_bad_timeout_is_refused_with_line_and_column(table: Callable[..., Table], timeout: str) -> None:
    (line,) = problems(table, f"registry,name,version,timeout\nr,aim-x,1,{timeout}\n")
    assert line.startswith("2: column timeout: expected a duration")


@pytest.mark.parametrize(
    ("timeout", "seconds"), [("90s", 90), ("1h30m", 5400), ("1.5h", 5400), ("500ms", 0.5), ("24h", 86400)]
)
def test_a_timeout_is_a_go_duration(table: Callable[..., Table], timeout: str, seconds: float) -> None:
    row = only(table(f"registry,name,version,timeout\nr,aim-x,1,{timeout}\n"))
    assert (row.timeout, row.timeout_text) == (pytest.approx(seconds), timeout)


@pytest.mark.parametrize("values", ["r,,1", ",aim-x,1", "r,aim-x,", "r", ",,1"])
def test_a_partly_empty_row_is_refused(table: Callable[..., Table], values: str) -> None:
    assert all(" is empty" in line for line in problems(table, f"registry,name,version\n{values}\n"))


def test_a_row_that_was_cut_off_is_refused(table: Callable[..., Table]) -> None:
    assert [line.partition(" (")[0] for line in problems(table, HEADER + ROW + "no,ghcr.io/sil")] == [
        "3: column name is empty",
        "3: column version is empty",
    ]


def test_too_many_values_are_refused(table: Callable[..., Table]) -> None:
    assert problems(table, "registry,name,version\nr,aim-x,1,2\n") == [
        "2: expected 3 values, found 4 (quote values with commas)"
    ]


def test_an_unclosed_quote_names_the_line_where_it_was_opened(table: Callable[..., Table]) -> None:
    (line,) = problems(table, HEADER + ROW + 'no,"r,aim-x,1\n' + ROW)
    assert line == "3: is not valid CSV: unexpected end of data (a quote was opened and not closed)"


def test_upper_case_is_refused_in_an_active_row(table: Callable[..., Table]) -> None:
    assert problems(table, HEADER + "no,r,aim-Qwen3-8B,1\n") == [
        "2: column name: 'aim-Qwen3-8B' has upper-case letters, which no image reference may have"
    ]


def test_upper_case_is_warned_of_in_a_skipped_row(table: Callable[..., Table]) -> None:
    found = table(HEADER + "yes,r,aim-Qwen3-8B,1\n")
    assert only(found).folder == "aim-r-aim-qwen3-8b-1"
    assert found.warnings[0].endswith(
        "models.csv:2: column name: 'aim-Qwen3-8B' has upper-case letters, which no image reference may have; "
        "the row is skipped"
    )


def test_upper_case_is_allowed_in_a_version(table: Callable[..., Table]) -> None:
    assert only(table(HEADER + "no,r,aim-x,1-RC2\n")).folder == "aim-r-aim-x-1-rc2"


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("name", "no,r,../../etc,1"),
        ("name", "no,r,/etc/passwd,1"),
        ("name", "no,r,$(reboot),1"),
        ("name", "no,r,aim x,1"),
        ("name", "no,r," + "a" * 300 + ",1"),
        ("name", "no,r,aim-é,1"),
        ("registry", "no,../..,aim-x,1"),
        ("registry", "no,https://ghcr.io,aim-x,1"),
        ("registry", "no,ghcr.io/,aim-x,1"),
        ("version", "no,r,aim-x,../1"),
        ("version", "no,r,aim-x,sha256:00"),
        ("version", "no,r,aim-x," + "1" * 129),
    ],
)
def test_a_hostile_name_is_refused_with_line_and_column(table: Callable[..., Table], column: str, values: str) -> None:
    (line,) = problems(table, f"{HEADER}{values}\n")
    assert line.startswith(f"2: column {column}: ")
    assert len(line) < 250


@pytest.mark.parametrize("character", ["\n", "\r", "\x1b", "\x07", "\u202e", "\u2028"])
def test_line_breaks_and_control_characters_are_refused(table: Callable[..., Table], character: str) -> None:
    (line,) = problems(table, f'{HEADER}no,r,"aim-x{character}y",1\n')
    assert line.startswith("2: column name: line breaks and control characters are refused")
    assert character not in line


def test_the_same_image_twice_is_refused_with_both_lines(table: Callable[..., Table]) -> None:
    (line,) = problems(table, HEADER + ROW + ROW.replace("10m", "20m"))
    assert line.startswith("3: 'ghcr.io/silogen/aim-openai-gpt-oss-20b:0.9.0-rc3' is also on line 2")


def test_two_images_of_one_folder_are_refused_with_both_lines(table: Callable[..., Table]) -> None:
    (line,) = problems(table, HEADER + "no,r,aim-x.y,1\nno,r,aim-x-y,1\n")
    assert line.startswith("3: 'r/aim-x-y:1' has the folder aim-r-aim-x-y-1 of r/aim-x.y:1 on line 2")


def test_underscores_become_dashes_visibly(table: Callable[..., Table]) -> None:
    found = table(HEADER + "no,r,aim_x,1_\n")
    assert only(found).folder == "aim-r-aim-x-1"
    assert "its folder is called aim-r-aim-x-1" in found.warnings[0]


def test_every_problem_is_told_and_the_rest_counted(table: Callable[..., Table]) -> None:
    lines = problems(table, HEADER + "maybe,r,aim-x,1,,,,soon,\n" * 30)
    assert lines[:2] == [
        "2: column skip: expected yes or no, found 'maybe'",
        "2: column timeout: expected a duration such as 500ms, 10m or 1h30m, found 'soon'",
    ]
    assert lines[20] == ""
    with pytest.raises(TableError, match="and 59 more"):
        table(HEADER + "maybe,r,aim-x,1,,,,soon,\n" * 30)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\n\n# only a comment\n", "is empty"),
        (HEADER.encode(), "has a header and no rows"),
        (b"PK\x03\x04\x00\x00\xff", "expected UTF-8 text"),
        (b"registry\x00,name\n", "expected a CSV file, found binary data"),
        (HEADER.encode() + b"no,r,aim-\xe9,1\n", "2: expected UTF-8 text"),
        (HEADER.encode("utf-16"), "expected UTF-8, found UTF-16"),
    ],
)
def test_a_file_without_a_table_is_refused(table: Callable[..., Table], content: str | bytes, problem: str) -> None:
    assert problem in problems(table, content)[0]


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"nothing\.csv: no such file"):
        read(tmp_path / "nothing.csv")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="expected a CSV file, found a directory"):
        read(tmp_path)


def test_a_huge_table_is_read_whole(table: Callable[..., Table]) -> None:
    rows = "".join(f"no,ghcr.io/silogen,aim-model-{i},0.9.0,,,,,\n" for i in range(10_000))
    assert len(table(HEADER + rows).active) == 10_000


def test_active_and_skipped_rows_are_told_apart(table: Callable[..., Table]) -> None:
    found = table(HEADER + "no,r,aim-a,1\nyes,r,aim-b,1\n")
    assert [row.name for row in found.active] == ["aim-a"]
    assert [row.name for row in found.skipped] == ["aim-b"]
