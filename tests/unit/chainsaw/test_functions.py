"""Functions of expressions, each with what it gives and what it refuses."""

from __future__ import annotations

import re
from typing import Any

import pytest

from proving_ground.chainsaw.errors import ExpressionError
from proving_ground.chainsaw.expressions import compile_expression
from proving_ground.chainsaw.functions import FUNCTIONS
from proving_ground.chainsaw.lookups import CLUSTER_FUNCTIONS

GIVES = [
    ("abs(`-2`)", 2),
    ("avg([a, b])", 1.5),
    ("avg(`[]`)", None),
    ("ceil(`1.2`)", 2),
    ("floor(`1.8`)", 1),
    ("contains('abc', 'b')", True),
    ("contains('abc', `1`)", False),
    ("contains(`[1, 2]`, `2`)", True),
    ("contains(`[1, 2]`, `true`)", False),
    ("ends_with('abc', 'c')", True),
    ("starts_with('abc', 'c')", False),
    ("find_first('abcab', 'ab')", 0),
    ("find_first('abcab', 'ab', `1`)", 3),
    ("find_last('abcab', 'ab')", 3),
    ("find_first('abc', 'x')", None),
    ("from_items([['a', `1`]])", {"a": 1}),
    ("group_by(people, &team)", {"x": [{"team": "x", "age": 3}], "y": [{"team": "y", "age": 1}]}),
    ("join('-', ['a', 'b'])", "a-b"),
    ("keys(@)", ["a", "b", "people"]),
    ("values({x: a})", [1]),
    ("length('\u00e4b')", 2),
    ("length(@)", 3),
    ("lower('AB')", "ab"),
    ("upper('ab')", "AB"),
    ("map(&age, people)", [3, 1]),
    ("max([a, b])", 2),
    ("min(['b', 'a'])", "a"),
    ("max(`[]`)", None),
    ("max_by(people, &age).team", "x"),
    ("min_by(people, &age).team", "y"),
    ("max_by(`[]`, &age)", None),
    ("sort(`[3, 1]`)", [1, 3]),
    ("sort_by(people, &age)[].age", [1, 3]),
    ("merge({x: a}, {y: b})", {"x": 1, "y": 2}),
    ("not_null(nothing, a)", 1),
    ("pad_left('1', `3`, '0')", "001"),
    ("pad_right('1', `3`)", "1  "),
    ("reverse('abc')", "cba"),
    ("to_array('a')", ["a"]),
    ("to_number('3.0')", 3),
    ("to_number('1_0')", 10),
    ("to_number(' 1')", None),
    ("to_number('inf')", None),
    ("to_number('NaN')", None),
    ("to_number('x')", None),
    ("to_number(`true`)", None),
    ('to_string(`{"a": [1]}`)', '{"a":[1]}'),
    ("to_string('a')", "a"),
    ("to_string(a + a)", "2"),
    ("to_string({b: a, a: `[]`})", '{"a":[],"b":1}'),
    ("trim_left('xxax', 'x')", "ax"),
    ("trim_right(' a ')", " a"),
    ("type(a)", "number"),
    ("type(`true`)", "boolean"),
    ("type(nothing)", "null"),
    ("zip(['a', 'b'], ['c'])", [["a", "c"]]),
    ("as_string('a')", "a"),
    ("as_string(a)", None),
    ("at(['x', 'y'], `1`)", "y"),
    ("concat('a', 'b')", "ab"),
    ("json_parse('[1, {\"a\": null}]')", [1, {"a": None}]),
    ("parse_json('{\"a\": 1}').a", 1),
    ("parse_yaml('a: [1, 2]').a[1]", 2),
    ("wildcard('a*c?', 'abbcd')", True),
    ("pattern_match('a*', 'ba')", False),
    ("pattern_match('1?', `12`)", True),
    ("compare('a', 'b')", -1),
    ("equal_fold('Go', 'GO')", True),
    ("replace('aaa', 'a', 'b', `2`)", "bba"),
    ("replace_all('aaa', 'a', 'b')", "bbb"),
    ("to_upper('a')", "A"),
    ("to_lower('A')", "a"),
    ("trim('xax', 'x')", "a"),
    ("trim(' a ', '')", " a "),
    ("equal_fold('Stra\u00dfe', 'STRASSE')", False),
    ("upper('\u00df')", "\u00df"),
    ("to_upper('\u00df')", "\u00df"),
    ("lower('\u0130')", "\u0130"),
    ("pad_left('a', `3`, '')", "a"),
    ("find_first('abcab', 'ab', `-9`, `99`)", 0),
    ("find_last('ab', 'ab', `-1`)", 0),
    ("parse_yaml('2024-01-31T12:00:00Z')", "2024-01-31T12:00:00Z"),
    ("parse_yaml('')", None),
    ("base64_decode('YWJj\n')", "abc"),
    ("base64_decode('/w==')", "\ufffd"),
    ("object_from_lists(`[1, 2.5]`, ['a'])", {"1": "a", "2.5": None}),
    ("regex_match('^a$', 'a\n')", False),
    ("regex_match('[[:alpha:]]+$', 'ab')", True),
    ("trim_prefix('v1.2', 'v')", "1.2"),
    ("trim_space(' a\n')", "a"),
    ("split('a,b', ',')", ["a", "b"]),
    ("truncate('abc', `2`)", "ab"),
    ("regex_match('^a.c$', 'abc')", True),
    ("regex_match('[0-9]+', `42`)", True),
    ("regex_match('^b', 'abc')", False),
    ("regex_replace_all('(a)(b)', 'xab', '${2}$1')", "xba"),
    ("regex_replace_all_literal('a', 'aba', '$1')", "$1b$1"),
    ("label_match({app: 'x'}, {app: 'x', tier: 'y'})", True),
    ("label_match({app: 'x'}, {tier: 'y'})", False),
    ("to_boolean('True')", True),
    ("base64_encode('abc')", "YWJj"),
    ("base64_decode('YWJj')", "abc"),
    ("sha256('')", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("path_canonicalize('/a/../b//c')", "/b/c"),
    ("semver_compare('1.5.0', '>=1.2.0 <2.0.0')", True),
    ("lookup(@, 'a')", 1),
    ("lookup(['x'], `3`)", None),
    ("items({x: a}, 'k', 'v')", [{"k": "x", "v": 1}]),
    ("items({x: a})", [["x", 1]]),
    ("items(['x'], 'k', 'v')", [{"k": 0, "v": "x"}]),
    ("object_from_lists(['a', 'b'], [a])", {"a": 1, "b": None}),
    ("add('1Gi', '512Mi')", "1536Mi"),
    ("add(a, b)", 3),
    ("add('1h', '30s')", "1h0m30s"),
    ("subtract('1', '250m')", "750m"),
    ("multiply('100Mi', `3`)", "300Mi"),
    ("multiply(`3`, '100Mi')", "300Mi"),
    ("divide('1Gi', '512Mi')", 2),
    ("divide('1h', `4`)", "15m0s"),
    ("divide('1Gi', `3`)", "357913941"),
    ("divide('100m', `3`)", "33m"),
    ("divide('30m', `2.5`)", "12m"),
    ("add('0', '1Gi')", "1Gi"),
    ("subtract('0', '1Gi')", "-1Gi"),
    ("x_metrics_decode('up 1')[0].value", 1),
    ("metrics_decode('up 1')[0].metric.__name__", "up"),
    ("modulo(`7`, `4`)", 3),
    ("sum([a, b])", 3),
    ("sum(['1Gi', '1Gi'])", "2Gi"),
    ("round(`1.255`, `1`)", 1.3),
    ("round(`2.5`)", 3),
    ("time_add('2024-01-31T12:00:00Z', '36h')", "2024-02-02T00:00:00Z"),
    ("time_parse('02 Jan 2006 15:04', '31 Jan 2024 12:00')", "2024-01-31T12:00:00Z"),
    ("time_utc('2024-01-31T12:00:00+02:00')", "2024-01-31T10:00:00Z"),
    ("time_diff('2024-01-31T12:00:00Z', '2024-01-31T13:30:00Z')", "1h30m0s"),
    ("time_since('', '2024-01-31T12:00:00Z', '2024-01-31T12:00:05Z')", "5s"),
    ("time_before('2024-01-31T12:00:00Z', '2024-01-31T12:00:00+01:00')", False),
    ("time_after('2024-01-31T12:00:00Z', '2024-01-31T12:00:00+01:00')", True),
    ("time_between('2024-01-02T00:00:00Z', '2024-01-01T00:00:00Z', '2024-01-03T00:00:00Z')", True),
    ("time_truncate('2024-01-31T12:34:56Z', '1h')", "2024-01-31T12:00:00Z"),
    ("time_to_cron('2024-02-04T12:30:00Z')", "30 12 4 2 0"),
]

REFUSES = [
    ("at(['x'], `1`)", "no item 1"),
    ("json_parse('{')", "not JSON"),
    ("parse_yaml('{')", "not YAML"),
    ("to_boolean('yes')", "'true' or 'false'"),
    ("base64_decode('%%')", "not base64"),
    ("regex_match('(', 'a')", "not a regular expression"),
    ("semver_compare('1.5', '>1.0.0')", "not a version"),
    ("semver_compare('1.5.0', 'new')", "not a range"),
    ("add('1Gi', `1`)", "of a quantity and a number"),
    ("add('1Gi', '1h')", "of a quantity and a duration"),
    ("add('x', 'y')", "takes numbers, quantities and durations"),
    ("multiply('1Gi', '1Gi')", "plain number"),
    ("divide(a, `0`)", "division by zero"),
    ("modulo(a, `0`)", "division by zero"),
    ("time_add('yesterday', '1h')", "not a time"),
    ("time_add('2024-13-01T00:00:00Z', '1h')", "month"),
    ("time_add('2024-01-01T00:00:00Z', 'long')", "expected a duration such as"),
    ("time_add('9999-12-31T00:00:00Z', '48h')", "out of range"),
    ("pad_left('a', `-1`)", "width"),
    ("pad_left('a', `1000000000`)", "width"),
    ("random('[')", "regular expression"),
    ("random('a{1000000}')", "more than"),
    ("from_items([['a']])", "pairs"),
    ("lookup(@, `1`)", "takes a string"),
    ('sort(`[1, "a"]`)', "argument 1 of sort"),
    ("group_by(people, &age)", "string for each item"),
    ("group_by(people, &none)", "string for each item"),
    ("sum(`[]`)", "at least one"),
    ("modulo(`2.5`, `2`)", "whole numbers"),
    ("modulo('500m', '1')", "whole numbers"),
    ("items({a: a}, 'k')", "1 or 3 arguments"),
    ("object_from_lists([`null`], [a])", "strings as keys"),
    ("time_parse('', '2024-01-01T00:00:00Z')", "the layout comes first"),
    ("time_parse('2006 2006', '2024 2024')", "does not follow"),
    ("x_metrics_decode('up{')", "not metrics"),
    ("x509_decode('x')", "certificate"),
    ("regex_match('a(?=b)', 'ab')", "Perl syntax"),
]


@pytest.mark.parametrize(("text", "expected"), GIVES)
def test_a_function_gives_what_it_is_documented_to(text: str, expected: Any) -> None:
    value = {"a": 1, "b": 2, "people": [{"team": "x", "age": 3}, {"team": "y", "age": 1}]}

    result = compile_expression(text).evaluate(value, {})

    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(("text", "reason"), REFUSES)
def test_a_function_says_what_it_cannot_take(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError, match=reason) as caught:
        compile_expression(text).evaluate({"a": 1, "people": [{"age": 3}]}, {})

    assert caught.value.expression == text


def test_every_function_has_a_case_here() -> None:
    tested = {name for text, _ in GIVES for name in re.findall(r"\b([a-z_0-9]+)\(", text)}

    assert FUNCTIONS.keys() - tested == {"env", "random", "time_now", "time_now_utc", "x509_decode"}


def test_each_function_has_one_home() -> None:
    assert not FUNCTIONS.keys() & CLUSTER_FUNCTIONS.keys()


def test_env_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVING_GROUND_TEST", "x")
    monkeypatch.delenv("PROVING_GROUND_NONE", raising=False)

    assert compile_expression("env('PROVING_GROUND_TEST')").evaluate(None, {}) == "x"
    assert compile_expression("env('PROVING_GROUND_NONE')").evaluate(None, {}) == ""


@pytest.mark.parametrize("pattern", ["[a-z0-9]{5}", "x(a|b)+", r"\\d{3}-[^a-y]", "a?b*"])
def test_random_gives_text_that_its_pattern_matches(pattern: str) -> None:
    text = compile_expression(f"random('{pattern}')").evaluate(None, {})

    assert re.fullmatch(pattern.replace("\\\\", "\\"), text)


@pytest.mark.parametrize("name", ["time_now", "time_now_utc"])
def test_now_is_a_time(name: str) -> None:
    assert compile_expression(f"time_after({name}(), '2024-01-01T00:00:00Z')").evaluate(None, {}) is True
