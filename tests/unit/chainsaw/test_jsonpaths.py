"""JSONPath as kubectl wait takes it; what is expected here was seen with kubectl 1.36."""

from __future__ import annotations

from typing import Any

import pytest

from proving_ground.chainsaw.jsonpaths import PathError, PathSyntaxError, parse_path, parse_value

SERVICE: dict[str, Any] = {
    "metadata": {"annotations": {"a.b/c": "dotted"}, "generation": 3},
    "spec": {
        "type": "ClusterIP",
        "ready": True,
        "ratio": 0.5,
        "whole": 2.0,
        "nothing": None,
        "empty": [],
        "one": {"x": 1},
        "ports": [{"port": 80, "name": "one", "ready": False}, {"port": 81, "name": "two"}],
    },
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("{.spec.type}", ["ClusterIP"]),
        (".spec.type", ["ClusterIP"]),
        ("spec.type", ["ClusterIP"]),
        ("{spec.type}", ["ClusterIP"]),
        (r"{.metadata.annotations.a\.b/c}", ["dotted"]),
        (r"{.metadata.annotations['a\.b/c']}", ["dotted"]),
        ("{.metadata.annotations['a.b/c']}", []),
        ("{.spec['type']}", ["ClusterIP"]),
        ("{.spec.one.*}", [1]),
        ("{.spec.ports[0].port}", [80]),
        ("{.spec.ports[-1].port}", [81]),
        ("{.spec.ports[1:].port}", [81]),
        ("{.spec.ports[:1].port}", [80]),
        ("{.spec.ports[:-1].port}", [80]),
        ("{.spec.ports[2:].port}", []),
        ("{.spec.ports[*].port}", [80, 81]),
        ('{.spec.ports[?(@.name=="two")].port}', [81]),
        ("{.spec.ports[?( @.name == 'two' )].port}", [81]),
        ("{.spec.ports[?(@['name']=='two')].port}", [81]),
        ("{.spec.ports[?(@.port==81)].name}", ["two"]),
        ("{.spec.ports[?(@.port>80)].name}", ["two"]),
        ("{.spec.ports[?(@.port<81)].name}", ["one"]),
        ("{.spec.ports[?(@.ready==false)].name}", ["one"]),
        ("{.spec.ports[?(@.ready)].name}", ["one"]),
        ("{.spec.ports[?(@.none==1)].name}", []),
        ("{.spec.none[0].x}", []),
        ("{.spec.nothing[0].x}", []),
        ("{.spec.type.x}", []),
    ],
)
def test_a_path_finds_what_kubectl_finds(path: str, found: list[Any]) -> None:
    assert parse_path(path).find(SERVICE) == found


@pytest.mark.parametrize(
    ("path", "wanted", "there"),
    [
        ("{.spec.type}", "ClusterIP", True),
        ("{.spec.type}", " ClusterIP ", True),
        ("{.spec.type}", "clusterip", False),
        ("{.spec.type}", None, True),
        ("{.spec.one}", None, True),
        ("{.spec.nothing}", None, True),
        ("{.spec.nothing}", "<nil>", True),
        ("{.spec.none}", None, False),
        ("{.spec.none}", "", False),
        ("{.spec.ready}", "true", True),
        ("{.spec.ratio}", "0.5", True),
        ("{.spec.whole}", "2", True),
        ("{.metadata.generation}", "3", True),
    ],
)
def test_values_are_compared_as_go_prints_them(path: str, wanted: str | None, there: bool) -> None:
    assert parse_path(path).leads_to(SERVICE, wanted) is there


@pytest.mark.parametrize(
    ("path", "wanted", "reason"),
    [
        ("{.spec.ports[5].port}", "81", "array index out of bounds: index 5, length 2"),
        ("{.spec.ports[-3].port}", "81", "array index out of bounds: index -1, length 2"),
        ("{.spec.ports[0:5].port}", "81", "array index out of bounds: index 4, length 2"),
        ("{.spec.ports[1:-2]}", None, "starting index 1 is greater than ending index 0"),
        ("{.spec.empty[0]}", None, "index 0, length 0"),
        ("{.spec.type[0]}", None, "'ClusterIP' is not array or slice"),
        ("{.spec.one[?(@.x)]}", None, "a mapping is not array or slice"),
        ("{.spec.ports[*].port}", None, "matches more than one value"),
        ("{.spec.one}", "x", "nested object or list"),
        ('{.spec.ports[?(@.port=="81")].name}', "two", "incompatible types"),
        ("{.spec.ports[?(@.port==81.0)].name}", "two", "incompatible types"),
        ("{.spec.ports[?(@.ready<true)].name}", "two", "incompatible types"),
        ("{.spec.ports[?(@.*==80)].name}", "two", "one element at a time"),
    ],
)
def test_where_kubectl_gives_up_so_does_the_path(path: str, wanted: str | None, reason: str) -> None:
    with pytest.raises(PathError, match=reason):
        parse_path(path).leads_to(SERVICE, wanted)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "has to be one path"),
        ("{}", "has to be one path"),
        ("{.a}{.b}", "has to be one path"),
        ("{.a", "has to be one path"),
        ("a=b", "a single ="),
        ("{.a[?(@.b!=1)]}", "a single ="),
        ("{.a[?(@.b>=1)]}", "a single ="),
        ("{..a}", "not supported: name the fields"),
        ("{.a..b}", "not supported: name the fields"),
        ("{.a.}", "expected a field"),
        ("{.a b}", "expected a field"),
        ("{$.a}", "expected a field"),
        ("{@.a}", "expected a field"),
        ("{[0]}", "an object is no list"),
        ("{.a[0}", "is not closed"),
        ("{.a[x]}", r"\[x\] is not supported"),
        ("{.a[]}", r"\[\] is not supported"),
        ("{.a['']}", "is not supported"),
        ('{.a["b"]}', "is not supported"),
        ("{.a[0,1]}", "is not supported"),
        ("{.a['b','c']}", "is not supported"),
        ("{.a[::2]}", "is not supported"),
        ("{.a[?(1==@.b)]}", "is not supported"),
        ("{.a[?(@.b==@.c)]}", "compares a path with a text"),
        ("{.a[?(@.b==c)]}", "compares a path with a text"),
        ("{.a[?(@.b==1 && @.c==2)]}", "compares a path with a text"),
    ],
)
def test_what_is_no_path_or_not_supported_is_refused_with_its_reason(path: str, reason: str) -> None:
    with pytest.raises(PathSyntaxError, match=reason):
        parse_path(path)


@pytest.mark.parametrize(("text", "value"), [("a", "a"), ("'a b'", "a b"), ('"1"', "1"), ("a==b", "a==b")])
def test_a_value_loses_its_quotes(text: str, value: str) -> None:
    assert parse_value(text) == value


@pytest.mark.parametrize(("text", "reason"), [("''", "is empty"), ("a=b", "no = in a value")])
def test_a_value_that_kubectl_does_not_take_is_refused(text: str, reason: str) -> None:
    with pytest.raises(PathSyntaxError, match=reason):
        parse_value(text)
