from __future__ import annotations

import pytest

from proving_ground.mocks import MockError, read_query
from proving_ground.mocks.given import Given, read_query_as_told


@pytest.mark.parametrize("text", ["a", "a=1&b", "&", "=%ff", "a=%ff", "&".join(f"a{n}=1" for n in range(40))])
def test_a_query_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(MockError):
        read_query(text)


def test_a_repeated_parameter_is_refused_by_its_name() -> None:
    with pytest.raises(MockError, match="parameter b: expected once"):
        read_query("a=1&b=2&b=2")


def test_an_empty_query_has_no_parameters() -> None:
    assert read_query("") == {}


def test_a_forgiving_reader_takes_the_first_of_a_name_and_leaves_out_what_it_cannot_read() -> None:
    assert read_query_as_told("a=1&a=2&b=%ff") == {"a": "1", "b": "\ufffd"}
    assert read_query_as_told("&".join(f"a{n}=1" for n in range(40))) == {}


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "NaN", "nan", "inf", "-inf", "1e309", "-1", "101", "1_0", "0x10", "1,5", "٣", "1 ", " 1", "1\n", "--1",
        "9" * 5000, "1e99999", "None", "\x00",
    ],
)  # fmt: skip
def test_what_is_no_finite_number_in_range_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(MockError, match="parameter x: expected a number from 0 to 100, found"):
        Given({"x": text}).number("x", 0, 100)


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0.0), ("-0", 0.0), ("+5", 5.0), (".5", 0.5), ("1.", 1.0), ("1E2", 100.0)]
)
def test_plain_numbers_are_read(text: str, value: float) -> None:
    assert repr(Given({"x": text}).number("x", 0, 100)) == repr(value)


@pytest.mark.parametrize("text", ["1.5", "1e-1", "NaN", "", "-1", "11"])
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises(MockError, match="whole number from 0 to 10"):
        Given({"x": text}).whole("x", 0, 10)


def test_whole_numbers_may_be_written_as_any_number() -> None:
    assert Given({"x": "1e1"}).whole("x", 0, 10) == 10


def test_an_error_is_one_printable_line_however_hostile_the_value() -> None:
    with pytest.raises(MockError) as caught:
        Given({"x": "\x1b[31m\n" * 100}).number("x", 0, 1)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_unknown_names_and_no_names_are_refused() -> None:
    with pytest.raises(MockError, match="parameter b: not known; expected a"):
        Given({"b": "1"}).only(("a",))
    with pytest.raises(MockError, match="at least one parameter of a"):
        Given({}).only(("a",))
