"""What must not be told."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from proving_ground.chainsaw.choices import set_value
from proving_ground.chainsaw.reporting import Recording, Secrecy
from proving_ground.errors import ConfigurationError


class Masked(Recording):
    def __init__(self) -> None:
        super().__init__()
        self.masked: list[str] = []

    def mask(self, value: str) -> None:
        self.masked.append(value)


def test_values_are_secret_by_their_key_at_any_depth() -> None:
    report = Masked()
    secrecy = Secrecy(report)

    secrecy.learn_values({"hfToken": "hf_abcdef", "team": {"name": "visible-name", "apiKey": ["key-one", "key-two"]}})

    assert secrecy.hide("hf_abcdef visible-name key-one key-two") == "*** visible-name *** ***"
    assert set(report.masked) == {"hf_abcdef", "key-one", "key-two"}, "the event log hides them too"


def test_everything_in_a_secret_is_secret_encoded_or_not() -> None:
    secrecy = Secrecy(Masked())
    encoded = base64.b64encode(b"plain-text").decode()

    secrecy.learn_object({"apiVersion": "v1", "kind": "Secret", "data": {"a": encoded}, "stringData": {"b": "another"}})

    assert secrecy.hide(f"{encoded} plain-text another") == "*** *** ***"


def test_what_is_in_other_objects_is_not_secret() -> None:
    secrecy = Secrecy(Masked())

    secrecy.learn_object({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "some-value"}})

    assert secrecy.hide("some-value") == "some-value"


def test_a_longer_secret_is_hidden_before_a_shorter_one_inside_it() -> None:
    secrecy = Secrecy(Masked())

    secrecy.learn_values({"token": "abcdef", "secret": "abcdef-and-more"})

    assert secrecy.hide("abcdef-and-more") == "***"


@pytest.mark.parametrize("value", ["", "x", "a\nb", "((((", "[a-z]+", "***"])
def test_hostile_secrets_break_nothing(value: str) -> None:
    secrecy = Secrecy(Masked())

    secrecy.learn_values({"token": value + "-secret"})

    assert secrecy.hide(f"<{value}-secret>") == "<***>"


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("a", "1", {"a": 1, "b": {"c": 2}}),
        ("b.c", "x y", {"b": {"c": "x y"}}),
        ("b.d.e", "true", {"b": {"c": 2, "d": {"e": True}}}),
        ("b", "", {"b": None}),
    ],
)
def test_one_value_is_set_by_its_path(key: str, text: str, expected: dict[str, Any]) -> None:
    values: dict[str, Any] = {"b": {"c": 2}}

    set_value(values, key, text)

    assert values == expected


@pytest.mark.parametrize(("key", "text", "told"), [("b.c.d", "1", "c of b.c.d is no map"), ("a", "{", "is not YAML")])
def test_a_value_that_cannot_be_set_is_refused(key: str, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        set_value({"b": {"c": 2}}, key, text)
